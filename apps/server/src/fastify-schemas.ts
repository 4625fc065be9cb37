import { check, type Fault } from '@writ/contract';
import type { FastifySchemaCompiler } from 'fastify';
import { ServerError } from './server-error.ts';

/** Fastify's schemas are checked by the same compiler as everything else, on first use. */
export const compileSchema: FastifySchemaCompiler<Parameters<typeof check>[0]> = ({ schema, httpPart }) => {
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
