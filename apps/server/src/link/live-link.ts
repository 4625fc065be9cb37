import {
  descriptionCheck,
  type Envelope,
  type FromAgent,
  fromAgentCheck,
  type FromServer,
  LINK_VERSION,
  type LeasedTask,
  PAYLOAD_TYPES,
  readMessage,
} from '@writ/contract';
import type { By, ClaimedJob, Page, Released, Store } from '@writ/store';
import { judgeDescription, readUnverified, TrustError } from '@writ/trust';
import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster.ts';
import type { Dispatch, RecallOnly, Seat } from '../dispatch.ts';
import type { Log } from '../log.ts';
import { factsOf } from '../machine-facts.ts';
import type { Member } from '../members.ts';
import type { MindClock } from '../mind-clock.ts';
import type { Orders } from '../orders.ts';
import type { ProgressBoard } from '../progress.ts';
import { inBatches } from './in-batches.ts';
import type { LineStream } from './line-stream.ts';
import { KEPT_PRIORITY, type LeaseRef, type LinkTask, openLinkTasks } from './link-tasks.ts';
import type { OfferedReceipt, TakeReceipts } from './take-receipts.ts';

export interface LinkParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: Cluster;
  readonly orders: Orders;
  readonly dispatch: Dispatch;
  readonly progress: ProgressBoard;
  readonly takeReceipts: TakeReceipts;
  readonly leaseSeconds: number;
  readonly mindClock: MindClock;
  /** After so long without a word an agent is taken for gone. */
  readonly silenceMs: number;
  readonly serverName: string;
  readonly version: string;
  /** The newest link of an identity is the one that counts. */
  readonly onHello: (link: LiveLink) => void;
  readonly onReleased: (released: Released) => void;
}

/** What an agent measured, in its own signed words. */
export interface Described {
  readonly slots: number;
  readonly megaflops: number;
}

/** One agent's stream while it is open. */
export interface LiveLink {
  readonly member: Member;
  readonly described: Described | null;
  readonly lastHeard: number;
  readonly held: number;
  /** It does not read what it is sent. */
  readonly isFull: boolean;
  /** @returns what is still to be done with these lines; null: nothing. */
  receive(lines: readonly string[]): Promise<unknown> | null;
  send(message: FromServer): void;
  /** Stop these; somebody may have them already, or a person does not want them any more. */
  cancel(tasks: readonly LeasedTask[], how: 'terminate' | 'kill'): void;
  lose(tasks: readonly { readonly job: string; readonly index: number }[]): void;
  holds(job: string, index: number, attempt: number): boolean;
  /**
   * Whoever has a log to send has started: otherwise the task could be handed back, and its next agent would find this
   * log under its own attempt. @returns false when it does not hold the task (any more).
   */
  begin(job: string, index: number, attempt: number): Promise<boolean>;
  /** Whether one of its tasks belongs to this job: its inputs may be fetched. */
  holdsJob(job: string): boolean;
  jobs(): readonly string[];
  close(code: string, detail: string): void;
  /** The stream is gone. */
  ended(): void;
}

const SEEN_AGAIN = 500;
/** Reasons that lie in the agent and do not pass. */
const LASTING = /^(?:machine|owner|agent)\./;
/** Others pass: a set that could not be fetched, a clock, a disk. */
const PASSING_MS = 10_000;
/** What was sent just before a link was lost may not have arrived. */
const SEEN_SLACK_MS = 3_600_000;
/** Each may have 100 KB. */
const WITHDRAWALS_AT_ONCE = 50;
/** `accepted` names no more. */
const JUDGED = { first: 16, most: 500 };
/** An order that is sent again does no harm. */
const MOST_SENT_ORDERS = 20_000;

export function openLiveLink(
  parts: LinkParts,
  member: Member,
  source: string,
  lines: LineStream,
  cut: () => void,
): LiveLink {
  const { store, clock, log, cluster, orders, dispatch } = parts;
  const { identity } = member;
  const tasks = openLinkTasks(clock);
  const sentOrders = new Set<string>();
  let seat: Seat | null = null;
  let described: Described | null = null;
  let lastHeard = clock.now();
  let isOver = false;
  /** Until hello has been answered. After that no message waits for another: the store keeps their sequence. */
  let early: FromAgent[] | null = [];
  let isGreeted = false;
  /** What the lines that are being received set going. */
  let underWay: Promise<unknown>[] | null = null;
  let greeting: Promise<unknown> = Promise.resolve();

  const by = (): By => ({ actor: `agent:${member.name}`, source, now: clock.now() });
  const send = (message: FromServer): void => lines.send(message);

  const close = (code: string, detail: string): void => {
    if (isOver) return;
    log('warning', 'link.closed', { agent: member.name, code, detail });
    send({ is: 'close', code, detail });
    lines.end();
    ended();
    cut();
  };

  const ended = (): void => {
    if (isOver) return;
    isOver = true;
    stopWaiting();
    seat?.leave();
    dispatch.serve();
  };

  const open = (task: LeasedTask, of: Pick<LinkTask, 'classId' | 'priority' | 'isStarted'>): void => {
    const before = tasks.open(task, of);
    if (before) seat?.letGo([before.classId]);
  };

  const drop = (dropped: readonly LeaseRef[]): void => {
    const gone = tasks.drop(dropped);
    if (gone.length > 0) seat?.letGo(gone.map(({ classId }) => classId));
  };

  const take = (jobs: readonly ClaimedJob[], since: number): void => {
    if (isOver) {
      for (const claimed of jobs) giveBack(claimed);
      return;
    }
    for (const claimed of jobs) {
      const known = orders.recall(claimed.job);
      if (known) lease(claimed, since, known.envelope);
      else
        orders
          .find(claimed.job)
          .then((found) => {
            if (found) lease(claimed, since, found.envelope);
          })
          .catch((error: unknown) => log('error', 'link.order_unreadable', { job: claimed.job, error }));
    }
  };

  /** Never sent, so nobody can start it. */
  const giveBack = ({ job, class: id, tasks: unsent }: ClaimedJob): void => {
    const refs = unsent.map((task) => ({ job, ...task }));
    seat?.letGo(refs.map(() => id));
    seat?.giveCredits(refs.length);
    watch('take', store.leases.handBack(identity, refs, by()).then(parts.onReleased));
  };

  const lease = (claimed: ClaimedJob, since: number, envelope: Envelope): void => {
    if (isOver || lines.isFull) return giveBack(claimed);
    const { job, order, tasks: leased } = claimed;
    if (!sentOrders.has(order)) {
      if (sentOrders.size >= MOST_SENT_ORDERS) sentOrders.clear();
      sentOrders.add(order);
      send({ is: 'order', digest: order, envelope });
    }
    const of = { classId: claimed.class, priority: claimed.priority, isStarted: false };
    for (const task of leased) open({ job, ...task }, of);
    send({
      is: 'lease',
      order,
      identity,
      job,
      at: Math.floor(since),
      seconds: parts.leaseSeconds,
      tasks: [...leased],
    });
  };

  const recall = (classes: ReadonlySet<number>, most: number, only: RecallOnly = {}): number => {
    const wanted = tasks.callBack(classes, most, only);
    if (wanted.length > 0) send({ is: 'recall', tasks: wanted.map(plain) });
    return wanted.length;
  };

  const hello = async (message: Extract<FromAgent, { is: 'hello' }>): Promise<void> => {
    if (message.link !== LINK_VERSION) {
      close(
        'link.version',
        `This server speaks version ${LINK_VERSION} of the link, the agent version ${message.link}. Update the older one.`,
      );
      return;
    }
    const agent = await store.trust.readAgent(identity);
    if (!agent || isOver) return;
    if (message.seq < agent.receiptSeq) {
      // A rolled-back or cloned machine: it would use numbers again that stand for other results.
      const detail = `Receipt ${agent.receiptSeq} of this agent is stored here, and it says that its last is ${message.seq}: its folder was rolled back or copied.`;
      await store.audit.record({
        action: 'link.rolled_back',
        object: `agent:${member.name}`,
        outcome: 'refused',
        detail,
        by: by(),
      });
      close('link.rolled_back', detail);
      return;
    }
    parts.onHello(link);
    seat = dispatch.sit({ identity, take, recall, isFull: () => lines.isFull });
    const newest = cluster.newest();
    const epoch = cluster.record()?.epoch ?? 1;
    send({
      is: 'welcome',
      link: LINK_VERSION,
      at: Math.floor(clock.monotonic()),
      writ: parts.version,
      server: parts.serverName,
      epoch,
      leaseSeconds: parts.leaseSeconds,
      set: newest,
    });
    if (message.set.digest !== newest.digest) send({ is: 'set', set: newest });
    const freshness = cluster.freshness();
    if (freshness) send({ is: 'freshness', envelope: freshness });
    // Before it gets work: what was withdrawn while it was away.
    const since = agent.lastSeen === null ? 0 : agent.lastSeen - SEEN_SLACK_MS;
    let after: string | null = null;
    do {
      const asked = { now: clock.now(), since, after, limit: WITHDRAWALS_AT_ONCE };
      const page: Page<Envelope> = await store.jobs.listWithdrawals(asked);
      for (const envelope of page.items) send({ is: 'withdraw', envelope });
      await lines.roomy();
      // Another link of this agent may hold its tasks now: they are not to be taken from it.
      if (isOver) return;
      after = page.next;
    } while (after !== null);

    // What it holds is renewed; what it does not say it holds, it lost with its memory.
    const held = message.held.map(plain);
    const released = await store.leases.loseAgent(identity, held, by());
    if (released.tasks.length > 0) parts.onReleased(released);
    if (held.length > 0) await renew(held, true);
    if (isOver) return;
    for (const task of message.held) {
      const mine = tasks.at(task.job, task.index);
      if (mine) mine.isStarted = task.is === 'running';
    }
    await describe(message.description);
    await excludeRefused(agent.description, message.description);
    seat.giveCredits(message.credits);
    log('note', 'link.opened', { agent: member.name, source, held: held.length, credits: message.credits });
    dispatch.serve();
    await dispatch.lookAgain();
  };

  /** What it refused before, for a reason about itself, it would refuse again unless it has changed. */
  const excludeRefused = async (before: Envelope | null, now: Envelope): Promise<void> => {
    if (!before || !saysTheSame(before, now)) return;
    for (const { job, because } of await store.jobs.listRefused(identity))
      if (LASTING.test(because)) seat?.exclude(job);
  };

  const describe = async (envelope: Envelope): Promise<void> => {
    const said = judgeDescription(envelope, { cluster: cluster.sets().cluster, identity });
    described = { slots: said.slots, megaflops: said.megaflops };
    seat?.describe(factsOf(said, member.admitted), said.slots, said.megaflops);
    await store.trust.describeAgent(identity, envelope, by());
  };

  const renew = async (asked: readonly LeasedTask[], isGreeting = false): Promise<void> => {
    await parts.mindClock();
    if (isOver) return;
    const { kept, lost, cancelAsked } = await store.leases.renew(identity, asked, parts.leaseSeconds, by());
    if (isOver) return;
    // Later, what is not among them is what it has ended: its receipt is being read.
    const brought = isGreeting ? kept.filter(({ job, index }) => !tasks.at(job, index)) : [];
    const classes = await classesOf(brought);
    if (isOver) return;
    for (const task of brought) {
      const id = classes.get(task.job);
      open(task, { classId: id, priority: KEPT_PRIORITY, isStarted: true });
      seat?.hold(id);
    }
    drop(lost);
    send({ is: 'renewed', tasks: kept.map(plain), lost: lost.map(plain) });
    for (const task of cancelAsked) send({ is: 'cancel', tasks: [plain(task)], how: task.how });
  };

  /** After a restart no order is in memory. */
  const classesOf = async (asked: readonly LeasedTask[]): Promise<ReadonlyMap<string, number>> => {
    const classes = new Map<string, number>();
    for (const job of new Set(asked.map((task) => task.job))) {
      const known = await orders.find(job);
      if (known) classes.set(job, await dispatch.classOf(known.order));
    }
    return classes;
  };

  const handle = (message: FromAgent): void => {
    switch (message.is) {
      case 'hello':
        return close('link.hello_twice', 'hello is the first message, and only that.');
      case 'credits':
        seat?.giveCredits(message.more);
        return dispatch.serve();
      case 'started':
        return watch(message.is, started(message.tasks));
      case 'returned':
        drop(message.tasks);
        return watch(message.is, store.leases.handBack(identity, message.tasks, by()).then(parts.onReleased));
      case 'renew':
        return watch(message.is, renew(message.tasks));
      case 'progress': {
        const { job, index, attempt } = message.task;
        if (link.holds(job, index, attempt))
          parts.progress.say(job, index, attempt, {
            thousandths: message.progress,
            message: message.message,
          });
        return;
      }
      case 'description':
        return watch(message.is, describe(message.description).then(dispatch.serve));
      case 'set':
        // One of the same version is of another branch: both are told of, and each keeps what it holds.
        if (message.set.digest !== cluster.newest().digest && message.set.version <= cluster.newest().version)
          send({ is: 'set', set: cluster.newest() });
        return;
      case 'pong':
        return;
      case 'receipts':
        // Where nothing waits before it, it is judged in this turn: one transaction holds its end and the next start.
        return watch(message.is, receipts(message.receipts));
    }
  };

  const started = async (begun: readonly LeasedTask[]): Promise<void> => {
    for (const task of begun) {
      const mine = tasks.find(task);
      if (mine) mine.isStarted = true;
    }
    const { lost } = await store.leases.markStarted(identity, begun, by());
    if (lost.length === 0) return;
    drop(lost);
    send({ is: 'renewed', tasks: [], lost: lost.map(plain) });
  };

  /** They wait for each other, because `accepted` says up to which number all of them are stored. */
  const receipts = inBatches<OfferedReceipt>(JUDGED, async (offered) => {
    if (isOver) return;
    const holds = (task: LeasedTask): boolean => tasks.find(task)?.attempt === task.attempt;
    const answer = await parts.takeReceipts(member, offered, by(), holds, (ended, excluded) => {
      // It would get the same task again with the lease that comes of its own end.
      for (const [job, because] of excluded)
        seat?.exclude(job, LASTING.test(because) ? undefined : PASSING_MS);
      drop(ended);
      dispatch.serve();
    });
    if (answer.upTo > 0) send({ is: 'accepted', upTo: answer.upTo, refused: [...answer.refused] });
    for (const classId of answer.workAgain) dispatch.addWork(classId);
    if (answer.fault) return close(answer.fault.code, answer.fault.detail);
    dispatch.serve();
  });

  const watch = (what: string, doing: Promise<unknown>): void => {
    const done = doing.catch((error: unknown) => fail(what, error));
    underWay?.push(done);
  };

  const fail = (what: string, error: unknown): void => {
    if (isOver) return log('warning', 'link.late_failure', { agent: member.name, message: what, error });
    if (error instanceof TrustError) return close(error.code, error.message);
    log('error', 'link.failed', { agent: member.name, message: what, error });
    close('server.failed', 'The server failed. Connect again.');
  };

  const greet = (first: FromAgent): void => {
    stopWaiting();
    if (first.is !== 'hello') return close('link.hello_missing', 'The first message on a link is hello.');
    const waiting: FromAgent[] = [];
    early = waiting;
    const greeted = hello(first).then(async () => {
      early = null;
      await settled(() => {
        for (const message of waiting) if (!isOver) handle(message);
      });
    });
    greeting = greeted.catch((error: unknown) => fail('hello', error));
    underWay?.push(greeting);
  };

  /** What `act` sets going. */
  const settled = (act: () => void): Promise<unknown> | null => {
    const mine: Promise<unknown>[] = [];
    underWay = mine;
    act();
    underWay = null;
    return mine.length === 0 ? null : Promise.all(mine);
  };

  const stopWaiting = clock.after(parts.silenceMs / 4, () =>
    close('link.hello_missing', 'No hello came: it is the first message on a link.'),
  );
  const link: LiveLink = {
    member,
    get described() {
      return described;
    },
    get lastHeard() {
      return lastHeard;
    },
    get held() {
      return tasks.size;
    },
    get isFull() {
      return lines.isFull;
    },
    send,
    close,
    ended,
    lose: (lost) => {
      const mine = lost.map(({ job, index }) => tasks.at(job, index)).filter((task) => task !== undefined);
      if (mine.length === 0) return;
      seat?.fallSilent();
      drop(mine);
      send({ is: 'renewed', tasks: [], lost: mine.slice(0, 8_192).map(plain) });
    },
    cancel: (stopped, how) => {
      for (let at = 0; at < stopped.length; at += SEEN_AGAIN)
        send({ is: 'cancel', tasks: stopped.slice(at, at + SEEN_AGAIN).map(plain), how });
    },
    holds: (job, index, attempt) => tasks.at(job, index)?.attempt === attempt,
    begin: async (job, index, attempt) => {
      const mine = tasks.at(job, index);
      if (mine?.attempt !== attempt) return false;
      if (!mine.isStarted) await started([plain(mine)]);
      return link.holds(job, index, attempt);
    },
    holdsJob: (job) => [...tasks.all].some((task) => task.job === job),
    jobs: () => [...new Set([...tasks.all].map((task) => task.job))],

    receive: (received) => {
      lastHeard = clock.now();
      seat?.isHeard();
      return settled(() => {
        for (const line of received) {
          if (isOver) return;
          const read = readMessage(line, fromAgentCheck);
          if ('fault' in read) return close('link.malformed', read.fault);
          if (early === null) handle(read.message);
          else if (isGreeted) {
            early.push(read.message);
            underWay?.push(greeting);
          } else {
            isGreeted = true;
            greet(read.message);
          }
        }
      });
    },
  };
  return link;
}

const plain = ({ job, index, attempt, token }: LeasedTask): LeasedTask => ({
  job,
  index,
  attempt,
  token: { epoch: token.epoch, n: token.n },
});

/** But for when, and how fast. */
function saysTheSame(before: Envelope, now: Envelope): boolean {
  const [one, other] = [before, now].map((envelope) => {
    try {
      const said = readUnverified(envelope, { type: PAYLOAD_TYPES.description, check: descriptionCheck });
      return JSON.stringify({ ...said, time: 0, megaflops: 0 });
    } catch {
      return null;
    }
  });
  return one !== null && one === other;
}
