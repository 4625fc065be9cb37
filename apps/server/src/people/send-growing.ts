import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply } from 'fastify';

/** Answers with what goes on being made. The head is sent at once: there may be nothing to say for a long time. */
export function sendGrowing(
  reply: FastifyReply,
  type: string,
  chunks: AsyncIterable<string | Uint8Array>,
): FastifyReply {
  const headers = reply.getHeaders();
  reply.hijack();
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) reply.raw.setHeader(name, value);
  reply.raw.setHeader('content-type', type);
  reply.raw.flushHeaders();
  pipeline(Readable.from(chunks, { objectMode: false }), reply.raw).catch(() => {
    // The reader has gone, or the server stops: nobody is left to be told.
    reply.raw.destroy();
  });
  return reply;
}
