import { check, type Fault } from '@writ/contract';
import type { StoreErrorCode } from '@writ/store';
import type { FastifySchemaCompiler, FastifyServerOptions } from 'fastify';
import { ServerError } from './server-error.ts';

/** Given with its options, so that Fastify does not load compilers of its own that nobody asks: a tenth of a start. */
export const schemaController = {
  compilersFactory: {
    buildValidator: () => compileSchema,
    buildSerializer: () => () => (value: unknown) => JSON.stringify(value),
  },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>; // its types know no compiler but Ajv

/** Schemas of routes are checked by the same compiler as everything else, on first use. */
const compileSchema: FastifySchemaCompiler<Parameters<typeof check>[0]> = ({ schema, httpPart }) => {
  const compiled = check(schema);
  return (value: unknown) => {
    if (compiled.is(value)) return { value };
    const faults = compiled.faults(value);
    return { error: malformed(httpPart ?? 'body', faults) };
  };
};

function malformed(part: string, faults: readonly Fault[]): ServerError {
  const errors = faults.map(({ pointer, detail }) => ({
    pointer: part === 'body' ? pointer : `/${part}${pointer}`,
    detail,
  }));
  const [first] = errors;
  return new ServerError(
    'request.malformed',
    `The ${part} of this request is refused: ${first?.pointer ?? ''} ${first?.detail ?? 'it has another shape'}.`,
    errors,
  );
}

/** What Fastify itself refuses, in our codes. */
export function asServerError(error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'store.bad_cursor')
    return new ServerError(
      'request.malformed',
      'This cursor is not the next one of such a list.',
      [{ pointer: '/querystring/cursor', detail: 'not a cursor' }],
      { cause: error },
    );
  if (AWAY.has(code))
    return new ServerError(
      'server.unavailable',
      'This server does not reach its database at the moment. What was asked may have been done or not; the same order sent once more is one job.',
      [],
      { cause: error },
    );
  if (isFull(error))
    return new ServerError(
      'storage.full',
      'The disk of this server is full. Nothing was taken; try again when there is room. What may go: writ prune --dry-run.',
      [],
      { cause: error },
    );
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new ServerError('request.too_large', 'The body is larger than this route takes.', [], {
      cause: error,
    });
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new ServerError('request.media_type', 'This route takes another content type.', [], {
      cause: error,
    });
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (status >= 400 && status < 500)
    return new ServerError(
      'request.malformed',
      error instanceof Error ? error.message : 'The request is refused.',
      [],
      { cause: error },
    );
  return new ServerError(
    'server.failed',
    'The server failed. Its log says why, under the id of this request.',
    [],
    { cause: error },
  );
}

/** The words of the store name host and database: they are for the log. */
const AWAY: ReadonlySet<string> = new Set<StoreErrorCode>([
  'store.unavailable',
  'store.cut_off',
  'store.in_use',
]);

/** As the operating system and as SQLite say it (SQLITE_FULL). */
function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code: unknown = Reflect.get(error, 'code');
  const errcode: unknown = Reflect.get(error, 'errcode');
  return code === 'ENOSPC' || code === 'EDQUOT' || errcode === 13 || isFull(error.cause);
}
