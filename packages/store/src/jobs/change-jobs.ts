import { sql } from 'kysely';
import {
  afterAttempt,
  hasEnded,
  jobState,
  mayBecome,
  TASK_STATES,
  type AttemptEnd,
  type TaskState,
} from '@writ/contract';
import type { By } from '../by.ts';
import type { ColumnKind, RowShape } from '../sql-words.ts';
import { StoreError } from '../store-error.ts';
import type { JobTable, LostAttemptTable, TaskTable } from '../tables.ts';
import type { Write } from '../write.ts';
import { countsOf, restSize } from './job-record.ts';
import { changeNumber } from './take-number.ts';

/**
 * The jobs and tasks that one operation changes. Every change of state goes through `move`, which keeps the counters
 * and tells the audit trail; `save` writes them in a few statements, however many they are.
 */
export class JobChanges {
  readonly #write: Write;
  readonly #by: By;
  readonly #changed = new Set<JobTable | TaskTable>();
  readonly #lost: LostAttemptTable[] = [];
  /** Tasks that have no row yet. */
  readonly #fresh = new Set<TaskTable>();

  constructor(write: Write, by: By) {
    this.#write = write;
    this.#by = by;
  }

  async loadJobs(seqs: Iterable<number>): Promise<void> {
    const missing = [...new Set(seqs)].filter((seq) => !this.#write.jobs.has(seq));
    if (missing.length === 0) return;
    const batch = this.#write.words.batch(
      { seq: 'integer' },
      missing.map((seq) => [seq]),
    );
    const found = await sql<JobTable>`
      select job.* from ${batch} cross join job where job.seq = batch.seq ${this.#write.words.lockRows}`.execute(
      this.#write.db,
    );
    for (const row of found.rows) this.holdJob(row);
  }

  /** Those of the named jobs that there are, by id. */
  async loadJobsById(ids: Iterable<string>): Promise<ReadonlyMap<string, JobTable>> {
    const held = new Map([...this.#write.jobs.values()].map((job) => [job.id, job]));
    const missing = [...new Set(ids)].filter((id) => !held.has(id));
    if (missing.length === 0) return held;
    const batch = this.#write.words.batch(
      { id: 'text' },
      missing.map((id) => [id]),
    );
    const found = await sql<JobTable>`
      select job.* from ${batch} cross join job where job.id = batch.id ${this.#write.words.lockRows}`.execute(
      this.#write.db,
    );
    for (const row of found.rows) held.set(row.id, this.holdJob(row));
    return held;
  }

  async loadTasks(keys: readonly { readonly job: number; readonly idx: number }[]): Promise<void> {
    const missing = keys.filter(({ job, idx }) => !this.task(job, idx));
    if (missing.length === 0) return;
    const batch = this.#write.words.batch(
      { job: 'integer', idx: 'integer' },
      missing.map(({ job, idx }) => [job, idx]),
    );
    const found = await sql<TaskTable>`
      select task.* from ${batch} cross join task
      where task.job = batch.job and task.idx = batch.idx ${this.#write.words.lockRows}`.execute(
      this.#write.db,
    );
    for (const row of found.rows) this.hold(row);
  }

  job(seq: number): JobTable {
    const job = this.#write.jobs.get(seq);
    if (!job) throw new StoreError('store.impossible', `Job ${seq} was not loaded.`);
    return job;
  }

  task(job: number, idx: number): TaskTable | undefined {
    return this.#write.tasks.get(`${job}.${idx}`);
  }

  holdJob(row: JobTable): JobTable {
    const held = this.#write.jobs.get(row.seq);
    if (held) return held;
    this.#write.jobs.set(row.seq, row);
    return row;
  }

  /** Takes a row that the caller has read. */
  hold(row: TaskTable): TaskTable {
    const key = `${row.job}.${row.idx}`;
    const held = this.#write.tasks.get(key);
    if (held) return held;
    this.#write.tasks.set(key, row);
    return row;
  }

  /** Gives a task of the rest its row. */
  takeFromRest(job: JobTable, idx: number): TaskTable {
    if (idx < job.next_index)
      throw new StoreError('store.impossible', `Task ${job.id}.${idx} has a row already.`);
    const task = this.hold({
      job: job.seq,
      idx,
      state: job.rest,
      because: job.rest_because,
      attempt: 0,
      starts: 0,
      token_epoch: null,
      token_n: null,
      identity: null,
      lease_until: null,
      cancel_how: null,
      exit: null,
      started: null,
      ended: null,
      receipt: null,
      change: 0,
    });
    this.#fresh.add(task);
    return task;
  }

  move(task: TaskTable, to: TaskState, because: string | null, words = ''): void {
    const job = this.job(task.job);
    this.#count(job, task.state, to, 1);
    task.state = to;
    task.because = because;
    task.ended = hasEnded(to) ? this.#by.now : null;
    this.#changed.add(task).add(job);
    this.#write.audit.addTasks(this.#by, `task.${to}`, job.id, words, task.idx);
  }

  /** Moves all tasks without a row. */
  moveRest(job: JobTable, to: TaskState, because: string | null): number {
    const size = restSize(job);
    if (size === 0) return 0;
    this.#count(job, job.rest, to, size);
    job.rest = to;
    job.rest_because = because;
    this.#changed.add(job);
    this.#write.audit.addTasks(
      this.#by,
      `task.${to}`,
      job.id,
      '',
      job.next_index,
      job.first_index + job.size - 1,
      size,
    );
    return size;
  }

  /** The lease of a task is over, and the task becomes what the rules say. */
  endAttempt(task: TaskTable, end: AttemptEnd): TaskState {
    const job = this.job(task.job);
    const rule = {
      maxAttempts: job.max_attempts,
      retryOnFailure: job.retry_on_failure === 1,
      isOnce: job.is_once === 1,
    };
    const next = afterAttempt(end, task.attempt, rule);
    // Whoever was asked to stop is not started again (I6).
    const to = next === 'waiting' && task.cancel_how !== null ? 'cancelled' : next;
    task.starts = end.outcome === 'returned' ? task.attempt - 1 : task.attempt;
    task.lease_until = null;
    this.move(
      task,
      to,
      to === 'waiting' ? null : to === 'cancelled' ? 'cancelled' : end.because,
      `from ${task.identity ?? ''}`,
    );
    return to;
  }

  /** For attempts that leave no accepted receipt. */
  noteLost(task: TaskTable, end: AttemptEnd): void {
    this.#lost.push({
      job: task.job,
      token_epoch: task.token_epoch ?? 0,
      token_n: task.token_n ?? 0,
      idx: task.idx,
      attempt: task.attempt,
      identity: task.identity ?? '',
      outcome: end.outcome,
      because: end.because,
      ended: this.#by.now,
    });
  }

  /** For changes that are none of state. */
  touch(row: JobTable | TaskTable): void {
    this.#changed.add(row);
    if ('idx' in row) this.#changed.add(this.job(row.job));
  }

  async save(): Promise<void> {
    if (this.#changed.size === 0) return;
    const change = await changeNumber(this.#write);
    const jobs: JobTable[] = [];
    const tasks: TaskTable[] = [];
    for (const row of this.#changed) {
      row.change = change;
      if ('idx' in row) tasks.push(row);
      else jobs.push(row);
    }
    for (const job of jobs) {
      job.state = jobState(countsOf(job));
      job.ended = hasEnded(job.state) ? (job.ended ?? this.#by.now) : null;
      this.#write.changedJobs.add(job.id);
    }
    await this.#saveJobs(jobs);
    if (tasks.length > 0) await this.#saveTasks(tasks);
    if (this.#lost.length > 0) await this.#saveLost();
    this.#changed.clear();
    this.#fresh.clear();
    this.#lost.length = 0;
  }

  #count(job: JobTable, from: TaskState, to: TaskState, count: number): void {
    if (!mayBecome(from, to))
      throw new StoreError('store.impossible', `A task of ${job.id} cannot become ${to} when it is ${from}.`);
    job[`n_${from}`] -= count;
    job[`n_${to}`] += count;
  }

  async #saveJobs(jobs: readonly JobTable[]): Promise<void> {
    await this.#write.words.updateRows(
      this.#write.db,
      JOB_CHANGES,
      jobs.map((job) => JOB_COLUMNS.map((column) => job[column])),
    );
  }

  async #saveTasks(tasks: readonly TaskTable[]): Promise<void> {
    const { db, words } = this.#write;
    const rowsOf = (some: readonly TaskTable[]) =>
      some.map((task) => TASK_COLUMNS.map((column) => task[column]));
    const fresh = tasks.filter((task) => this.#fresh.has(task));
    await words.insertRows(db, TASK_CHANGES, rowsOf(fresh));
    await words.updateRows(db, TASK_CHANGES, rowsOf(tasks.filter((task) => !this.#fresh.has(task))));
  }

  async #saveLost(): Promise<void> {
    const columns = Object.keys(LOST_ATTEMPT.columns) as (keyof LostAttemptTable)[];
    await this.#write.words.insertRows(
      this.#write.db,
      LOST_ATTEMPT,
      this.#lost.map((row) => columns.map((column) => row[column])),
    );
  }
}

const JOB_KINDS = {
  seq: 'integer',
  next_index: 'integer',
  holes: 'integer',
  rest: 'text',
  rest_because: 'text',
  started: 'integer',
  ended: 'integer',
  state: 'text',
  next_token: 'integer',
  change: 'integer',
  ...(Object.fromEntries(TASK_STATES.map((state) => [`n_${state}`, 'integer'])) as Record<
    `n_${TaskState}`,
    'integer'
  >),
} as const satisfies Partial<Record<keyof JobTable, ColumnKind>>;
const JOB_COLUMNS = Object.keys(JOB_KINDS) as (keyof typeof JOB_KINDS)[];
const JOB_CHANGES: RowShape = { table: 'job', columns: JOB_KINDS, key: ['seq'] };

const TASK_KINDS = {
  job: 'integer',
  idx: 'integer',
  state: 'text',
  because: 'text',
  attempt: 'integer',
  starts: 'integer',
  token_epoch: 'integer',
  token_n: 'integer',
  identity: 'text',
  lease_until: 'integer',
  cancel_how: 'text',
  exit: 'text',
  started: 'integer',
  ended: 'integer',
  receipt: 'text',
  change: 'integer',
} as const satisfies Record<keyof TaskTable, ColumnKind>;
const TASK_COLUMNS = Object.keys(TASK_KINDS) as (keyof typeof TASK_KINDS)[];
const TASK_CHANGES: RowShape = { table: 'task', columns: TASK_KINDS, key: ['job', 'idx'] };

const LOST_ATTEMPT: RowShape = {
  table: 'lost_attempt',
  columns: {
    job: 'integer',
    idx: 'integer',
    token_epoch: 'integer',
    token_n: 'integer',
    attempt: 'integer',
    identity: 'text',
    outcome: 'text',
    because: 'text',
    ended: 'integer',
  } satisfies Record<keyof LostAttemptTable, ColumnKind>,
  key: ['job', 'idx', 'token_epoch', 'token_n'],
};
