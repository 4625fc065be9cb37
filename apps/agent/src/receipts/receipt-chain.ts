import { readdirSync, readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LeasedTask, ReceiptPredicate } from '@writ/contract';
import { makeReceipt } from '@writ/trust';
import type { Signer } from '@writ/trust';
import { AgentError } from '../agent-error.ts';
import { notDurable, openAppendFile } from '../append-file.ts';
import type { AppendFile } from '../append-file.ts';
import { plainTask } from '../lease-book.ts';
import { openLateLogs } from './late-logs.ts';
import type { LateLogs } from './late-logs.ts';
import type { ReceiptLogs } from './receipt-logs.ts';
import { syncFolder, writePrivateFile } from '@writ/trust/node';

/** What a receipt says, without its place in the chain. */
export type Outcome = Omit<
  ReceiptPredicate,
  'format' | 'cluster' | 'identity' | 'admission' | 'seq' | 'previous'
>;

export interface PendingReceipt {
  readonly seq: number;
  readonly digest: string;
  /** Whose end it tells, under the lease that it had. */
  readonly task: LeasedTask;
  /** The JSON that travels: envelope and short logs. */
  readonly text: string;
}

/** This agent's own chain of receipts: each numbered, naming the one before, durable before it is sent, kept until accepted. */
export interface ReceiptChain {
  /** Number of the last one; 0 for none. */
  readonly seq: number;
  readonly pending: Iterable<PendingReceipt>;
  readonly pendingCount: number;
  /** Signs and appends. In the page cache when it returns; {@link sync} makes it durable. */
  add(outcome: Outcome, logs: ReceiptLogs): PendingReceipt;
  sync(): Promise<void>;
  /** @param late those of them that came too late to count. */
  accepted(upTo: number, late?: readonly number[]): void;
  /** Short logs of a receipt that has not been accepted, as far as they are still here. */
  logsOf(digest: string): ReceiptLogs;
  /** Receipts that were on disk when this was opened: they tell outcomes also where a crash took other records of them. */
  readonly found: readonly { readonly digest: string; readonly predicate: ReceiptPredicate }[];
  close(): Promise<void>;
}

export interface ChainPlace {
  readonly folder: string;
  readonly cluster: string;
  readonly admission: string;
  readonly identity: Signer;
  /** Makes outcomes durable elsewhere, before receipts that also tell them are removed. */
  readonly beforeRemoval: () => Promise<void>;
  /** Nothing more can be made durable: what was added last may be gone. */
  readonly onLost: (error: AgentError) => void;
  /** A segment that is longer is followed by the next one; 8 MiB unless said otherwise. */
  readonly segmentBytes?: number | undefined;
}

interface Segment {
  readonly path: string;
  last: number;
}

const SEGMENT_BYTES = 8 * 1024 * 1024;
const SPARE = 'spare';
const SPARE_BYTES = 1024 * 1024;

export async function openReceiptChain(place: ChainPlace): Promise<ReceiptChain> {
  const { segmentBytes = SEGMENT_BYTES } = place;
  await mkdir(place.folder, { recursive: true, mode: 0o700 });
  await writeAnew(place.folder);
  const lateLogs = openLateLogs();
  const { segments, pending, head, found, isPlaceKept } = readSegments(place.folder, lateLogs);
  let { seq, digest: previous } = head;
  let removal: Promise<void> = Promise.resolve();
  /** Full segments that may not be on the disk yet. */
  let filling: Promise<unknown> | undefined;
  let file = await openSegment();
  makeSpare(place.folder);

  function currentSegment(): Segment {
    const segment = segments.at(-1);
    if (!segment) throw new AgentError('agent.state_damaged', `${place.folder} has no segment.`);
    return segment;
  }

  async function openSegment(): Promise<AppendFile> {
    if (segments.length === 0) segments.push({ path: segmentPath(place.folder, seq + 1), last: seq });
    const opened = openAppendFile(currentSegment().path, place);
    try {
      if (!isPlaceKept) opened.append(placeLine());
      // What another process left may be in the page cache only, and all of it counts as durable from here on.
      await Promise.all([
        opened.sync(),
        ...segments.slice(0, -1).map(({ path }) => syncFile(path)),
        syncFolder(place.folder),
      ]);
    } catch (error) {
      await opened.close();
      throw error;
    }
    return opened;
  }

  /** Begins each segment after the first: the one before it goes when all of it is accepted, its place in the chain stays. */
  function placeLine(): string {
    return `${JSON.stringify({ seq, digest: previous })}\n`;
  }

  /** A full disk must not keep a refusal from being told: the spare makes room for it, once. */
  function append(text: string): void {
    try {
      file.append(text);
    } catch (error) {
      if (!dropSpare(place.folder)) throw error;
      file.append(text);
    }
  }

  function startSegment(): void {
    const full = file;
    const path = segmentPath(place.folder, seq + 1);
    const next = openNext(path);
    // A full disk: the segment grows on, and the next receipt tries again.
    if (!next) return;
    segments.push({ path, last: seq });
    file = next;
    const mine = Promise.all([filling, full.sync(), syncFolder(place.folder)]);
    filling = mine;
    const finish = async (): Promise<void> => {
      try {
        await mine;
        if (filling === mine) filling = undefined;
      } catch {
        // It stays, and each sync fails with it.
      } finally {
        await full.close();
      }
    };
    removal = removal.then(finish);
  }

  function openNext(path: string): AppendFile | undefined {
    let next: AppendFile | undefined;
    try {
      next = openAppendFile(path, place);
      next.append(placeLine());
      return next;
    } catch {
      void next?.close();
      rmSync(path, { force: true });
      return undefined;
    }
  }

  async function sync(): Promise<void> {
    const full = filling;
    await file.sync();
    await full;
  }

  async function removeAccepted(upTo: number): Promise<void> {
    const gone = segments.filter((segment, at) => at < segments.length - 1 && segment.last <= upTo);
    if (gone.length === 0) return;
    await sync();
    await place.beforeRemoval();
    for (const segment of gone) {
      rmSync(segment.path, { force: true });
      segments.splice(segments.indexOf(segment), 1);
    }
  }

  return {
    get seq() {
      return seq;
    },
    get pendingCount() {
      return pending.size;
    },
    get pending() {
      return pending.values();
    },
    add(outcome, logs) {
      const { envelope, digest } = makeReceipt(
        {
          format: 1,
          cluster: place.cluster,
          identity: place.identity.key,
          admission: place.admission,
          ...outcome,
          seq: seq + 1,
          previous,
        },
        place.identity,
      );
      const text = JSON.stringify({ envelope, stdout: logs.stdout, stderr: logs.stderr });
      append(`{"seq":${seq + 1},"digest":"${digest}","receipt":${text}}\n`);
      seq += 1;
      previous = digest;
      const receipt = { seq, digest, task: plainTask(outcome), text };
      pending.set(seq, receipt);
      currentSegment().last = seq;
      if (file.size > segmentBytes) startSegment();
      return receipt;
    },
    sync,
    accepted(upTo, late = []) {
      for (const [known, receipt] of pending) {
        if (known > upTo) break;
        pending.delete(known);
        if (late.includes(known)) lateLogs.keep(receipt.digest, JSON.parse(receipt.text) as ReceiptLogs);
      }
      try {
        file.append(`{"accepted":${Math.min(upTo, seq)}}\n`);
      } catch {
        // Only a note: without it they are sent once more.
      }
      // A segment that stays is only longer on the disk; the next call takes it too.
      removal = removal.then(() => removeAccepted(upTo)).catch(() => undefined);
    },
    found,
    logsOf(digest) {
      for (const receipt of pending.values()) {
        if (receipt.digest !== digest) continue;
        const { stdout, stderr } = JSON.parse(receipt.text) as ReceiptLogs;
        return { stdout, stderr };
      }
      return lateLogs.of(digest) ?? { stdout: null, stderr: null };
    },
    async close() {
      await removal;
      // Whoever needed it durable has awaited a sync of his own.
      await sync().catch(() => undefined);
      await file.close();
    },
  };
}

/**
 * What the one before could not sync may still be in the page cache, and a sync that comes later would not say so: only
 * bytes that are written again are on the disk.
 */
async function writeAnew(folder: string): Promise<void> {
  for (const name of segmentNames(folder)) {
    const path = join(folder, name);
    const write = async (): Promise<void> => await writePrivateFile(path, await readFile(path));
    try {
      await write().catch(async (cause: unknown) => {
        if (!dropSpare(folder)) throw cause;
        await write();
      });
    } catch (cause) {
      throw notDurable(path, cause);
    }
  }
}

async function syncFile(path: string): Promise<void> {
  const file = openAppendFile(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

const segmentNames = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted();

const segmentPath = (folder: string, first: number): string =>
  join(folder, `${String(first).padStart(16, '0')}.jsonl`);

/** @param lateLogs get those of every receipt that is there: which of them came too late is not on the disk. */
function readSegments(folder: string, lateLogs: LateLogs) {
  const segments: Segment[] = [];
  const pending = new Map<number, PendingReceipt>();
  const found: { digest: string; predicate: ReceiptPredicate }[] = [];
  const head: { seq: number; digest: string | null } = { seq: 0, digest: null };
  let accepted = 0;
  let isPlaceKept = true;
  let isGap = false;
  const names = segmentNames(folder);
  for (const [at, name] of names.entries()) {
    const segment: Segment = { path: join(folder, name), last: head.seq };
    const text = readFileSync(segment.path, 'utf8');
    const lines = text.split('\n');
    // What was cut short was never durable, so it was never sent.
    const isCut = lines.pop() !== '';
    let bytes = 0;
    isPlaceKept = head.seq === 0;
    segments.push(segment);
    for (const line of lines) {
      const value = JSON.parse(line) as {
        accepted?: number;
        seq?: number;
        digest?: string;
        receipt?: ReceiptLogs & { envelope: { payload: string } };
      };
      if (value.seq !== undefined && value.digest !== undefined) {
        const before = value.receipt ? value.seq - 1 : value.seq;
        // A crash of the machine took the end of the segment before: what came after was not durable either.
        isGap = head.digest !== null && before !== head.seq && before > mostAccepted(folder, names);
        if (isGap) break;
        isPlaceKept = true;
        head.seq = value.seq;
        head.digest = value.digest;
        segment.last = value.seq;
      }
      bytes += Buffer.byteLength(line) + 1;
      if (value.accepted !== undefined) accepted = Math.max(accepted, value.accepted);
      if (value.seq === undefined || value.digest === undefined || !value.receipt) continue;
      const { predicate } = JSON.parse(
        Buffer.from(value.receipt.envelope.payload, 'base64').toString('utf8'),
      ) as { predicate: ReceiptPredicate };
      found.push({ digest: value.digest, predicate });
      lateLogs.keep(value.digest, value.receipt);
      pending.set(value.seq, {
        seq: value.seq,
        digest: value.digest,
        task: plainTask(predicate),
        text: line.slice(line.indexOf('"receipt":') + 10, -1),
      });
    }
    if (isCut || isGap) truncateSync(segment.path, bytes);
    if (!isGap) continue;
    for (const later of names.slice(at + 1)) rmSync(join(folder, later));
    break;
  }
  if (accepted > head.seq)
    throw new AgentError(
      'agent.state_damaged',
      `${folder} names receipt ${head.seq} as its last, and ${accepted} were accepted: this machine no longer knows its place in its chain. It needs a new identity: remove the folder of the agent, then writ join.`,
    );
  for (const seq of pending.keys()) if (seq <= accepted) pending.delete(seq);
  return { segments, pending, head, found, isPlaceKept };
}

function mostAccepted(folder: string, names: readonly string[]): number {
  let most = 0;
  for (const name of names)
    for (const [, upTo] of readFileSync(join(folder, name), 'utf8').matchAll(/^\{"accepted":(\d+)\}$/gm))
      most = Math.max(most, Number(upTo));
  return most;
}

function makeSpare(folder: string): void {
  try {
    writeFileSync(join(folder, SPARE), Buffer.alloc(SPARE_BYTES), { flag: 'wx', mode: 0o600 });
  } catch {
    // There already, or no room for it now.
  }
}

function dropSpare(folder: string): boolean {
  try {
    unlinkSync(join(folder, SPARE));
    return true;
  } catch {
    return false;
  }
}
