import { Readable } from 'node:stream';
import { API_ROUTES, Digest, FilesAsked, Id, shape } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServerError } from '../server-error.ts';
import { byOf, type PeopleParts } from './people-parts.ts';

const CHUNK_BYTES = 4 * 1024 * 1024;
/** Until people share projects, what anybody sends is the cluster's own. */
const PROJECT = 'default';
const DIGEST_PARAMS = shape({ digest: Digest });
const config = { policy: 'member', group: 'client' } as const;

export function addFileRoutes(app: FastifyInstance, parts: PeopleParts): void {
  const { store, files, clock } = parts;
  const digestIn = (request: FastifyRequest): string => (request.params as { digest: string }).digest;
  const isKnown = async (digest: string): Promise<boolean> =>
    (await store.files.listKnown([digest], PROJECT)).length > 0;

  const isHere = async (digest: string): Promise<boolean> =>
    (await isKnown(digest)) && (await files.isSound(digest));
  /** Another person, or another project, has another upload of the same file. */
  const ownerOf = (request: FastifyRequest): string => `${PROJECT} ${request.caller.actor}`;

  app.post(API_ROUTES.askFiles[1], { config, schema: { body: FilesAsked } }, async (request) => {
    const asked = (request.body as { files: { digest: string; size: number }[] }).files;
    const known = new Map(
      (await store.files.listKnown([...new Set(asked.map((file) => file.digest))], PROJECT)).map((file) => [
        file.digest,
        file.size,
      ]),
    );
    return {
      missing: await missingOf(asked, async ({ digest, size }) => {
        // What was damaged on the disk is to be sent again.
        return known.get(digest) === size && (await files.sizeOf(digest)) === size;
      }),
    };
  });

  app.head(
    API_ROUTES.readUpload[1],
    { config, schema: { params: DIGEST_PARAMS } },
    async (request, reply) => {
      const digest = digestIn(request);
      const offset = (await isHere(digest))
        ? ((await files.sizeOf(digest)) ?? 0)
        : await files.uploadedOf(digest, ownerOf(request));
      return await reply.header('upload-offset', offset).code(204).send();
    },
  );

  app.patch(
    API_ROUTES.appendUpload[1],
    { config, schema: { params: DIGEST_PARAMS }, bodyLimit: CHUNK_BYTES },
    async (request, reply) => {
      const digest = digestIn(request);
      const offset = numberIn(request, 'upload-offset');
      const total = numberIn(request, 'upload-length');
      const chunk = request.body instanceof Uint8Array ? request.body : new Uint8Array();
      checkChunk(request, chunk);
      await parts.refuseWhenFull(Math.max(0, total - offset), 'new');
      // Sent to its end before: the answer may have been lost.
      if (await isHere(digest)) return await reply.header('upload-offset', total).code(204).send();
      const now = await files.append(digest, chunk, { offset, total, owner: ownerOf(request) });
      if (now.isWhole)
        await store.files.addFile({ digest, size: total }, PROJECT, byOf(request.caller, clock));
      return await reply.header('upload-offset', now.offset).code(204).send();
    },
  );

  const send = async (
    request: FastifyRequest,
    reply: FastifyReply,
    digest: string,
  ): Promise<FastifyReply> => {
    const size = await files.sizeOf(digest);
    if (size === null)
      throw new ServerError('not_found', 'There is no such file, or it is not yours to see.');
    const range = rangeOf(request.headers.range, size);
    void reply.headers({
      'accept-ranges': 'bytes',
      etag: `"${digest}"`,
      'repr-digest': `sha-256=:${Buffer.from(digest.slice('sha256:'.length), 'hex').toString('base64')}:`,
      'content-disposition': 'attachment',
    });
    void reply.type('application/octet-stream');
    if (range === 'unsatisfiable')
      return await reply.code(416).header('content-range', `bytes */${size}`).send();
    const { start, end } = range ?? { start: 0, end: size - 1 };
    if (range) void reply.code(206).header('content-range', `bytes ${start}-${end}/${size}`);
    void reply.header('content-length', end - start + 1);
    if (end < start) return await reply.send(Buffer.alloc(0));
    return await reply.send(Readable.from(files.read(digest, { start, end }), { objectMode: false }));
  };

  app.get(API_ROUTES.readFile[1], { config, schema: { params: DIGEST_PARAMS } }, async (request, reply) => {
    const digest = digestIn(request);
    if (!(await isKnown(digest)))
      throw new ServerError('not_found', 'There is no such file, or it is not yours to see.');
    return await send(request, reply, digest);
  });

  app.get(
    API_ROUTES.readJobFile[1],
    { config, schema: { params: shape({ id: Id, digest: Digest }) } },
    async (request, reply) => {
      const { id, digest } = request.params as { id: string; digest: string };
      if (!(await store.files.isUsedBy(id, digest)))
        throw new ServerError('not_found', 'There is no such file, or it is not yours to see.');
      return await send(request, reply, digest);
    },
  );
}

async function missingOf(
  asked: readonly { readonly digest: string; readonly size: number }[],
  isHere: (file: { readonly digest: string; readonly size: number }) => Promise<boolean>,
): Promise<string[]> {
  const missing = new Set<string>();
  for (const file of asked) if (!(await isHere(file))) missing.add(file.digest);
  return [...missing];
}

function numberIn(request: FastifyRequest, header: string): number {
  const text = request.headers[header];
  if (typeof text === 'string' && /^(0|[1-9][0-9]{0,14})$/.test(text)) return Number(text);
  throw new ServerError('request.malformed', `The header ${header} is a whole number of bytes.`, [
    { pointer: `/headers/${header}`, detail: 'missing or no number' },
  ]);
}

/** RFC 9530: a chunk that was changed on its way is refused before it is part of anything. */
function checkChunk(request: FastifyRequest, chunk: Uint8Array): void {
  const said = /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(String(request.headers['content-digest'] ?? ''))?.[1];
  if (said === undefined)
    throw new ServerError('request.malformed', 'The header content-digest says sha-256=:…: of the chunk.', [
      { pointer: '/headers/content-digest', detail: 'missing or of another form' },
    ]);
  const hex = Buffer.from(said, 'base64').toString('hex');
  if (digestOf(chunk) !== `sha256:${hex}`)
    throw new ServerError(
      'file.digest_wrong',
      'The chunk does not have the digest it was sent with. Send it again.',
    );
}

/** One range; several, or a form not known here, are answered with the whole. */
function rangeOf(
  header: string | undefined,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | null {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return null;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(size - 1, Number(to));
  return start >= size || end < start ? 'unsatisfiable' : { start, end };
}
