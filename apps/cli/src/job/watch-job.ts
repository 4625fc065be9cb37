import { followJob } from '@writ/client';
import type { JobView, TaskView } from '@writ/contract';
import type { Session } from '../session/open-session.ts';
import type { Output } from '../show/output.ts';
import type { Surroundings } from '../surroundings.ts';

export interface Watching {
  readonly signal: AbortSignal;
  readonly onJob?: (job: JobView) => void;
  readonly onTask?: (task: TaskView) => void;
}

/** Follows a job to its end. @returns what the server says of it then, undefined when the signal came first. */
export async function watchJob(
  session: Session,
  job: string,
  { signal, onJob, onTask }: Watching,
  surroundings: Surroundings,
  output: Output,
): Promise<JobView | undefined> {
  const onConnection = (is: 'lost' | 'back'): void =>
    output.note(
      output.paint('dim', is === 'lost' ? 'connection to the server lost; trying again' : 'connected again'),
    );
  for await (const { event } of followJob(session.client, job, {
    signal,
    wait: surroundings.wait,
    onConnection,
  })) {
    if (event.is === 'task') {
      onTask?.(event.task);
    } else if (event.is === 'job') {
      onJob?.(event.job);
      if (event.job.ended !== null) return event.job;
    }
  }
  return undefined;
}
