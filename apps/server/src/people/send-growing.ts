import type { Http2ServerResponse } from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply } from 'fastify';
import type { Followers } from './followers.ts';

const ASK_AGAIN_MS = 2_000;

/**
 * Answers with what goes on being made. The head is sent at once: there may be nothing to say for a long time. The signal
 * fires when the reader has gone, or may not read on: a token can be revoked while its answer goes on.
 */
export function sendGrowing(
  followers: Followers,
  reply: FastifyReply,
  type: string,
  make: (signal: AbortSignal) => AsyncIterable<string | Uint8Array>,
): FastifyReply {
  // `close` is not emitted a second time: whoever went while the route was asking would hold a place for ever.
  if (hasGone(reply)) {
    reply.hijack();
    return reply;
  }
  const leave = followers.enter(reply.request.caller);
  const headers = reply.getHeaders();
  reply.hijack();
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) reply.raw.setHeader(name, value);
  reply.raw.setHeader('content-type', type);
  reply.raw.flushHeaders();
  const over = new AbortController();
  const asking = setInterval(() => {
    reply.request.askAgain().catch(() => over.abort());
  }, ASK_AGAIN_MS);
  asking.unref();
  const end = (): void => {
    clearInterval(asking);
    over.abort();
    leave();
  };
  reply.raw.once('close', end);
  pipeline(Readable.from(make(over.signal), { objectMode: false }), reply.raw, { signal: over.signal })
    .catch(() => {
      // The reader has gone, or the server stops: nobody is left to be told.
      reply.raw.destroy();
    })
    .finally(end);
  return reply;
}

/** Over HTTP/2 the answer itself does not say it, its stream does. */
function hasGone({ raw }: FastifyReply): boolean {
  const { stream } = raw as Partial<Pick<Http2ServerResponse, 'stream'>>;
  return stream?.destroyed ?? raw.destroyed;
}
