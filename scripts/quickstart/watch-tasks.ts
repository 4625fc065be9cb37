import { setTimeout as sleep } from 'node:timers/promises';
import { followJob, type Client } from '@writ/client';
import type { TaskView } from '@writ/contract';
import type { AgentProgress, Display } from './show-progress.ts';

const BETWEEN_MS = 250;

/**
 * Shows what each agent does until the job has ended. All of it is the server's word: what counts is verified afterwards.
 */
export async function watchTasks(
  client: Client,
  wish: { readonly job: string; readonly tasks: number; readonly agents: readonly string[] },
  display: Display,
  signal: AbortSignal,
): Promise<void> {
  const tasks = new Map<number, TaskView>();
  const show = (): void => display.show(progressOf(tasks, wish.agents), wish.tasks);
  const timer = setInterval(show, BETWEEN_MS);
  try {
    const wait = (milliseconds: number): Promise<void> => sleep(milliseconds, undefined, { signal });
    for await (const { event } of followJob(client, wish.job, { signal, wait })) {
      if (event.is !== 'task') continue;
      const before = tasks.get(event.task.index);
      tasks.set(event.task.index, event.task);
      if (event.task.ended !== null && before?.ended === null) show();
    }
    signal.throwIfAborted();
  } finally {
    clearInterval(timer);
  }
  show();
}

function progressOf(tasks: ReadonlyMap<number, TaskView>, agents: readonly string[]): AgentProgress[] {
  const all = [...tasks.values()];
  return agents.map((name) => {
    const own = all.filter((task) => task.agent === name);
    const now = own.find(
      (task) => task.state === 'running' || (task.state === 'leased' && task.progress !== null),
    );
    return {
      name,
      done: own.filter((task) => task.state === 'succeeded').length,
      strip: now && { index: now.index, thousandths: now.progress?.thousandths ?? 0 },
    };
  });
}
