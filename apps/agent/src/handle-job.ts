import type { Envelope, InputFile, LeasedTask } from '@writ/contract';
import { refuse, setRef, TrustError } from '@writ/trust';
import type { StartRecord } from '@writ/trust';
import { AgentError } from './agent-error.ts';
import { IsolateError } from './isolate/isolation.ts';
import type { SlotEnd, SlotRun, SlotStarted } from './isolate/isolation.ts';
import { plainTask, taskKey } from './lease-book.ts';
import type { LeasedJob } from './leased-job.ts';
import type { HeldTask, LeaseBook } from './lease-book.ts';
import { reasonOf } from './log.ts';
import type { Log } from './log.ts';
import { orderKeyOf } from './order-key.ts';
import type { Replay } from './replay/open-replay.ts';
import type { Reporting } from './report-job.ts';
import { slotRunOf } from './slot-run.ts';
import { asRefusal, verifyAtStart, verifyOrder, verifyTask } from './verify-job.ts';
import type { Judge, Lease, Refusal, VerifiedOrder } from './verify-job.ts';

/*
 * The story of a job on this machine. `handleLease`: a lease comes, its order is verified, its inputs are brought, its
 * starts are recorded, its tasks wait for a slot. `handleJob`: a slot is free, the task is isolated and runs, and how it
 * ended is reported. Nothing of an order is used before it has been verified, and nothing starts that is not recorded.
 */

/** What the story needs; each part is made and closed by compose. */
export interface Desk {
  readonly leases: LeaseBook;
  readonly replay: Replay;
  readonly report: Reporting;
  readonly log: Log;
  judge(): Judge;
  monotonic(): number;
  orderOf(digest: string): Envelope | undefined;
  verifiedOf(digest: string): VerifiedOrder | undefined;
  keepVerified(verified: VerifiedOrder): void;
  /** Fetches the signer sets that an order names and this machine does not hold yet. */
  catchUp(envelope: Envelope | undefined): Promise<void>;
  bringInputs(verified: VerifiedOrder): Promise<readonly InputFile[]>;
  queue(job: LeasedJob): void;
  /** Attempts that have left the queue and have not been reported yet, by task. */
  readonly inHand: Map<string, Promise<void>>;
  /** It has not started and cannot: no attempt is used up. */
  giveBack(job: LeasedJob): Promise<void>;
  /** Its lease is over: what runs under it is killed. */
  stopLost(task: HeldTask): void;
  /** Undefined: `mayStart` said no. */
  isolate(run: SlotRun, mayStart: () => boolean): Promise<SlotStarted | undefined>;
  /** It runs; it has ended. */
  onRunning(job: LeasedJob): void;
  onEnded(job: LeasedJob, end: SlotEnd): void;
}

/** Lease → verify → queue. `since`: when it began, by the monotonic clock here. */
export async function handleLease(lease: Lease, since: number, desk: Desk): Promise<void> {
  const tasks = takeTasks(lease, since, desk);
  const envelope = desk.orderOf(lease.order);
  const later = tasks.filter((task) => desk.inHand.has(taskKey(task)));
  const atOnce = later.length === 0 ? tasks : tasks.filter((task) => !later.includes(task));
  await Promise.all([
    verifyAndQueue(lease, envelope, atOnce, desk),
    ...later.map((task) => handleAfterEarlier(lease, envelope, task, desk)),
  ]);
}

/** A task that is held already is not taken twice; an older token than the one held is refused. */
function takeTasks(lease: Lease, since: number, desk: Desk): HeldTask[] {
  const taken: HeldTask[] = [];
  for (const { index, attempt, token } of lease.tasks) {
    const task: LeasedTask = { job: lease.job, index, attempt, token };
    const before = desk.leases.find(task);
    const answer = desk.leases.take(task, lease, since);
    if (answer === 'stale') {
      const detail = `the lease has token ${token.epoch}.${token.n}, a newer one is held`;
      desk.report.refused({ ...plainTask(task), order: lease.order }, null, { code: 'lease.stale', detail });
    } else if (answer !== 'held') {
      if (before) desk.stopLost(before);
      taken.push(answer);
    }
  }
  return taken;
}

/** An earlier attempt is not started beside: once it is dead and reported, this one is judged, and its success may stand for it. */
async function handleAfterEarlier(
  lease: Lease,
  envelope: Envelope | undefined,
  task: HeldTask,
  desk: Desk,
): Promise<void> {
  await desk.inHand.get(taskKey(task));
  if (task.isMine) await verifyAndQueue(lease, envelope, [task], desk);
}

async function verifyAndQueue(
  lease: Lease,
  envelope: Envelope | undefined,
  tasks: readonly HeldTask[],
  desk: Desk,
): Promise<void> {
  if (tasks.length === 0) return;
  try {
    await desk.catchUp(envelope);
    const verified = verifyLease(lease, envelope, tasks, desk);
    if (!verified || !envelope) return;
    const ready = await prepare(verified, tasks, desk);
    queueAll(ready, verified, envelope, desk);
  } catch (error) {
    // What failed here is no fault of the order: the leases end, and others take the tasks.
    for (const task of tasks) desk.leases.drop(task);
    throw error;
  }
}

/** Checks 1 to 9, once for all of its tasks. Undefined: each of them has been refused. */
function verifyLease(
  lease: Lease,
  envelope: Envelope | undefined,
  tasks: readonly HeldTask[],
  desk: Desk,
): VerifiedOrder | undefined {
  try {
    const verified = verifyOrder(lease, envelope, desk.judge(), desk.verifiedOf(lease.order));
    desk.keepVerified(verified);
    return verified;
  } catch (error) {
    const refusal = asRefusal(error);
    for (const task of tasks) refuseTask(task, null, refusal, desk);
    return undefined;
  }
}

interface Ready {
  readonly task: HeldTask;
  readonly inputs: readonly InputFile[];
}

/** Checks 10 to 13 for each task: what may start is recorded durably, in one record, before the first start. */
async function prepare(verified: VerifiedOrder, tasks: readonly HeldTask[], desk: Desk): Promise<Ready[]> {
  const startable = tasks.filter((task) => {
    try {
      const answer = verifyTask(verified, task, desk.judge(), rememberedOf(task, verified, desk));
      if (answer === 'adopt') void adopt(task, verified, desk);
      return answer === 'start';
    } catch (error) {
      refuseTask(task, verified, asRefusal(error), desk);
      return false;
    }
  });
  if (startable.length === 0) return [];
  try {
    const inputs = await bringInputs(verified, desk);
    const mine = startable.filter((task) => task.isMine);
    if (mine.length > 0) await recordStarts(verified, mine, desk);
    return mine.filter((task) => task.isMine).map((task) => ({ task, inputs }));
  } catch (error) {
    const refusal = asRefusal(error);
    for (const task of startable) if (task.isMine) refuseTask(task, verified, refusal, desk);
    return [];
  }
}

/** What this machine remembers of a task, as the replay rules want it. */
function rememberedOf(task: HeldTask, verified: VerifiedOrder, desk: Desk): StartRecord | undefined {
  const { digest } = verified;
  const known = desk.replay.recall(orderKeyOf(verified), task.index);
  const isQueued = desk.leases.find(task) !== task;
  if (known.isOtherOrder) return { order: 'another', highestAttempt: known.highest, last: 'ended' };
  if (known.isRunning || isQueued) return { order: digest, highestAttempt: known.highest, last: 'running' };
  if (known.highest === 0) return undefined;
  return {
    order: digest,
    highestAttempt: known.highest,
    last: known.last === 'succeeded' ? 'succeeded' : 'ended',
  };
}

/** It succeeded here before: the receipt of that attempt stands for this one too, and nothing starts. */
async function adopt(task: HeldTask, verified: VerifiedOrder, desk: Desk): Promise<void> {
  try {
    const success = await desk.replay.findSuccess(orderKeyOf(verified), task.index);
    if (success) desk.report.adopted(task, verified, success);
    else
      desk.report.refused(task, verified, {
        code: 'replay.succeeded',
        detail: 'this task succeeded here before',
      });
  } catch (error) {
    // What it ended with cannot be read now: the lease ends, and it is asked for again.
    desk.log('task.failed_here', { task: taskKey(task), why: reasonOf(error) });
  }
  desk.leases.drop(task);
}

/** Check 12. Whatever keeps the bytes from being here, the order does not start without them. */
async function bringInputs(verified: VerifiedOrder, desk: Desk): Promise<readonly InputFile[]> {
  try {
    return await desk.bringInputs(verified);
  } catch (error) {
    if (error instanceof TrustError) throw error;
    throw refuse('input.unavailable', `the inputs could not be brought here: ${reasonOf(error)}`);
  }
}

/** Check 13. */
async function recordStarts(verified: VerifiedOrder, tasks: readonly HeldTask[], desk: Desk): Promise<void> {
  try {
    await desk.replay.reserve(orderKeyOf(verified), tasks);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    throw refuse('replay.not_durable', error.message);
  }
}

const NONE: ReadonlySet<string> = new Set();

function queueAll(ready: readonly Ready[], verified: VerifiedOrder, envelope: Envelope, desk: Desk): void {
  for (const { task, inputs } of ready)
    desk.queue({
      task,
      verified,
      envelope,
      inputs,
      set: undefined,
      running: undefined,
      startedAt: 0,
      stop: undefined,
      stopping: undefined,
      named: NONE,
    });
}

/** Isolate → run → report, once a slot is free. */
export async function handleJob(job: LeasedJob, slot: number, free: () => void, desk: Desk): Promise<void> {
  const key = taskKey(job.task);
  const over = Promise.withResolvers<void>();
  desk.inHand.set(key, over.promise);
  try {
    await runJob(job, slot, free, desk);
  } finally {
    desk.inHand.delete(key);
    over.resolve();
  }
}

async function runJob(job: LeasedJob, slot: number, free: () => void, desk: Desk): Promise<void> {
  const { task, verified } = job;
  let refusal: Refusal | undefined;
  let isLooking = false;
  let end: SlotEnd;
  try {
    // Asked when the files of its slot are free: what held before need not hold then.
    job.running = await desk.isolate(slotRunOf(job, slot), () => {
      if (!isStillMine(job, desk)) return false;
      isLooking = true;
      refusal = whyNotStart(job, desk);
      isLooking = false;
      return refusal === undefined;
    });
    if (!job.running) return refusal && refuseTask(task, verified, refusal, desk);
    job.startedAt = desk.monotonic();
    task.isRunning = true;
    // The lease may have ended while the launcher took it.
    if (!task.isMine) job.stop ??= 'lost';
    desk.onRunning(job);
    end = await job.running.ended;
  } catch (error) {
    // What failed in the last look is this program's own, not the launcher's.
    if (isLooking) throw error;
    task.isRunning = false;
    const isLost = error instanceof IsolateError && error.code === 'isolate.lost';
    if (isLost && !job.running) return desk.giveBack(job);
    // What the launcher had taken died with it, and nobody knows how far it had come.
    if (isLost) job.stop ??= 'lost';
    await desk.report.notRun(job, reasonOf(error));
    desk.leases.drop(task);
    return;
  }
  desk.onEnded(job, end);
  free();
  try {
    await desk.report.ended(job, end);
  } finally {
    task.isRunning = false;
    desk.leases.drop(task);
  }
}

/** It may have waited for long: a slot may be held while a link is away. */
function isStillMine({ task }: LeasedJob, desk: Desk): boolean {
  if (task.isMine && task.endsAt > desk.monotonic()) return true;
  desk.leases.drop(task);
  return false;
}

/** The last look before the start. Undefined: it starts now, and is marked as started. */
function whyNotStart(job: LeasedJob, desk: Desk): Refusal | undefined {
  const { task, verified, envelope } = job;
  try {
    const judge = desk.judge();
    verifyAtStart(verified, envelope, task.index, judge);
    job.set = setRef(judge.sets.newest);
    desk.replay.markStarted(orderKeyOf(verified), task);
    return undefined;
  } catch (error) {
    if (error instanceof AgentError)
      return { code: 'replay.not_durable', detail: error.message.slice(0, 1000) };
    return asRefusal(error);
  }
}

function refuseTask(task: HeldTask, verified: VerifiedOrder | null, refusal: Refusal, desk: Desk): void {
  desk.log('task.refused', {
    task: `${task.job}.${task.index}`,
    attempt: task.attempt,
    code: refusal.code,
    why: refusal.detail,
  });
  desk.report.refused(task, verified, refusal);
  desk.leases.drop(task);
}
