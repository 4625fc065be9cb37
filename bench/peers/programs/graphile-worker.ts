import { setTimeout as sleep } from 'node:timers/promises';
import { inParts, serveRuns, startTrue } from './serve-runs.ts';

interface Peer {
  run(wish: unknown, tasks: Record<string, () => Promise<void>>): Promise<{ stop(): Promise<void> }>;
  makeWorkerUtils(wish: unknown): Promise<{
    addJobs(jobs: readonly { readonly identifier: string }[]): Promise<unknown>;
    release(): Promise<void>;
  }>;
  Logger: new (log: () => () => void) => unknown;
}

interface Pg {
  readonly default: {
    readonly Pool: new (wish: { connectionString: string; max: number }) => {
      query(statement: string): Promise<{ readonly rows: readonly unknown[] }>;
      end(): Promise<void>;
    };
  };
}

await serveRuns(async ({ address, slots, load }) => {
  const { run, makeWorkerUtils, Logger } = (await load('graphile-worker')) as Peer;
  const pool = new ((await load('pg')) as Pg).default.Pool({ connectionString: address, max: 2 });
  const running = await run(
    {
      logger: new Logger(() => () => {}),
      preset: {
        worker: {
          connectionString: address,
          maxPoolSize: slots + 2,
          concurrentJobs: slots,
          pollInterval: 500,
          localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
    },
    { true: startTrue },
  );
  const submitter = await makeWorkerUtils({ connectionString: address, logger: new Logger(() => () => {}) });
  return {
    async run(jobs) {
      for (const part of inParts(jobs)) {
        await submitter.addJobs(Array.from({ length: part }, () => ({ identifier: 'true' })));
      }
      // It deletes a job once its end is recorded.
      const left = 'select 1 from graphile_worker._private_jobs limit 1';
      while ((await pool.query(left)).rows.length > 0) await sleep(20);
    },
    async close() {
      await running.stop();
      await submitter.release();
      await pool.end();
    },
  };
});
