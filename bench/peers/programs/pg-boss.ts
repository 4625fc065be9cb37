import { setTimeout as sleep } from 'node:timers/promises';
import { inParts, serveRuns, startTrue } from './serve-runs.ts';

interface Peer {
  readonly PgBoss: new (wish: {
    connectionString: string;
    max: number;
    supervise: boolean;
    schedule: boolean;
  }) => {
    on(event: 'error', hear: (error: Error) => void): void;
    start(): Promise<unknown>;
    createQueue(name: string): Promise<unknown>;
    insert(name: string, jobs: readonly object[]): Promise<unknown>;
    work(name: string, wish: unknown, run: (jobs: readonly unknown[]) => Promise<void>): Promise<unknown>;
    getDb(): { executeSql(statement: string): Promise<{ readonly rows: readonly unknown[] }> };
    stop(wish: { graceful: boolean }): Promise<void>;
  };
}

/** As many as it fetches and acknowledges at once. */
const BATCH = 100;

await serveRuns(async ({ address, slots, load }) => {
  const { PgBoss } = (await load('pg-boss')) as Peer;
  const boss = new PgBoss({ connectionString: address, max: slots + 2, supervise: false, schedule: false });
  boss.on('error', (error) => {
    throw error;
  });
  await boss.start();
  await boss.createQueue('true');
  await boss.work(
    'true',
    { batchSize: BATCH, localConcurrency: slots, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true },
    async (jobs) => {
      for (let at = 0; at < jobs.length; at += 1) await startTrue();
    },
  );
  return {
    async run(jobs) {
      for (const part of inParts(jobs))
        await boss.insert(
          'true',
          Array.from({ length: part }, () => ({})),
        );
      const left = `select 1 from pgboss.job where name = 'true' and state <> 'completed' limit 1`;
      while ((await boss.getDb().executeSql(left)).rows.length > 0) await sleep(20);
    },
    close: () => boss.stop({ graceful: false }),
  };
});
