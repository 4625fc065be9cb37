import { sql } from 'kysely';
import { JobChanges } from '../jobs/change-jobs.ts';
import { restSize } from '../jobs/job-record.ts';
import { countOpen } from '../queues/count-open.ts';
import type { Claim, ClaimAsked, ClaimedJob } from './leases.ts';
import { StoreError } from '../store-error.ts';
import type { JobTable, TaskTable } from '../tables.ts';
import type { Write } from '../write.ts';

const MAX_TASKS = 2000;
/** Arrays are usual: a few jobs of each class mostly suffice. */
const FIRST_LOOK = 16;

/** Leases the oldest work of the highest priority: of a job first what came back, then what was never leased. */
export async function claimTasks(write: Write, asked: ClaimAsked): Promise<Claim> {
  const max = Math.min(asked.max, MAX_TASKS);
  if (max <= 0 || asked.classes.length === 0) return NOTHING;
  await ripen(write, asked.by.now);
  const room = await readRoom(write, asked);
  const free = [...(asked.capacity?.free ?? [])];
  const limited = new Set(asked.classes.filter((id) => room.get(id) === 0));
  const more = new Set(asked.classes.filter((id) => !limited.has(id) && fits(free, asked, id) === 0));
  const classes = asked.classes.filter((id) => !limited.has(id) && !more.has(id));
  const changes = new JobChanges(write, asked.by);
  const { jobs, behind } = await findJobs(write, changes, { ...asked, classes }, max);
  if (jobs.length === 0) return { jobs: [], limited: [...limited], more: [...more] };

  for (const id of behind) more.add(id);
  const cameBack = await loadCameBack(write, changes, jobs, max);
  const epoch = await readEpoch(write);
  const until = asked.by.now + Math.round(asked.leaseSeconds * 1000);
  const claimed: ClaimedJob[] = [];
  let left = max;
  for (const job of jobs) {
    if (left === 0) break;
    const most = Math.min(left, room.get(job.class) ?? left, fits(free, asked, job.class));
    const tasks = (cameBack.get(job.seq) ?? []).slice(0, most);
    if (tasks.length < most) tasks.push(...(await takeRest(write, changes, job, most - tasks.length)));
    for (const task of tasks) lease(changes, job, task, { identity: asked.identity, epoch, until });
    left -= tasks.length;
    takeRoom(room, asked, job.class, tasks.length);
    for (const [at, amount] of needsOf(asked, job.class).entries())
      free[at] = (free[at] ?? 0) - amount * tasks.length;
    if (room.get(job.class) === 0) limited.add(job.class);
    if (job.n_waiting > 0) more.add(job.class);
    if (tasks.length > 0) claimed.push(claimedJob(job, tasks));
  }
  await changes.save();
  return { jobs: claimed, limited: [...limited], more: [...more].filter((id) => !limited.has(id)) };
}

const NOTHING: Claim = { jobs: [], limited: [], more: [] };

/** How many more tasks may be leased, by class, where a queue has a limit. */
async function readRoom(write: Write, { limits = [] }: ClaimAsked): Promise<Map<number, number>> {
  const room = new Map<number, number>();
  for (const { queue, classes, most } of limits) {
    const left = Math.max(0, most - (await countOpen(write.db, write.words, queue)));
    for (const id of classes) room.set(id, left);
  }
  return room;
}

const needsOf = ({ capacity }: ClaimAsked, id: number): readonly number[] => capacity?.needs.get(id) ?? [];

/** How many tasks of this class fit into what is left. */
function fits(free: readonly number[], asked: ClaimAsked, id: number): number {
  const times = needsOf(asked, id).flatMap((amount, at) =>
    amount > 0 ? [Math.max(0, Math.floor((free[at] ?? 0) / amount))] : [],
  );
  return Math.min(Number.MAX_SAFE_INTEGER, ...times);
}

function takeRoom(
  room: Map<number, number>,
  { limits = [] }: ClaimAsked,
  taken: number,
  tasks: number,
): void {
  const limit = limits.find(({ classes }) => classes.includes(taken));
  for (const id of limit?.classes ?? []) room.set(id, (room.get(id) ?? 0) - tasks);
}

async function ripen(write: Write, now: number): Promise<void> {
  await sql`update job set is_ready = 1 where n_waiting > 0 and is_ready = 0 and is_held = 0 and not_before <= ${now}`.execute(
    write.db,
  );
}

/** What decides whose turn it is. */
type Turn = Pick<JobTable, 'seq' | 'class' | 'priority' | 'n_waiting'>;

/** As many jobs, oldest first, as have work for so many tasks; and the classes of jobs that come behind them. */
async function findJobs(
  write: Write,
  changes: JobChanges,
  asked: ClaimAsked,
  max: number,
): Promise<{ readonly jobs: JobTable[]; readonly behind: readonly number[] }> {
  const { turns, behind } = await findTurns(write, asked, max);
  let tasks = 0;
  const wanted = turns.filter((turn) => {
    const isWanted = tasks < max;
    tasks += turn.n_waiting;
    return isWanted;
  });
  await changes.loadJobs(wanted.map((turn) => turn.seq));
  return {
    jobs: wanted.map((turn) => changes.job(turn.seq)),
    behind: [...behind, ...turns.slice(wanted.length)].map((turn) => turn.class),
  };
}

async function findTurns(
  write: Write,
  asked: ClaimAsked,
  max: number,
): Promise<{ readonly turns: readonly Turn[]; readonly behind: readonly Turn[] }> {
  const first = await lookInClasses(write, asked, FIRST_LOOK);
  const isCut = first.some((jobs) => jobs.length === FIRST_LOOK);
  const merged = first.flat().sort(byTurn);
  if (!isCut || FIRST_LOOK >= max) return { turns: merged, behind: [] };
  // Behind the last job seen of a class there may be others that come first.
  const certain = first.filter((jobs) => jobs.length === FIRST_LOOK).map((jobs) => jobs[FIRST_LOOK - 1]);
  const surely = merged.filter((job) =>
    certain.every((last) => last !== undefined && byTurn(job, last) <= 0),
  );
  const tasks = surely.reduce((sum, job) => sum + job.n_waiting, 0);
  if (tasks >= max) return { turns: surely, behind: merged.slice(surely.length) };
  return { turns: (await lookInClasses(write, asked, max)).flat().sort(byTurn), behind: [] };
}

const byTurn = (a: Turn, b: Turn): number => b.priority - a.priority || a.seq - b.seq;

async function lookInClasses(write: Write, asked: ClaimAsked, least: number): Promise<Turn[][]> {
  const excluded = asked.excluded ?? [];
  const batch = write.words.batch(
    { id: 'text' },
    excluded.map((id) => [id]),
  );
  const others = excluded.length === 0 ? sql`` : sql`and id not in (select batch.id from ${batch})`;
  // A limit that is a parameter makes SQLite plan the statement anew each time; few texts are kept.
  const limit = sql.lit(2 ** Math.ceil(Math.log2(least)));
  const found: Turn[][] = [];
  for (const id of asked.classes) {
    const turns = await sql<Turn>`
      select seq, class, priority, n_waiting from job
      where class = ${id} and n_waiting > 0 and is_ready = 1 and not_after > ${asked.by.now} ${others}
      order by class, priority desc, seq limit ${limit} ${write.words.lockRows}`.execute(write.db);
    found.push(turns.rows);
  }
  return found;
}

async function loadCameBack(
  write: Write,
  changes: JobChanges,
  jobs: readonly JobTable[],
  max: number,
): Promise<Map<number, TaskTable[]>> {
  const found = new Map<number, TaskTable[]>();
  const having = jobs.filter((job) => job.n_waiting > (job.rest === 'waiting' ? restSize(job) : 0));
  if (having.length === 0) return found;
  const batch = write.words.batch(
    { job: 'integer', turn: 'integer' },
    having.map((job, turn) => [job.seq, turn]),
  );
  const rows = await sql<TaskTable>`
    select task.* from ${batch} cross join task ${write.words.indexed('task_came_back')}
    where task.job = batch.job and task.state = 'waiting'
    order by batch.turn, task.idx limit ${max} ${write.words.lockRows}`.execute(write.db);
  for (const row of rows.rows) {
    const tasks = found.get(row.job);
    if (tasks) tasks.push(changes.hold(row));
    else found.set(row.job, [changes.hold(row)]);
  }
  return found;
}

async function takeRest(write: Write, changes: JobChanges, job: JobTable, max: number): Promise<TaskTable[]> {
  if (job.rest !== 'waiting') return [];
  const end = job.first_index + job.size;
  const holes = job.holes === 0 ? undefined : await readHoles(write, job, max);
  const tasks: TaskTable[] = [];
  const from = job.next_index;
  while (tasks.length < max && job.next_index < end && (!holes || job.next_index < holes.upTo)) {
    if (holes?.indexes.has(job.next_index)) job.holes -= 1;
    else tasks.push(changes.takeFromRest(job, job.next_index));
    job.next_index += 1;
  }
  if (job.next_index !== from) changes.touch(job);
  return tasks;
}

/** Single tasks that were cancelled before the cursor came by. */
async function readHoles(
  write: Write,
  job: JobTable,
  max: number,
): Promise<{ indexes: Set<number>; upTo: number }> {
  const limit = max + job.holes;
  const upTo = job.next_index + limit;
  const rows = await sql<{ idx: number }>`
    select idx from task where job = ${job.seq} and idx >= ${job.next_index} and idx < ${upTo}`.execute(
    write.db,
  );
  return { indexes: new Set(rows.rows.map((row) => row.idx)), upTo };
}

async function readEpoch(write: Write): Promise<number> {
  const found = await sql<{ epoch: number }>`select epoch from cluster where id = 1`.execute(write.db);
  const epoch = found.rows[0]?.epoch;
  if (epoch === undefined)
    throw new StoreError('store.impossible', 'Nothing can be leased before the server has a cluster.');
  return epoch;
}

function lease(
  changes: JobChanges,
  job: JobTable,
  task: TaskTable,
  to: { identity: string; epoch: number; until: number },
): void {
  if (task.starts >= job.max_attempts)
    throw new StoreError('store.impossible', `Task ${job.id}.${task.idx} has no attempt left.`);
  task.attempt = task.starts + 1;
  task.token_epoch = to.epoch;
  task.token_n = job.next_token;
  job.next_token += 1;
  task.identity = to.identity;
  task.lease_until = to.until;
  task.exit = null;
  task.started = null;
  changes.move(task, 'leased', null, `to ${to.identity}`);
}

function claimedJob(job: JobTable, tasks: readonly TaskTable[]): ClaimedJob {
  return {
    job: job.id,
    class: job.class,
    priority: job.priority,
    order: job.digest,
    tasks: tasks.map((task) => ({
      index: task.idx,
      attempt: task.attempt,
      token: { epoch: task.token_epoch ?? 0, n: task.token_n ?? 0 },
    })),
  };
}
