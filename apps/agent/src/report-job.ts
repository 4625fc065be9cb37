import type { LeasedTask, OutputFile, SetRef } from '@writ/contract';
import { AgentError } from './agent-error.ts';
import { reasonOf } from './log.ts';
import type { Log } from './log.ts';
import type { LeasedJob } from './leased-job.ts';
import type { SlotEnd, SlotStarted } from './isolate/isolation.ts';
import { plainTask } from './lease-book.ts';
import { EMPTY_LOG, readLongLog, readShortLog } from './logs/read-log.ts';
import type { WholeLog } from './logs/read-log.ts';
import type { Tails } from './live-job.ts';
import { orderKeyOf } from './order-key.ts';
import type { Outcome, PendingReceipt, ReceiptChain } from './receipts/receipt-chain.ts';
import type { ReceiptLogs } from './receipts/receipt-logs.ts';
import type { Replay, Success } from './replay/open-replay.ts';
import { signableText } from './signable-text.ts';
import type { Refusal, VerifiedOrder } from './verify-job.ts';

/** Every end becomes a signed receipt, durable before it is sent. */
export interface Reporting {
  ended(job: LeasedJob, end: SlotEnd): Promise<void>;
  /** The launcher did not take it, so its command never ran; or it is gone, and nobody saw the end of what it had taken. */
  notRun(job: LeasedJob, why: string): Promise<void>;
  refused(
    task: LeasedTask & { readonly order: string },
    verified: VerifiedOrder | null,
    refusal: Refusal,
  ): void;
  adopted(task: LeasedTask, verified: VerifiedOrder, success: Success): void;
}

export interface ReportingParts {
  readonly receipts: ReceiptChain;
  readonly replay: Replay;
  readonly now: () => number;
  /** Held now: for what was never started. */
  readonly set: () => SetRef;
  /** When ends that come together have come. */
  readonly gathered: () => Promise<void>;
  /** Its receipt is on disk: send it. */
  readonly onDurable: (receipt: PendingReceipt) => void;
  /** Sends its logs, and knows what was sent of them while it ran. */
  readonly tailsOf: (job: LeasedJob) => Tails;
  /** Undefined when nothing looked at its logs while it ran. */
  readonly begunTailsOf: (job: LeasedJob) => Tails | undefined;
  /** Tries until it succeeds or the task is this agent's no more. */
  readonly whileMine: <T>(job: LeasedJob, what: () => Promise<T>) => Promise<T>;
  readonly sendOutputs: (job: LeasedJob, tar: string) => Promise<OutputFile[]>;
  /** What is wrong with outputs that cannot be taken; undefined for any other error. */
  readonly faultOfOutputs: (error: unknown) => 'output_limit' | 'sandbox' | undefined;
  readonly log: Log;
}

const EMPTY = plainLog(EMPTY_LOG);
const NO_LOGS: ReceiptLogs = { stdout: null, stderr: null };

export function openReporting(parts: ReportingParts): Reporting {
  const { receipts } = parts;

  const send = async (receipt: PendingReceipt): Promise<void> => {
    await parts.gathered();
    await receipts.sync();
    parts.onDurable(receipt);
  };
  /** A receipt that cannot be made durable is not sent; the server hears of it when the lease ends. */
  const failed =
    (task: LeasedTask) =>
    (error: unknown): void =>
      parts.log('receipt.not_durable', { task: `${task.job}.${task.index}`, why: reasonOf(error) });
  /** Signed now, durable and sent soon: nobody waits for it. */
  const tell = (task: LeasedTask, outcome: Outcome, logs: ReceiptLogs): void => {
    try {
      send(receipts.add(outcome, logs)).catch(failed(task));
    } catch (error) {
      failed(task)(error);
    }
  };

  return {
    async ended(job, end) {
      const { task, verified } = job;
      const read = await collect(job, end, parts).finally(() => job.running?.release());
      const outcome: Outcome = {
        ...about(task, verified.digest, verified.order.person, job.set ?? parts.set()),
        kind: 'ended',
        because: read.because,
        detail: signableText(read.detail),
        exit:
          end.code !== null
            ? { code: end.code }
            : end.signal !== null
              ? { signal: end.signal.slice(0, 16) }
              : null,
        variant: verified.variant.index,
        profile: verified.profile,
        started: Math.round(end.startedMs),
        ended: Math.round(end.endedMs),
        outputs: read.outputs,
        stdout: plainLog(read.stdout),
        stderr: plainLog(read.stderr),
        resources: {
          wallMs: Math.max(0, Math.round(end.endedMs - end.startedMs)),
          cpuMs: Math.max(0, Math.round(end.cpuMs)),
          memoryPeakBytes: Math.max(0, Math.round(end.memoryPeakBytes)),
        },
      };
      const logs = { stdout: read.stdout.inline, stderr: read.stderr.inline };
      let receipt: PendingReceipt;
      try {
        receipt = receipts.add(outcome, logs);
      } catch (error) {
        // No success without its receipt; what is short and says so may still be signed and find room.
        remember(job, null, parts);
        const why = `its receipt could not be made: ${reasonOf(error)}`;
        tell(task, { ...outcome, because: 'sandbox', detail: signableText(why), outputs: [] }, logs);
        return;
      }
      const isSuccess = outcome.because === 'exit' && end.code === 0;
      remember(job, isSuccess ? successOf(outcome, receipt.digest) : null, parts);
      await send(receipt).catch(failed(task));
    },

    async notRun(job, why) {
      const { task, verified } = job;
      const now = parts.now();
      remember(job, null, parts);
      tell(
        task,
        {
          ...about(task, verified.digest, verified.order.person, job.set ?? parts.set()),
          kind: 'ended',
          because: job.stop ?? 'sandbox',
          detail: signableText(why),
          exit: null,
          variant: verified.variant.index,
          profile: verified.profile,
          started: null,
          ended: now,
          outputs: [],
          stdout: EMPTY,
          stderr: EMPTY,
          resources: { wallMs: 0, cpuMs: null, memoryPeakBytes: null },
        },
        NO_LOGS,
      );
    },

    refused(task, verified, { code, detail }) {
      tell(
        task,
        {
          ...about(task, task.order, verified?.order.person ?? null, parts.set()),
          kind: 'refused',
          because: code,
          detail: signableText(detail),
          exit: null,
          variant: null,
          profile: null,
          started: null,
          ended: parts.now(),
          outputs: [],
          stdout: EMPTY,
          stderr: EMPTY,
          resources: { wallMs: 0, cpuMs: null, memoryPeakBytes: null },
        },
        NO_LOGS,
      );
    },

    adopted(task, verified, { receipt, attempt, ...success }) {
      tell(
        task,
        {
          ...about(task, verified.digest, verified.order.person, parts.set()),
          ...success,
          kind: 'adopted',
          adopts: receipt,
          because: 'exit',
          detail: `attempt ${attempt} succeeded here; its result stands`,
        },
        receipts.logsOf(receipt),
      );
    },
  };
}

interface Collected {
  readonly because: Outcome['because'];
  readonly detail: string;
  readonly outputs: OutputFile[];
  readonly stdout: WholeLog;
  readonly stderr: WholeLog;
}

/** Logs and outputs, after every process of the attempt is dead. */
async function collect(job: LeasedJob, end: SlotEnd, parts: ReportingParts): Promise<Collected> {
  const files = job.running;
  if (!files) throw new TypeError('an attempt that did not run has no logs');
  const isStopped = end.reason === 'cancelled' || end.reason === 'sandbox';
  const because = job.stop !== undefined && isStopped ? job.stop : end.reason;
  const begun = parts.begunTailsOf(job);
  begun?.stdout.stop();
  begun?.stderr.stop();
  try {
    const stdout = await wholeLog(job, files, 'stdout', mostOf(job, end.stdoutBytes), parts);
    const stderr = await wholeLog(job, files, 'stderr', mostOf(job, end.stderrBytes), parts);
    if (end.outputsTar === null)
      return { because: asEnd(because, job, []), detail: '', outputs: [], stdout, stderr };
    // It came to its own end and was stopped before its outputs were sent: without them that end cannot stand.
    if (job.stop !== undefined) return { because: job.stop, detail: '', outputs: [], stdout, stderr };
    const tar = end.outputsTar;
    try {
      const outputs = await parts.sendOutputs(job, tar);
      const missing = because === 'exit' && end.code === 0 ? missingOf(job, outputs) : undefined;
      if (missing !== undefined)
        return { because: 'output_missing', detail: missing, outputs: [...outputs], stdout, stderr };
      return { because: asEnd(because, job, outputs), detail: '', outputs, stdout, stderr };
    } catch (error) {
      const reason = parts.faultOfOutputs(error);
      if (reason === undefined) throw error;
      return { because: reason, detail: reasonOf(error), outputs: [], stdout, stderr };
    }
  } catch (error) {
    // The lease ended before logs or outputs were with the server: what is not there cannot stand.
    const [stdout, stderr] = await Promise.all([
      digestOnly(files.stdoutFile, mostOf(job, end.stdoutBytes)),
      digestOnly(files.stderrFile, mostOf(job, end.stderrBytes)),
    ]);
    return { because: 'lost', detail: reasonOf(error), outputs: [], stdout, stderr };
  }
}

function asEnd(
  because: Outcome['because'],
  { verified }: LeasedJob,
  outputs: readonly OutputFile[],
): Outcome['because'] {
  return because === 'exit' && verified.order.outputs.required && outputs.length === 0
    ? 'output_missing'
    : because;
}

/** What the job itself promised counts like what its order demands. */
function missingOf({ named }: LeasedJob, outputs: readonly OutputFile[]): string | undefined {
  if (named.size === 0) return undefined;
  const there = new Set(outputs.map(({ path }) => path));
  const missing = Array.from(named).find((path) => !there.has(path));
  return missing && `the job named the output ${missing}, and no such file was there at its end`;
}

async function wholeLog(
  job: LeasedJob,
  files: SlotStarted,
  stream: 'stdout' | 'stderr',
  most: number,
  parts: ReportingParts,
): Promise<WholeLog> {
  const begun = parts.begunTailsOf(job)?.[stream];
  if (!begun || begun.taken === 0) {
    const short = readShortLog(files[`${stream}File`], most);
    if ('digest' in short) return short;
  }
  // Nobody waits for the log of a lease that is over, and a result whose log is not there cannot stand.
  if (job.stop === 'lost') throw new AgentError('lease.over', 'The lease ended before the log was sent.');
  const tail = begun ?? parts.tailsOf(job)[stream];
  const sent = await parts.whileMine(job, () => tail.finish(most));
  return { ...sent, inline: null };
}

async function digestOnly(path: string, most: number): Promise<WholeLog> {
  const short = readShortLog(path, most);
  return 'digest' in short ? { ...short, inline: null } : readLongLog(path, short.size);
}

const mostOf = ({ verified }: LeasedJob, bytes: number): number =>
  Math.min(bytes, verified.order.limits.logBytes);

function plainLog({ digest, size }: WholeLog) {
  return { digest, size };
}

function about(task: LeasedTask, order: string, person: string | null, set: SetRef) {
  const { job, index, attempt, token } = plainTask(task);
  return { person, order, job, index, attempt, token, set, adopts: null, auditHead: null };
}

function successOf(outcome: Outcome, receipt: string): Success {
  const { attempt, exit, variant, profile, started, ended, outputs, stdout, stderr, resources } = outcome;
  return { receipt, attempt, exit, variant, profile, started, ended, outputs, stdout, stderr, resources };
}

function remember({ task, verified }: LeasedJob, success: Success | null, parts: ReportingParts): void {
  try {
    parts.replay.markEnded(orderKeyOf(verified), task, success);
  } catch (error) {
    // The receipt says it too, and it is read at the next start.
    parts.log('replay.end_not_written', { task: `${task.job}.${task.index}`, why: reasonOf(error) });
  }
}
