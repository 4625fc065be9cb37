import { inParts, serveRuns, startTrue } from './serve-runs.ts';

interface Peer {
  readonly Queue: new (
    name: string,
    wish: { readonly connection: unknown; readonly defaultJobOptions: unknown },
  ) => {
    addBulk(jobs: readonly { readonly name: string; readonly data: null }[]): Promise<unknown>;
    close(): Promise<void>;
  };
  readonly Worker: new (
    name: string,
    run: () => Promise<void>,
    wish: { readonly connection: unknown; readonly concurrency: number },
  ) => {
    on(event: 'completed', hear: () => void): void;
    waitUntilReady(): Promise<unknown>;
    close(): Promise<void>;
  };
}

await serveRuns(async ({ address, slots, load }) => {
  const { Queue, Worker } = (await load('bullmq')) as Peer;
  const connection = { path: address, maxRetriesPerRequest: null };
  const queue = new Queue('true', {
    connection,
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
  const starter = new Worker('true', startTrue, { connection, concurrency: slots });
  await starter.waitUntilReady();
  let left = 0;
  let onEnd: () => void = () => {};
  // It says so after it has recorded the end.
  starter.on('completed', () => {
    left -= 1;
    if (left === 0) onEnd();
  });
  return {
    async run(jobs) {
      left = jobs;
      const ended = new Promise<void>((resolve) => (onEnd = resolve));
      for (const part of inParts(jobs)) {
        await queue.addBulk(Array.from({ length: part }, () => ({ name: 'true', data: null })));
      }
      await ended;
    },
    async close() {
      await starter.close();
      await queue.close();
    },
  };
});
