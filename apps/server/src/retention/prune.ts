import { DEFAULTS, type Prune, type PruneView } from '@writ/contract';
import type { By, DueAsked, Store } from '@writ/store';
import { openTurns } from '../in-turn.ts';
import { FILE_PARTS, type KeptFiles } from '../kept-files.ts';
import type { KeptLogs } from '../kept-logs.ts';
import type { Orders } from '../orders.ts';
import type { PruneNow } from '../prune-now.ts';

const HOUR_MS = 3_600_000;
/** Files wait so long for a job that names them. */
const UNUSED_MS = 24 * HOUR_MS;
/** Outputs come before the receipt that names them: also whoever is in a hurry leaves them this long. */
const LEAST_UNUSED_MS = HOUR_MS;
/** Clocks of agents may be this much behind. */
const WITHDRAWN_MS = 24 * HOUR_MS;

/** What one transaction takes: others write between two of them. */
const JOBS = 100;
const ROWS = 2_000;
const FILES = 500;

interface Parts {
  readonly store: Store;
  readonly files: KeptFiles;
  readonly logs: KeptLogs;
  readonly orders: Orders;
  /** Between two steps it may be told to stop. */
  readonly signal: AbortSignal;
}

/** Removes what was kept long enough, in bounded steps, one call after the other. Stopped half-way it goes on the next time. */
export function pruneWith(parts: Parts): PruneNow {
  const inTurn = openTurns();
  return async (asked, by) => {
    const act = async (): Promise<PruneView> =>
      asked.isDryRun ? await count(parts, asked, by.now) : await remove(parts, asked, by);
    return await inTurn('prune', act);
  };
}

type Counts = { -readonly [K in keyof PruneView]: PruneView[K] };
const nothing = (isDryRun: boolean): Counts => ({
  isDryRun,
  jobs: 0,
  tasks: 0,
  receipts: 0,
  files: 0,
  bytes: 0,
});

async function count({ store, logs, signal }: Parts, asked: Prune, now: number): Promise<PruneView> {
  const counts = nothing(true);
  const due = dueOf(asked, now);
  let after: string | null = null;
  do {
    signal.throwIfAborted();
    const page = await store.retention.countDue({ ...due, after, limit: JOBS });
    counts.jobs += page.jobs.length;
    counts.tasks += page.tasks;
    counts.receipts += page.receipts;
    for (const job of page.jobs) counts.bytes += await logs.sizeOfJob(job);
    after = page.next;
  } while (after !== null);
  do {
    signal.throwIfAborted();
    const page = await store.retention.listUnused({
      ...due,
      unusedSince: unusedSince(asked, now),
      after,
      limit: FILES,
    });
    counts.files += page.files.length;
    counts.bytes += page.files.reduce((sum, file) => sum + file.size, 0);
    after = page.next;
  } while (after !== null);
  return counts;
}

async function remove(parts: Parts, asked: Prune, by: By): Promise<PruneView> {
  const { store, orders, signal } = parts;
  const counts = nothing(false);
  const due = dueOf(asked, by.now);
  // First what an earlier call did not come to: room is made before more is written.
  await sweep(parts, counts);
  for (;;) {
    signal.throwIfAborted();
    const { jobs, isMore } = await store.retention.removeJobs({ ...due, limit: JOBS }, by);
    for (const { id, tasks } of jobs) {
      orders.forget(id);
      counts.jobs += 1;
      counts.tasks += tasks;
    }
    await sweep(parts, counts);
    if (!isMore) break;
  }
  await removeFiles(parts, counts, unusedSince(asked, by.now), by);
  for (;;) {
    signal.throwIfAborted();
    const { isMore } = await store.retention.forgetOrders(
      {
        withdrawnBefore: by.now - WITHDRAWN_MS,
        receivedBefore: by.now - DEFAULTS.retentionSeconds * 1000,
        limit: ROWS,
      },
      by,
    );
    if (!isMore) return counts;
  }
}

/** Logs go before the job is finished: a stop in between leaves none behind. */
async function sweep({ store, logs, signal }: Parts, counts: Counts): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const { jobs, receipts, isDone } = await store.retention.sweepRemoved(ROWS);
    counts.receipts += receipts;
    if (jobs.length === 0) return;
    if (!isDone) continue;
    for (const job of jobs) counts.bytes += await logs.removeJob(job);
    await store.retention.finishRemoved(jobs);
  }
}

async function removeFiles(
  { store, files, signal }: Parts,
  counts: Counts,
  since: number,
  by: By,
): Promise<void> {
  let after: string | null = null;
  do {
    signal.throwIfAborted();
    const page = await store.retention.removeFiles({ unusedSince: since, after, limit: FILES }, by);
    for (const { digest } of page.files) {
      counts.files += 1;
      counts.bytes += await files.remove(digest, since);
    }
    after = page.next;
  } while (after !== null);
  // Bytes that no record names: of an upload, or a removal, that was cut before its record was written.
  for await (const digest of files.listPart(Math.trunc(by.now / HOUR_MS) % FILE_PARTS)) {
    signal.throwIfAborted();
    if ((await store.files.readFile(digest)) === null) counts.bytes += await files.remove(digest, since);
  }
}

const dueOf = ({ olderThanSeconds }: Prune, now: number): DueAsked => ({
  now,
  keepSeconds: DEFAULTS.retentionSeconds,
  olderThanSeconds,
});

const unusedSince = ({ olderThanSeconds }: Prune, now: number): number =>
  now -
  Math.max(
    LEAST_UNUSED_MS,
    Math.min(UNUSED_MS, olderThanSeconds === null ? UNUSED_MS : olderThanSeconds * 1000),
  );
