import { hasEnded } from '@writ/contract';
import type { KeptLogs, LogName } from '../kept-logs.ts';
import type { PeopleParts } from './people-parts.ts';

/** Many tasks of a job may change at once; whether this one has ended can wait so long. */
const LOOK_MS = 50;

interface LogPlace {
  readonly store: {
    readonly jobs: Pick<PeopleParts['store']['jobs'], 'readTask'>;
    readonly onJobsChanged: PeopleParts['store']['onJobsChanged'];
  };
  readonly logs: Pick<KeptLogs, 'read' | 'onGrown'>;
  readonly clock: Pick<PeopleParts['clock'], 'after'>;
}

/** Goes on until the attempt has ended. The disk is the buffer: a slow reader holds nobody up. */
export async function* followLog(
  place: LogPlace,
  name: LogName,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const bell = openBell(place, name);
  signal.addEventListener('abort', bell.close, { once: true });
  let at = from;
  try {
    while (!signal.aborted) {
      // Whether it has ended is asked before the last look.
      const isOver = bell.takeChange() && (await hasAttemptEnded(place, name));
      for await (const chunk of place.logs.read(name, at)) {
        at += chunk.length;
        yield chunk;
      }
      if (isOver) return;
      await bell.rings();
    }
  } finally {
    bell.close();
  }
}

async function hasAttemptEnded({ store }: LogPlace, { job, index, attempt }: LogName): Promise<boolean> {
  const task = await store.jobs.readTask(job, index);
  return !task || hasEnded(task.state) || task.attempt > attempt;
}

/** Rings when there is more of the log, or its job has changed. */
function openBell({ store, logs, clock }: LogPlace, name: LogName) {
  let isRung = true;
  let isChanged = true;
  let wake = (): void => undefined;
  let stopLook: (() => void) | undefined;
  const ring = (): void => {
    isRung = true;
    wake();
  };
  const endGrowth = logs.onGrown(name, ring);
  const endChanges = store.onJobsChanged((jobs) => {
    if (!jobs.includes(name.job)) return;
    stopLook ??= clock.after(LOOK_MS, () => {
      stopLook = undefined;
      isChanged = true;
      ring();
    });
  });
  return {
    /** What rings after this is heard. */
    takeChange(): boolean {
      const was = isChanged;
      isRung = false;
      isChanged = false;
      return was;
    },
    rings: () =>
      new Promise<void>((resolve) => {
        wake = resolve;
        if (isRung) resolve();
      }),
    close() {
      endGrowth();
      endChanges();
      stopLook?.();
      ring();
    },
  };
}
