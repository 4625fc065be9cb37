import { Readable } from 'node:stream';
import { API_ROUTES, Id, oneOf, shape, Type } from '@writ/contract';
import type { FastifyInstance } from 'fastify';
import type { LogName, LogStream } from '../kept-logs.ts';
import { ServerError } from '../server-error.ts';
import { followLog } from './follow-log.ts';
import { findJob } from './job-routes.ts';
import { FLAG, WHOLE_TEXT } from './paging.ts';
import type { PeopleParts } from './people-parts.ts';
import { sendGrowing } from './send-growing.ts';

const Params = shape({ id: Id, index: WHOLE_TEXT, stream: oneOf('stdout', 'stderr') });
const Query = shape({
  attempt: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$' })),
  offset: Type.Optional(WHOLE_TEXT),
  follow: FLAG,
});

export function addLogRoutes(app: FastifyInstance, parts: PeopleParts): void {
  const { store, logs } = parts;
  app.get(
    API_ROUTES.readLog[1],
    { config: { policy: 'member', group: 'client' }, schema: { params: Params, querystring: Query } },
    async (request, reply) => {
      const params = request.params as { id: string; index: string; stream: LogStream };
      const query = request.query as { attempt?: string; offset?: string; follow?: string };
      const job = await findJob(parts, params.id);
      const index = Number(params.index);
      const task = await store.jobs.readTask(job.id, index);
      if (!task) throw new ServerError('not_found', 'This job has no such task.');
      const name: LogName = {
        job: job.id,
        index,
        attempt: query.attempt === undefined ? Math.max(1, task.attempt) : Number(query.attempt),
        stream: params.stream,
      };
      const offset = Number(query.offset ?? 0);
      void reply
        .header('writ-attempt', name.attempt)
        .type('application/octet-stream')
        .header('content-disposition', 'attachment');
      if (query.follow === '1')
        return sendGrowing(parts.followers, reply, 'application/octet-stream', (signal) =>
          followLog(parts, name, offset, signal),
        );
      // Asked once: a log may have grown a moment later.
      const size = Math.max(0, (await logs.sizeOf(name)) - offset);
      void reply.header('content-length', size);
      return await reply.send(Readable.from(bounded(logs.read(name, offset), size), { objectMode: false }));
    },
  );
}

/** A log may grow while it is read: what was announced is what is sent. */
async function* bounded(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let left = size;
  for await (const chunk of source) {
    if (left <= 0) return;
    yield chunk.subarray(0, left);
    left -= chunk.length;
  }
}
