import type { Clock } from './clock.ts';
import { everyHour } from './every-hour.ts';
import type { Log } from './log.ts';
import type { PruneNow } from './prune-now.ts';

export interface TidyParts {
  readonly clock: Clock;
  readonly log: Log;
  /** @returns how many there were that nobody went on with. */
  readonly removeUploads: () => Promise<number>;
  readonly prune: PruneNow;
  /** What is under way when it aborts has not failed. */
  readonly signal: AbortSignal;
}

/** Uploads go at the start and each hour; what was kept long enough an hour from now and then each hour. */
export async function tidyHourly(parts: TidyParts): Promise<{ close(): Promise<void> }> {
  const { clock, log, signal } = parts;
  const tidyUploads = async (): Promise<void> => {
    const removed = await parts.removeUploads();
    if (removed > 0) log('note', 'uploads.removed', { removed });
  };
  const tidyRecords = async (): Promise<void> => {
    const by = { actor: 'server', source: 'retention', now: clock.now() };
    const { isDryRun: _, ...removed } = await parts.prune({ isDryRun: false, olderThanSeconds: null }, by);
    if (removed.jobs + removed.files > 0) log('note', 'retention.removed', removed);
  };
  await tidyUploads();
  return everyHour(clock, async () => {
    await tidyUploads().catch((error: unknown) => log('error', 'uploads.not_removed', { error }));
    await tidyRecords().catch((error: unknown) => {
      if (!signal.aborted) log('error', 'retention.failed', { error });
    });
  });
}
