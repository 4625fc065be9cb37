import {
  BOUNDS,
  decodeBase64,
  type EndReason,
  type Envelope,
  isNotForThatAgent,
  type LeasedTask,
  type ReceiptPredicate,
  type RefusalCode,
} from '@writ/contract';
import type { By, ReceiptOffered, Store } from '@writ/store';
import { checkReceiptFits, hasSucceeded, type JudgedReceipt, openReceipt, TrustError } from '@writ/trust';
import { digestOf } from '@writ/trust/digest';
import type { Cluster } from '../cluster.ts';
import type { Dispatch } from '../dispatch.ts';
import type { KeptLogs, LogName, LogStream } from '../kept-logs.ts';
import type { Log } from '../log.ts';
import type { Member } from '../members.ts';
import type { KnownOrder, Orders } from '../orders.ts';
import type { ProgressBoard } from '../progress.ts';

export interface OfferedReceipt {
  readonly envelope: Envelope;
  readonly stdout: string | null;
  readonly stderr: string | null;
}

export interface ReceiptsTaken {
  /** All receipts up to this number are stored. 0: none. */
  readonly upTo: number;
  readonly refused: readonly { readonly seq: number; readonly code: string }[];
  /** Classes whose work came back. */
  readonly workAgain: readonly number[];
  /** The link is to be closed. */
  readonly fault: { readonly code: string; readonly detail: string } | null;
}

/**
 * @param holds whether a task is this agent's present one: of others it has neither logs nor outputs to leave here.
 * @param onJudged called before anything waits, with the tasks that the agent says it has ended, and with the jobs of which
 * it is to get no more, or not now, and why.
 */
export type TakeReceipts = (
  member: Member,
  offered: readonly OfferedReceipt[],
  by: By,
  holds: (task: LeasedTask) => boolean,
  onJudged: (ended: readonly LeasedTask[], excludedJobs: ExcludedJobs) => void,
) => Promise<ReceiptsTaken>;

type ExcludedJobs = ReadonlyMap<string, EndReason | RefusalCode>;

interface Judged extends JudgedReceipt {
  readonly offered: OfferedReceipt;
  readonly known: KnownOrder | null;
  readonly isHeld: boolean;
}

/** By job. */
type ShortLogs = Map<string, { name: LogName; bytes: Uint8Array }[]>;

const EMPTY = digestOf(new Uint8Array());

/**
 * Takes receipts as the word of an admitted agent: its signature, the order it is about, its logs and outputs; then the
 * store compares the token and accepts or not, in one transaction with the state of the task.
 */
export function takeReceiptsWith(parts: {
  readonly store: Store;
  readonly cluster: Cluster;
  readonly orders: Orders;
  readonly dispatch: Dispatch;
  readonly logs: KeptLogs;
  readonly progress: ProgressBoard;
  readonly log: Log;
  readonly counters: { receipts: number };
}): TakeReceipts {
  const { store, cluster, orders, dispatch, logs, log } = parts;

  return async (member, offered, by, holds, onJudged) => {
    const judged: Judged[] = [];
    let fault: ReceiptsTaken['fault'] = null;
    for (const one of offered) {
      try {
        const opened = openReceipt(one.envelope, cluster.sets().cluster, member.admitted);
        parts.counters.receipts += 1;
        const { predicate } = opened;
        const known = orders.recall(predicate.job) ?? null;
        judged.push({ ...opened, offered: one, known, isHeld: holds(predicate) });
      } catch (error) {
        if (!(error instanceof TrustError)) throw error;
        fault = { code: error.code, detail: error.message };
        break;
      }
    }
    const said = judged.map(({ predicate }) => predicate);
    onJudged(said, excludedBy(said));
    if (fault) {
      await store.audit.record({
        action: 'receipt.forged',
        object: `agent:${member.name}`,
        outcome: 'refused',
        detail: `${fault.code}: ${fault.detail}`,
        by,
      });
    }
    if (judged.length === 0) return { upTo: 0, refused: [], workAgain: [], fault };

    // Most receipts have nothing to wait for: they reach the store in the turn in which they came.
    const faults = judged.some(needsWait)
      ? await checkSlowly(judged, by)
      : judged.map((one) => checkFit(one));
    const known = judged.map((one, at) => toOffer(one, faults[at] ?? null)).filter((one) => one !== null);
    const answers = await store.leases.accept(known, by);

    const refused: { seq: number; code: string }[] = [];
    const workAgain = new Set<number>();
    for (const [at, answer] of answers.entries()) {
      const receipt = known[at];
      if (!receipt) continue;
      parts.progress.forget(receipt.job, receipt.index);
      if (answer.is !== 'accepted') {
        const code = answer.is === 'stale' ? 'lease.stale' : (answer.code ?? 'receipt.refused');
        refused.push({ seq: answer.seq, code });
        log('warning', 'receipt.refused', {
          agent: member.name,
          job: receipt.job,
          index: receipt.index,
          code,
        });
      }
      if (answer.state === 'waiting') {
        const order = orders.recall(receipt.job);
        const classId = order && dispatch.classOfOrder(order.order);
        if (classId !== undefined) workAgain.add(classId);
      }
    }
    for (const { predicate, known: order } of judged)
      if (!order && !known.some((one) => one.seq === predicate.seq))
        refused.push({ seq: predicate.seq, code: 'receipt.job_unknown' });
    const upTo = Math.max(...judged.map(({ predicate }) => predicate.seq));
    return { upTo, refused, workAgain: [...workAgain], fault };
  };

  /** Orders from the disk, logs onto the disk, outputs looked up: then the same checks. */
  async function checkSlowly(judged: Judged[], by: By): Promise<(string | null)[]> {
    for (const [at, one] of judged.entries()) {
      if (!one.known) judged[at] = { ...one, known: await orders.find(one.predicate.job) };
    }
    const short: ShortLogs = new Map();
    const faults: (string | null)[] = [];
    for (const one of judged)
      faults.push(checkFit(one) ?? (one.isHeld ? await checkParts(one, short, by) : null));
    await Promise.all([...short].map(async ([job, all]) => await logs.keepShort(job, all)));
    return faults;
  }

  async function checkParts(one: Judged, short: ShortLogs, by: By): Promise<string | null> {
    return (await checkLogs(one, short)) ?? (await checkOutputs(one, by));
  }

  async function checkLogs({ predicate, offered }: Judged, short: ShortLogs): Promise<string | null> {
    for (const stream of ['stdout', 'stderr'] as const) {
      const wanted = predicate[stream];
      const text = offered[stream];
      const name = nameOf(predicate, stream);
      if (text !== null) {
        const bytes = decodeBase64(text);
        if (!bytes || bytes.length > BOUNDS.inlineLogBytes) return 'receipt.log_malformed';
        if (digestOf(bytes) !== wanted.digest || bytes.length !== wanted.size) return 'receipt.log_mismatch';
        if (bytes.length > 0)
          short.set(predicate.job, [...(short.get(predicate.job) ?? []), { name, bytes }]);
      } else if (wanted.size === 0 && wanted.digest === EMPTY) {
        continue;
      } else if (!(await isLogHere(predicate, name, wanted))) return 'receipt.log_mismatch';
    }
    return null;
  }

  /** An adopting receipt speaks of an attempt before it. */
  async function isLogHere(
    predicate: ReceiptPredicate,
    name: LogName,
    wanted: { readonly size: number; readonly digest: string },
  ): Promise<boolean> {
    const oldest = predicate.kind === 'adopted' ? 1 : predicate.attempt;
    for (let attempt = predicate.attempt; attempt >= oldest; attempt -= 1) {
      const from = { ...name, attempt };
      const sealed = await logs.seal(from);
      if (sealed?.size !== wanted.size || sealed.digest !== wanted.digest) continue;
      if (attempt !== predicate.attempt) await logs.adopt(from, name);
      return true;
    }
    return false;
  }

  async function checkOutputs({ predicate, known }: Judged, by: By): Promise<string | null> {
    const { outputs, job } = predicate;
    if (outputs.length === 0 || !known) return null;
    const digests = [...new Set(outputs.map((file) => file.digest))];
    const here = new Map(
      (await store.files.listKnown(digests, known.order.project)).map((file) => [file.digest, file.size]),
    );
    if (outputs.some((file) => here.get(file.digest) !== file.size)) return 'receipt.output_missing';
    await store.files.useFiles(job, digests, 'output', by);
    return null;
  }
}

const needsWait = ({ predicate, known, offered }: Judged): boolean =>
  known === null ||
  predicate.outputs.length > 0 ||
  predicate.stdout.digest !== EMPTY ||
  predicate.stderr.digest !== EMPTY ||
  offered.stdout !== null ||
  offered.stderr !== null;

const nameOf = ({ job, index, attempt }: ReceiptPredicate, stream: LogStream): LogName => ({
  job,
  index,
  attempt,
  stream,
});

function checkFit(judged: Judged): string | null {
  if (!judged.known) return null;
  try {
    checkReceiptFits(judged, judged.known);
    return null;
  } catch (error) {
    if (error instanceof TrustError) return error.code;
    throw error;
  }
}

/** Null for a job that this server does not know: nothing here could refer to it. */
function toOffer({ predicate, digest, offered, known }: Judged, fault: string | null): ReceiptOffered | null {
  if (!known) return null;
  const { job, index, attempt, token, identity, admission, seq, because, exit, started, ended } = predicate;
  return {
    job,
    index,
    attempt,
    token,
    identity,
    digest,
    admission,
    envelope: offered.envelope,
    seq,
    outcome: outcomeOf(predicate, because),
    because,
    exit,
    started,
    ended,
    ...(fault !== null && { refusedBy: fault }),
  };
}

function excludedBy(said: readonly ReceiptPredicate[]): ExcludedJobs {
  const jobs = new Map<string, EndReason | RefusalCode>();
  for (const one of said)
    if (isNotForThatAgent({ outcome: outcomeOf(one, one.because), because: one.because }))
      jobs.set(one.job, one.because);
  return jobs;
}

function outcomeOf(predicate: ReceiptPredicate, because: EndReason | RefusalCode): ReceiptOffered['outcome'] {
  if (predicate.kind === 'refused') return 'refused';
  if (because === 'cancelled' || because === 'lost') return because;
  return hasSucceeded(predicate) ? 'succeeded' : 'failed';
}
