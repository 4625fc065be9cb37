import type { Credits } from './give-credits.ts';
import type { Isolation, SlotEnd } from './isolate/isolation.ts';
import type { JobApi } from './job-api/open-job-api.ts';
import { whyNotOutput } from './judge-output.ts';
import type { LeasedJob } from './leased-job.ts';
import type { LiveJobs } from './live-job.ts';
import type { OrderPace } from './order-pace.ts';

/** What begins and ends with a run: it is spoken with, told of, and counted. */
export interface Attending {
  onRunning(job: LeasedJob): void;
  onEnded(job: LeasedJob, end: SlotEnd): void;
}

export function attendRuns(parts: {
  readonly live: LiveJobs;
  readonly jobApi: JobApi;
  readonly pace: OrderPace;
  readonly credits: Credits;
  readonly isWithdrawn: (job: LeasedJob) => boolean;
  readonly cancel: Isolation['cancel'];
}): Attending {
  const { live, jobApi, pace, credits } = parts;
  return {
    onRunning(job) {
      live.add(job);
      // It may have been withdrawn while the launcher took it.
      if (parts.isWithdrawn(job)) job.stop ??= 'cancelled';
      if (!job.running) return;
      jobApi.begin(job.running, {
        onProgress: (said) => live.tell(job, said),
        whyNotOutput: (path) => whyNotOutput(job, path),
      });
      if (job.stop) parts.cancel(job.running, 'kill');
    },
    onEnded(job, end) {
      credits.pace(pace.ended(job.task.order, end.endedMs - end.startedMs));
      live.remove(job);
      if (!job.running) return;
      const { named, quiet } = jobApi.end(job.running);
      job.named = named;
      job.running.holdBack(quiet);
    },
  };
}
