import { check, Id } from '@writ/contract';
import { CliError } from '../cli-error.ts';
import type { Session } from '../session/open-session.ts';
import { readTasks } from './read-tasks.ts';

export interface NamedJob {
  readonly job: string;
  /** Null: all of them. */
  readonly tasks: number[] | null;
}

const idCheck = check(Id);
const isId = (text: string): boolean => idCheck.is(text);

/** `last` (also when nothing is named), a whole id, or its beginning; `<job>.3` and a second word name tasks. */
export async function resolveJob(
  session: Session,
  named: string | undefined,
  tasks: string | undefined,
): Promise<NamedJob> {
  const [name = 'last', behind, ...more] = (named ?? 'last').split('.');
  if (more.length > 0 || (behind !== undefined && tasks !== undefined)) {
    throw new CliError(
      'usage.argument',
      `“${named}” names no job.`,
      'Write an id or its beginning, or last; tasks as a second word.',
    );
  }
  const text = behind ?? tasks;
  return { job: await resolveId(session, name), tasks: text === undefined ? null : readTasks(text) };
}

async function resolveId({ client, people, context }: Session, name: string): Promise<string> {
  if (name === 'last') {
    const last = await people.readLast(context.cluster);
    if (last === undefined)
      throw new CliError('selector.none', 'No job was submitted from here yet.', 'writ run -- uname -a');
    return last;
  }
  if (isId(name)) return name;
  if (!/^[a-z2-7]{1,26}$/.test(name)) {
    throw new CliError('selector.none', `“${name}” is not the beginning of a job id.`, 'See: writ job list');
  }
  const { items } = await client.listJobs({ id: name, limit: 2 });
  const fitting = items.filter(({ id }) => id.startsWith(name));
  const [first, second] = fitting;
  if (first === undefined)
    throw new CliError('selector.none', `No job's id begins with ${name}.`, 'See: writ job list');
  if (second !== undefined)
    throw new CliError(
      'selector.several',
      `Several jobs' ids begin with ${name}.`,
      'Write more letters of the id.',
    );
  return first.id;
}
