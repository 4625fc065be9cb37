import { allOf, readAll } from '@writ/client';
import type { JobView, TaskView } from '@writ/contract';
import type { Call } from '../command-spec.ts';
import { EXIT } from '../exit-codes.ts';
import { explainBecause } from '../explain/explain-error.ts';
import { textOption } from '../read/read-options.ts';
import { noTask } from '../read/read-tasks.ts';
import { resolveJob } from '../read/resolve-job.ts';
import { openSession, type Session } from '../session/open-session.ts';
import { printable, shellWords } from '../show/printable.ts';
import { secondsText } from '../show/quantities.ts';

/** Nothing in it is verified: it is what the server says now. */
export async function status(call: Call): Promise<number> {
  await using session = await openSession(call.surroundings, {
    context: textOption(call.options, 'context'),
  });
  const [job, tasks] = call.args;
  if (job === undefined) await showCluster(call, session);
  else await showJob(call, session, job, tasks);
  return EXIT.ok;
}

async function showCluster({ output }: Call, { client, context }: Session): Promise<void> {
  const cluster = await client.readCluster();
  const agents = await readAll((asked) => client.listAgents(asked));
  const { items: jobs } = await client.listJobs({ limit: 10 });
  const connected = agents.filter(({ isConnected }) => isConnected).length;
  const value = {
    context: context.name,
    cluster: cluster.cluster,
    server: cluster.server,
    writ: cluster.writ,
    peopleAddresses: cluster.peopleAddresses,
    agentAddresses: cluster.agentAddresses,
    agents: agents.length,
    agentsConnected: connected,
    jobs,
  };
  const facts: [string, string][] = [
    ['context', context.name],
    ['cluster', cluster.cluster ?? 'none'],
    ['server', `${cluster.server} (writ ${cluster.writ})`],
    ['people', cluster.peopleAddresses.join(', ')],
    ['agents', `${connected} of ${agents.length} connected`],
    [
      'jobs',
      jobs.length === 0
        ? 'none yet'
        : `${jobs.filter(({ ended }) => ended === null).length} of the last ${jobs.length} not ended`,
    ],
  ];
  output.answer({
    value,
    ids: cluster.cluster === null ? [] : [cluster.cluster],
    head: ['what', 'is'],
    rows: facts,
    text: facts.map(([name, is]) => `${name.padEnd(8)} ${printable(is)}`).join('\n'),
  });
}

async function showJob(
  call: Call,
  session: Session,
  named: string,
  words: string | undefined,
): Promise<void> {
  const { output } = call;
  const { job: id, tasks: wanted } = await resolveJob(session, named, words);
  const job = await session.client.readJob(id);
  const tasks: TaskView[] = [];
  const most = wanted === null ? 50 : wanted.length;
  for await (const task of allOf((asked) => session.client.listTasks(id, asked))) {
    if (wanted === null || wanted.includes(task.index)) tasks.push(task);
    if (tasks.length >= most) break;
  }
  const missing = wanted?.find((index) => !tasks.some((task) => task.index === index));
  if (missing !== undefined) throw noTask(id, missing, job.firstIndex, job.firstIndex + job.tasks - 1);
  output.answer({
    value: { job, tasks },
    ids: tasks.map(({ index }) => `${id}.${index}`),
    head: ['task', 'state', 'because', 'attempt', 'agent', 'exit', 'time'],
    rows: tasks.map((task) => [
      String(task.index),
      task.state,
      task.because ?? '',
      String(task.attempt),
      task.agent ?? '',
      exitText(task),
      task.started === null || task.ended === null
        ? ''
        : secondsText(Date.parse(task.ended) - Date.parse(task.started)),
    ]),
    ...(job.tasks === 1 ? { text: jobText(job, tasks[0]) } : {}),
  });
  if (job.tasks > 1 && wanted === null && job.tasks > tasks.length)
    output.note(
      `the first ${tasks.length} of ${job.tasks} tasks; others: writ status ${id.slice(0, 8)} 100-150`,
    );
}

function jobText(job: JobView, task: TaskView | undefined): string {
  const facts: [string, string][] = [
    ['job', job.id],
    ['command', shellWords(job.command)],
    ['state', [job.state, job.waitsFor && `waits: ${job.waitsFor}`].filter(Boolean).join(', ')],
    ['by', job.submittedBy],
    ['queue', job.queue],
    ['submitted', job.submitted],
  ];
  if (task?.agent != null) facts.push(['agent', `${task.agent} (attempt ${task.attempt})`]);
  if (task !== undefined && exitText(task) !== '') facts.push(['exit', exitText(task)]);
  if (job.ended !== null) facts.push(['ended', job.ended]);
  if (job.because !== null) {
    const { what, why, next } = explainBecause(job.because as Parameters<typeof explainBecause>[0]);
    facts.push(['because', `${job.because}: ${what} ${why}`], ['next', next]);
  }
  return facts.map(([name, is]) => `${name.padEnd(9)} ${printable(is)}`).join('\n');
}

function exitText({ exit }: TaskView): string {
  if (exit === null) return '';
  return 'code' in exit ? String(exit.code) : exit.signal;
}
