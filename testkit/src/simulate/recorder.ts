import { createHash, createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Envelope, FromAgent, FromServer, Order, ReceiptPredicate } from '@writ/contract';
import type { SlotRun } from '../../../apps/agent/src/isolate/isolation.ts';
import type { AuditEntry, Entry, Journal, ReceiptEntry, TaskEntry } from './journal.ts';
import type { Execution } from './simulated-launcher.ts';
import type { Direction } from './wire.ts';

/** An order as its submitter signed it, and what its submitter was told. */
export interface Submission {
  readonly order: Order;
  readonly digest: string;
  readonly key: string;
  isAcknowledged: boolean;
  isRefused: boolean;
  /** When the cancel of the whole job was acknowledged; null: never. */
  cancelledAt: number | null;
}

/** What the recorder knows of a machine without asking its agent. */
export interface KnownAgent {
  readonly name: string;
  readonly labels: readonly string[];
  identity: string | null;
  banAskedAt: number | null;
  bannedAt: number | null;
}

export interface RecorderParts {
  readonly now: () => number;
  readonly serverWall: () => number;
  readonly agentWall: (agent: string) => number;
  /** A server that starts gives every open lease a full length. */
  readonly isServerOpening: () => boolean;
  readonly leaseSeconds: number;
  readonly freshnessSeconds: number;
  readonly journal: Journal;
  readonly submissions: ReadonlyMap<string, Submission>;
  readonly agents: ReadonlyMap<string, KnownAgent>;
  /** The agent's record of starts as a power loss would leave it. */
  readonly durableRecord: (agent: string) => string;
  /** Keys that stopped counting → the version of the set that says so. */
  readonly endedKeys: ReadonlyMap<string, number>;
  /** The newest time in any signature of somebody who may change the set. */
  readonly newestWord: () => number;
  /** Whether something that excuses an overlap happened to that agent since then. */
  readonly mayOverlap: (agent: string, since: number) => boolean;
  readonly hasServerJumped: (since: number) => boolean;
  readonly hasAgentJumped: (agent: string, since: number) => boolean;
  /** Somebody else owns the server's end of the wires: only what an agent promises by itself is judged. */
  readonly isServerOwned: boolean;
  readonly onFault: (fault: string) => void;
}

export interface Recorder {
  readonly counts: Counts;
  look(): void;
  onMessage(agent: string, at: 'sent' | 'arrived', direction: Direction, line: string): void;
  onStart(execution: Execution, run: SlotRun): void;
  onRefused(agent: string, attempt: string): void;
  /** Agents that have sent a receipt and were not told that it has come. Who is banned is told nothing. */
  unanswered(): string[];
  /** After everything has drained. */
  judgeEnd(): void;
}

export interface Counts {
  lostLeases: number;
  lostAnswers: number;
  accepted: number;
  stale: number;
  starts: number;
  overlaps: number;
}

interface TaskKnown {
  readonly name: string;
  state: string;
  epoch: number;
  n: number;
  identity: string | null;
  /** The end of its present or last lease, as the server wrote it. */
  until: number;
  /** The same when nobody sets the clock of the server. */
  ends: number;
  writtenAt: number;
  cancel: string | null;
  attempt: number;
  exit: string | null;
  /** Leases that were not handed back. */
  used: number;
}
interface JobKnown {
  readonly id: string;
  readonly most: number;
  readonly first: number;
  readonly size: number;
  rest: string;
}
interface AcceptedKnown {
  readonly token: string;
  readonly receipt: ReceiptEntry;
}

const ENDS = new Set(['succeeded', 'failed', 'cancelled', 'expired', 'refused', 'unknown']);
/** What had been decided when a message came still happens. */
const MOMENT = 15;
/** At least so long an agent that could not isolate a task is spared its job, unless it connects anew. */
const REST_MS = 5_000;

/** So long a short task may wait in the launcher behind another one; and one that is held up there. */
const HANDED_AHEAD_MS = 300;

/** Judges a run by what submitters signed and were told, what machines ran, what crossed the wires and what the database holds. */
export function openRecorder(parts: RecorderParts): Recorder {
  const { journal, submissions, agents, now } = parts;
  const jobs = new Map<number, JobKnown>();
  const tasks = new Map<string, TaskKnown>();
  const accepted = new Map<string, AcceptedKnown[]>();
  const ended = new Set<string>();
  const unaudited = new Set<string>();
  let audited: AuditEntry | undefined;
  const executions = new Map<string, Execution[]>();
  const counts: Counts = { lostLeases: 0, lostAnswers: 0, accepted: 0, stale: 0, starts: 0, overlaps: 0 };
  // What crossed the wires, by token or by agent and task.
  const sentLeases = new Set<string>();
  const arrivedLeases = new Map<string, string>();
  const returned = new Set<string>();
  const hellos = new Map<string, { readonly at: number; readonly tokens: ReadonlySet<string> }>();
  const grantedAt = new Map<string, number>();
  const saidSuccess = new Set<string>();
  const toldWithdrawn = new Map<string, number>();
  const toldCancel = new Map<string, number>();
  const toldSet = new Map<string, number>();
  const toldSetAt = new Map<string, number>();
  /** What launchers did not take. */
  const refusedBy = new Set<string>();
  /** When a task of a job could not be isolated by an agent. */
  const unisolated = new Map<string, number>();
  const numbered = new Map<string, string>();
  const sentUpTo = new Map<string, number>();
  const takenUpTo = new Map<string, number>();
  const fault = (rule: string, what: string): void => parts.onFault(`${rule}: ${what}`);
  /** Between the moment in which the clock was asked and the commit somebody may have set it. */
  const hasJumped = (): boolean => parts.hasServerJumped(now() - 10);
  const agentOf = (identity: string | null): KnownAgent | undefined => {
    for (const agent of agents.values()) if (agent.identity === identity) return agent;
    return undefined;
  };

  function onTask(entry: TaskEntry): void {
    const job = jobs.get(entry.job);
    if (!job) return fault('I1', `a task of a job that was never stored: ${entry.job}.${entry.idx}`);
    const key = `${entry.job}.${entry.idx}`;
    let task = tasks.get(key);
    if (!task) {
      task = {
        name: `${job.id}.${entry.idx}`,
        state: job.rest,
        epoch: 0,
        n: 0,
        identity: null,
        until: 0,
        ends: 0,
        writtenAt: 0,
        cancel: null,
        attempt: 0,
        exit: null,
        used: 0,
      };
      tasks.set(key, task);
    }
    const { name } = task;
    const epoch = entry.epoch ?? 0;
    const n = entry.n ?? 0;
    if (ENDS.has(task.state) && entry.state !== task.state)
      fault('I1', `${name} had ended ${task.state} and became ${entry.state}`);
    if (epoch < task.epoch || (epoch === task.epoch && n < task.n))
      fault('I3', `${name} had token ${task.epoch}.${task.n} and got ${epoch}.${n}`);
    const isNew = epoch !== task.epoch || n !== task.n;
    if (isNew) onClaim(job, task, entry);
    else if (entry.until !== null && entry.until > task.until && !parts.isServerOpening()) {
      // Between the moment in which it was asked and the commit a little time passes; when the clock is set all begin again.
      if (task.ends <= now() - 5 && !parts.hasServerJumped(task.writtenAt - 10))
        fault('I4', `${name}: its lease was renewed after it had ended`);
    }
    if (entry.until !== null && entry.until !== task.until) {
      task.ends = now() + entry.until - parts.serverWall();
      task.writtenAt = now();
    }
    if (
      entry.until !== null &&
      entry.until !== task.until &&
      task.ends > now() + parts.leaseSeconds * 1000 + 1 &&
      !hasJumped()
    )
      fault('I4', `${name} is leased for longer than a lease lasts`);
    if (isOpen(entry.state) && !isNew && !isOpen(task.state))
      fault('I3', `${name} is open again under a token that had ended`);
    if (ENDS.has(entry.state) && !ENDS.has(task.state)) ended.add(key);
    Object.assign(task, {
      state: entry.state,
      epoch,
      n,
      identity: entry.identity,
      until: entry.until ?? task.until,
      cancel: entry.cancel,
      attempt: entry.attempt,
      exit: entry.exit,
    });
  }

  function onClaim(job: JobKnown, task: TaskKnown, entry: TaskEntry): void {
    const { name } = task;
    if (isOpen(task.state)) fault('I4', `${name} was leased anew while it was ${task.state}`);
    task.used += 1;
    if (entry.attempt !== task.used)
      fault('I5', `${name} got attempt ${entry.attempt} when ${task.used - 1} were used`);
    if (entry.attempt > job.most) fault('I5', `${name} got attempt ${entry.attempt} of ${job.most}`);
    if (task.cancel !== null) fault('I6', `${name} was leased after its cancel`);
    if (submissions.get(job.id)?.cancelledAt != null)
      fault('I6', `${name} was leased after its cancel was acknowledged`);
    const agent = agentOf(entry.identity);
    if (agent?.bannedAt != null) fault('I9', `${name} was leased to ${agent.name}, which is banned`);
    const failed = unisolated.get(`${entry.identity} ${entry.job}`);
    if (failed !== undefined && now() - failed < REST_MS && (hellos.get(agent?.name ?? '')?.at ?? 0) < failed)
      fault('I5', `${name} was leased to ${agent?.name} again at once, where it could not be isolated`);
    grantedAt.set(tokenOf(name, entry.epoch ?? 0, entry.n ?? 0), now());
    task.until = 0;
    task.ends = 0;
  }

  function onLost(entry: Extract<Entry, { what: 'lost' }>): void {
    const task = tasks.get(`${entry.job}.${entry.idx}`);
    if (!task) return fault('I1', 'an attempt of a task that was never stored');
    const { name } = task;
    const token = tokenOf(name, entry.epoch, entry.n);
    if (entry.outcome === 'returned') {
      task.used -= 1;
      if (sentLeases.has(token) && !returned.has(token))
        fault('I4', `${name} was taken back from an agent that had not given it back`);
      return;
    }
    counts.lostLeases += 1;
    const agent = agentOf(entry.identity);
    const hello = agent && hellos.get(agent.name);
    const isForgotten =
      hello !== undefined && hello.at >= (grantedAt.get(token) ?? 0) && !hello.tokens.has(token);
    // The server's clock shows whole milliseconds.
    const isOver = task.ends <= now() + 1 || hasJumped();
    // What was never sent nobody holds.
    if (sentLeases.has(token) && !isForgotten && !isOver && agent?.banAskedAt == null)
      fault('I4', `${name}: the lease of ${agent?.name ?? '?'} was ended while it held`);
  }

  function onReceipt(entry: ReceiptEntry): void {
    if (entry.accepted !== 1) {
      if (entry.code === 'lease.stale') counts.stale += 1;
      return;
    }
    const task = tasks.get(`${entry.job}.${entry.idx}`);
    if (!task) return fault('I2', 'a receipt was accepted for a task that was never stored');
    counts.accepted += 1;
    const { name } = task;
    const token = tokenOf(name, entry.epoch, entry.n);
    const list = accepted.get(name) ?? [];
    accepted.set(name, list);
    if (entry.epoch !== task.epoch || entry.n !== task.n)
      fault(
        'I3',
        `${name}: a result under token ${entry.epoch}.${entry.n} was accepted, ${task.epoch}.${task.n} holds`,
      );
    if (entry.identity !== task.identity)
      fault('I2', `${name}: a result of another agent than the one with the lease was accepted`);
    if (list.some((one) => one.token === token))
      fault('I2', `${name}: two results of one lease were accepted`);
    if (list.some((one) => one.receipt.outcome === 'succeeded'))
      fault('I2', `${name}: a result was accepted after a success`);
    list.push({ token, receipt: entry });
    if (entry.outcome === 'failed' && predicateOf(envelopeOf(entry.envelope)).because === 'sandbox')
      unisolated.set(`${entry.identity} ${entry.job}`, now());
    const agent = agentOf(entry.identity);
    if (agent?.bannedAt != null)
      fault('I9', `${name}: a result of ${agent.name}, which is banned, was accepted`);
    judgeReceipt(name, task, entry, agent);
  }

  /** The signature by Node alone, and what it says against what the machine ran. */
  function judgeReceipt(
    name: string,
    task: TaskKnown,
    entry: ReceiptEntry,
    agent: KnownAgent | undefined,
  ): void {
    const envelope = envelopeOf(entry.envelope);
    if (!agent?.identity || !isSignedBy(envelope, agent.identity))
      return fault('I9', `${name}: a result was accepted that its agent has not signed`);
    const said = predicateOf(envelope);
    if (`${said.job}.${said.index}` !== name || said.attempt !== entry.attempt || said.token.n !== entry.n)
      fault(
        'I3',
        `${name}: the result says that it is of ${said.job}.${said.index}, attempt ${said.attempt}`,
      );
    const mine = (executions.get(name) ?? []).filter((run) => run.agent === agent.name);
    if (said.kind === 'adopted') {
      if (!mine.some((run) => run.code === 0 && run.attempt < said.attempt))
        fault('I13', `${name}: a success was adopted that ${agent.name} never had`);
    } else if (said.kind === 'ended' && said.because === 'exit') {
      const code = said.exit && 'code' in said.exit ? said.exit.code : null;
      if (!mine.some((run) => run.attempt === said.attempt && run.code === code))
        fault(
          'I2',
          `${name}: ${agent.name} says that attempt ${said.attempt} ended with ${code}, and it did not`,
        );
      if ((entry.outcome === 'succeeded') !== (code === 0))
        fault('I2', `${name}: exit code ${code} counts as ${entry.outcome}`);
      if (task.exit !== null && JSON.parse(task.exit).code !== code)
        fault('I2', `${name}: the task has the exit ${task.exit}, its result ${code}`);
    } else if (said.because === 'sandbox' && !refusedBy.has(`${agent.name} ${name}.${said.attempt}`))
      fault(
        'I5',
        `${name}: ${agent.name} says that it could not be isolated, and its launcher never refused it`,
      );
    else if (entry.outcome === 'succeeded') fault('I2', `${name}: ${said.because} counts as a success`);
  }

  function onEntry(entry: Entry): void {
    switch (entry.what) {
      case 'job': {
        const submission = submissions.get(entry.id);
        if (submission?.digest !== entry.digest)
          fault('I11', `job ${entry.id} is stored for an order that nobody signed`);
        if ([...jobs.values()].some((job) => job.id === entry.id))
          fault('I11', `job ${entry.id} is stored twice`);
        jobs.set(entry.seq, { ...entry, rest: 'waiting' });
        unaudited.add(entry.id);
        return;
      }
      case 'rest': {
        const job = jobs.get(entry.seq);
        if (job && ENDS.has(job.rest))
          fault('I1', `the rest of ${job.id} had ended and became ${entry.rest}`);
        if (job) job.rest = entry.rest;
        return;
      }
      case 'task':
        return onTask(entry);
      case 'lost':
        return onLost(entry);
      case 'receipt':
        return onReceipt(entry);
      case 'audit':
        return onAudit(entry);
    }
  }

  function onAudit(entry: AuditEntry): void {
    if (audited && (entry.seq !== audited.seq + 1 || entry.previous !== audited.hash))
      fault('I7', `record ${entry.seq} of the audit log does not follow the one before`);
    audited = entry;
    if (entry.action === 'job.submitted') unaudited.delete(entry.object);
  }

  /** What was committed is in the audit log by the same commit. */
  function judgeAudited(): void {
    for (const job of unaudited) fault('I7', `job ${job} is stored, and the audit log does not say so`);
    unaudited.clear();
  }

  function judgeEnded(): void {
    for (const key of ended) {
      const task = tasks.get(key);
      if (task?.state !== 'succeeded') continue;
      const last = accepted.get(task.name)?.at(-1);
      if (last?.receipt.outcome !== 'succeeded') fault('I2', `${task.name} succeeded without a result`);
    }
    ended.clear();
  }

  function onFromAgent(agent: string, at: 'sent' | 'arrived', message: FromAgent): void {
    if (at === 'sent') {
      if (message.is === 'hello' || message.is === 'set') {
        const before = toldSet.get(agent) ?? 0;
        if (message.set.version < before)
          fault('R', `${agent} held set ${before} and holds ${message.set.version} now`);
        toldSet.set(agent, Math.max(before, message.set.version));
        for (let version = before + 1; version <= message.set.version; version += 1)
          toldSetAt.set(`${agent} ${version}`, now());
      }
      if (message.is === 'returned')
        for (const task of message.tasks)
          returned.add(tokenOf(`${task.job}.${task.index}`, task.token.epoch, task.token.n));
      if (message.is !== 'receipts') return;
      for (const { envelope } of message.receipts) {
        const said = predicateOf(envelope);
        const number = `${agent} ${said.seq}`;
        const digest = digestOf(envelope);
        if ((numbered.get(number) ?? digest) !== digest)
          fault('I7', `${agent} has signed two receipts with the number ${said.seq}`);
        numbered.set(number, digest);
        sentUpTo.set(agent, Math.max(sentUpTo.get(agent) ?? 0, said.seq));
        if (said.kind !== 'refused' && said.because === 'exit' && said.exit && 'code' in said.exit)
          if (said.exit.code === 0) saidSuccess.add(`${agent} ${said.job}.${said.index}`);
      }
      return;
    }
    if (message.is === 'hello')
      hellos.set(agent, {
        at: now(),
        tokens: new Set(
          message.held.map((task) => tokenOf(`${task.job}.${task.index}`, task.token.epoch, task.token.n)),
        ),
      });
    // It is sent again because the answer to it never came.
    if (
      message.is === 'receipts' &&
      message.receipts.some(({ envelope }) => journal.hasReceipt(digestOf(envelope)))
    )
      counts.lostAnswers += 1;
  }

  function onFromServer(agent: string, at: 'sent' | 'arrived', message: FromServer): void {
    if (message.is === 'lease')
      for (const task of message.tasks) {
        const name = `${message.job}.${task.index}`;
        const token = tokenOf(name, task.token.epoch, task.token.n);
        if (at === 'sent') sentLeases.add(token);
        else arrivedLeases.set(`${agent} ${name}.${task.attempt}`, token);
      }
    if (at === 'sent') return;
    if (message.is === 'accepted') takenUpTo.set(agent, Math.max(takenUpTo.get(agent) ?? 0, message.upTo));
    if (message.is === 'withdraw') {
      const { order } = JSON.parse(Buffer.from(message.envelope.payload, 'base64').toString('utf8'));
      const key = `${agent} ${order}`;
      if (!toldWithdrawn.has(key) && isByItsSubmitter(message.envelope, order)) toldWithdrawn.set(key, now());
    }
    if (message.is === 'cancel')
      for (const task of message.tasks)
        toldCancel.set(
          `${agent} ${tokenOf(`${task.job}.${task.index}`, task.token.epoch, task.token.n)}`,
          now(),
        );
  }

  function isByItsSubmitter(envelope: Envelope, digest: string): boolean {
    for (const submission of submissions.values())
      if (submission.digest === digest) return isSignedBy(envelope, submission.key);
    return false;
  }

  function onStart(execution: Execution, run: SlotRun): void {
    const { agent, job, index, attempt } = execution;
    const name = `${job}.${index}`;
    counts.starts += 1;
    const before = executions.get(name) ?? [];
    executions.set(name, [...before, execution]);
    const say = (rule: string, what: string): void =>
      fault(rule, `${agent} started ${name}.${attempt} ${what}`);

    const submission = submissions.get(job);
    if (!submission) return say('I9', 'which nobody ordered');
    const { order } = submission;
    const known = agents.get(agent);
    const variant = order.runs.is === 'command' ? order.runs.variants[0] : undefined;
    if (JSON.stringify(run.argv) !== JSON.stringify(variant?.command.argv))
      say('I9', `as ${run.argv.join(' ')}, which was not ordered`);
    if (run.network && !order.network) say('I9', 'with a network that was not ordered');
    const last = order.array.is === 'range' ? order.array.to : 0;
    if (index < 0 || index > last) say('I9', 'which the order does not have');
    if (attempt < 1 || attempt > order.maxAttempts) say('I5', `of ${order.maxAttempts} attempts`);
    if (order.machine.agents.length > 0 && !order.machine.agents.includes(known?.identity ?? ''))
      say('I9', 'which names other agents');
    for (const { name: label } of order.machine.labels)
      if (!known?.labels.includes(label)) say('I9', `without the label ${label}`);
    const endedIn = parts.endedKeys.get(submission.key);
    if (endedIn !== undefined && isBefore(execution, toldSetAt.get(`${agent} ${endedIn}`)))
      say('I9', 'of a key that its signer set has ended');
    // What the launcher has is not looked at again by a clock that was set meanwhile: some moments, against days.
    const wall = parts.hasAgentJumped(agent, now() - HANDED_AHEAD_MS) ? 0 : parts.agentWall(agent);
    if (wall - parts.newestWord() > parts.freshnessSeconds * 1000 + 1000)
      say('I9', 'long after the last word of anybody who may change the signer set');
    if (wall > order.notAfter + 1000) say('I9', 'after the end of the order');

    const mine = before.filter((other) => other.agent === agent);
    if (mine.some((other) => other.attempt >= attempt)) say('I13', 'again, or after a later attempt');
    if (saidSuccess.has(`${agent} ${name}`)) say('I13', 'after it had said that it succeeded');
    if (mine.some((other) => other.to === null)) say('I4', 'beside an attempt that still ran there');
    if (!isReserved(parts.durableRecord(agent), job, index, attempt))
      say('I13', 'before that was on its disk');
    const lease = arrivedLeases.get(`${agent} ${name}.${attempt}`);
    if (!lease) say('I4', 'without a lease');
    else if (returned.has(lease)) say('I4', 'after it had given it back');
    else if (isAfterAll(execution, toldCancel.get(`${agent} ${lease}`)))
      say('I6', 'after it was told to cancel it');
    if (isAfterAll(execution, toldWithdrawn.get(`${agent} ${submission.digest}`)))
      say('I6', 'after it got the withdrawal');

    if (parts.isServerOwned) return;
    if (before.length >= order.maxAttempts)
      say('I5', `the ${before.length + 1}th start of ${order.maxAttempts}`);
    for (const other of before) {
      if (other.to !== null || other.agent === agent) continue;
      counts.overlaps += 1;
      // Who is banned may not have heard of it.
      if (!parts.mayOverlap(other.agent, other.from) && known?.banAskedAt == null)
        say('I4', `while attempt ${other.attempt} ran on ${other.agent}`);
    }
  }

  return {
    counts,
    onStart,
    onRefused: (agent, attempt) => void refusedBy.add(`${agent} ${attempt}`),
    look() {
      // What an owned server does to its own database is its owner's business.
      if (parts.isServerOwned) return;
      for (const entry of journal.read()) onEntry(entry);
      judgeEnded();
      judgeAudited();
    },
    onMessage(agent, at, direction, line) {
      if (direction === 'to server') onFromAgent(agent, at, JSON.parse(line) as FromAgent);
      else onFromServer(agent, at, JSON.parse(line) as FromServer);
    },
    unanswered: () =>
      [...sentUpTo.keys()].filter(
        (agent) =>
          agents.get(agent)?.banAskedAt == null && sentUpTo.get(agent) !== (takenUpTo.get(agent) ?? 0),
      ),
    judgeEnd() {
      for (const agent of this.unanswered())
        fault('I10', `${agent} still waits for an answer to its receipts`);
      const stored = new Map(journal.jobs().map((job) => [String(job['id']), job]));
      const rows = Map.groupBy(journal.tasks(), (task) => Number(task['job']));
      for (const [id, submission] of submissions) {
        const job = stored.get(id);
        if (!job) {
          if (submission.isAcknowledged) fault('I1', `${id} was acknowledged and is not there`);
          continue;
        }
        const mine = rows.get(Number(job['seq'])) ?? [];
        const isRestOver = mine.length === Number(job['size']) || ENDS.has(String(job['rest']));
        const open = mine.filter((task) => !ENDS.has(String(task['state'])));
        if (!isRestOver || open.length > 0) {
          const states = open.map((task) => `${String(task['idx'])} ${String(task['state'])}`);
          fault('I10', `${id} has not drained: ${states.join(', ') || `the rest is ${String(job['rest'])}`}`);
        }
      }
      for (const agent of journal.agents())
        if (agent['state'] === 'banned' && agentOf(String(agent['identity']))?.banAskedAt == null)
          fault('R', `${String(agent['name'])} was banned, and nobody asked for it`);
    },
  };
}

const isBefore = ({ handedAt }: Execution, since: number | undefined): boolean =>
  since !== undefined && handedAt - since > MOMENT;
/** What the launcher had taken and not begun is ended in the same turn. */
const isAfterAll = (execution: Execution, since: number | undefined): boolean =>
  isBefore(execution, since) ||
  (since !== undefined && execution.handedAt <= since && execution.from > since);
const isOpen = (state: string): boolean => state === 'leased' || state === 'running';
const tokenOf = (name: string, epoch: number, n: number): string => `${name} ${epoch}.${n}`;

/** As a receipt stands in the database: its payload may follow as the text that it is. */
function envelopeOf(text: string): Envelope {
  const end = text.indexOf('\n');
  if (end === -1) return JSON.parse(text);
  return { ...JSON.parse(text.slice(0, end)), payload: Buffer.from(text.slice(end + 1)).toString('base64') };
}
const predicateOf = (envelope: Envelope): ReceiptPredicate =>
  JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')).predicate;

/** DSSE, once more and without the code under test. */
function encodingOf({ payloadType, payload }: Envelope): Buffer {
  const bytes = Buffer.from(payload, 'base64');
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${bytes.length} `),
    bytes,
  ]);
}
const digestOf = (envelope: Envelope): string =>
  `sha256:${createHash('sha256').update(encodingOf(envelope)).digest('hex')}`;

function isSignedBy(envelope: Envelope, key: string): boolean {
  const publicKey = publicKeyOf(key);
  const encoded = encodingOf(envelope);
  return envelope.signatures.some(({ sig }) => verify(null, encoded, publicKey, Buffer.from(sig, 'base64')));
}

const publicKeys = new Map<string, KeyObject>();
function publicKeyOf(key: string): KeyObject {
  const known = publicKeys.get(key);
  if (known) return known;
  const x = key.slice('ed25519:'.length);
  const made = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  if (publicKeys.size > 1_000) publicKeys.clear();
  publicKeys.set(key, made);
  return made;
}

/** Whether a batch with this attempt stands in the record of starts. */
function isReserved(record: string, job: string, index: number, attempt: number): boolean {
  const numbers = new Set<number>();
  for (const line of record.split('\n')) {
    if (!line.startsWith('["o"') && !line.startsWith('["r"')) continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      continue;
    }
    if (!Array.isArray(value)) continue;
    if (value[0] === 'o' && value[4] === job) numbers.add(value[1]);
    if (value[0] !== 'r' || !numbers.has(value[2])) continue;
    const pairs: number[] = value[3];
    for (let at = 0; at + 1 < pairs.length; at += 2)
      if (pairs[at] === index && pairs[at + 1] === attempt) return true;
  }
  return false;
}
