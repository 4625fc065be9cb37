import { isUtf8 } from 'node:buffer';
import {
  BOUNDS,
  type Command,
  type Envelope,
  firstIndex,
  inputManifestCheck,
  type InputFile,
  type Order,
  orderCheck,
  PAYLOAD_TYPES,
  readMessage,
  taskCount,
} from '@writ/contract';
import type { By, JobRecord, NewJob } from '@writ/store';
import {
  checkFreshness,
  checkGrants,
  checkInputPaths,
  checkSetNamed,
  checkSound,
  checkTimes,
  envelopeDigest,
  type OpenedOrder,
  openOrder,
  readUnverified,
  TrustError,
} from '@writ/trust';
import { ServerError } from '../server-error.ts';
import type { PeopleParts } from './people-parts.ts';
import { findQueue } from './queues.ts';

export type SubmitParts = Pick<
  PeopleParts,
  'store' | 'clock' | 'cluster' | 'orders' | 'dispatch' | 'files' | 'counters' | 'refuseWhenFull'
> & { readonly queueNames: () => Promise<ReadonlySet<string>> };

/** Of a job beside its order: rows, indexes, audit, and the log of the database. */
const RECORD_BYTES = 4096;

/** What stands beside the order, and changes only when it runs. */
export interface Steering {
  readonly priority?: number;
  readonly isHeld?: boolean;
}

/**
 * Judges an order with the functions that agents use, so that people get an early and precise answer; then makes it
 * durable, and hands it out in the same transaction where an agent is free.
 */
export async function submitJob(
  parts: SubmitParts,
  envelope: Envelope,
  by: By,
  { priority, isHeld = false }: Steering = {},
): Promise<{ readonly job: JobRecord; readonly isNew: boolean }> {
  const { store, dispatch, orders, cluster } = parts;
  const judged = judge(parts, envelope);
  if ('endedKey' in judged) {
    const before = await store.jobs.readJob(judged.endedKey.job);
    if (before?.digest === judged.endedKey.digest) return { job: before, isNew: false };
    throw judged.why;
  }
  const { opened } = judged;
  parts.counters.orders += 1;
  const { order, digest } = opened;

  // The same order once more is answered as the first time, also when it could not be submitted anew.
  const before = await store.jobs.readJob(order.job);
  if (before?.digest === digest) return { job: before, isNew: false };
  if (before) throw usedBefore(order.job);
  refuseWhen(() => checkNow(parts, opened));
  const queue = await findQueue(parts, order);
  const inputs = await findInputs(parts, order);
  if (inputs.length > 0) await refuseMissing(parts, order, inputs);
  await parts.refuseWhenFull(RECORD_BYTES + 2 * envelope.payload.length, 'record');

  const classId = dispatch.classOfOrder(order) ?? (await dispatch.classOf(order));
  // From here on one turn: what is written in it is one transaction, the first leases included.
  if (!orders.keepNew({ order, digest, envelope })) throw usedBefore(order.job);
  const submitted = store.jobs.submit(
    { ...jobOf(opened, envelope, classId), priority: priority ?? queue.priority, isHeld },
    by,
    inputs.map((file) => file.digest),
  );
  if (!isHeld && (order.notBefore === null || order.notBefore <= by.now)) {
    dispatch.addWork(classId);
    dispatch.serve();
    dispatch.overtake({
      class: classId,
      priority: priority ?? queue.priority,
      tasks: taskCount(order.array),
    });
  }
  const answer = await submitted.catch((error: unknown) => {
    // It is not here: its id is as free as before.
    orders.forget(order.job);
    throw error;
  });
  if (!('job' in answer)) {
    orders.forget(order.job);
    if (answer.is === 'removed') throw removedBefore(order.job);
    if (answer.is === 'conflict') throw usedBefore(order.job);
    // They were removed since they were looked for.
    await refuseMissing(parts, order, inputs);
    throw new ServerError(
      'file.missing',
      'Files that the order names were removed just now. Send them again.',
    );
  }
  cluster.witness(order.person, order.key, order.issued, by.now);
  return { job: answer.job, isNew: answer.is === 'added' };
}

const usedBefore = (job: string): ServerError =>
  new ServerError(
    'conflict.job_id',
    `The job id ${job} was used for another order. Make a new id for a new order.`,
  );

const removedBefore = (job: string): ServerError =>
  new ServerError(
    'job.removed',
    `The job ${job} was here, and was removed after its time of keeping. It is not run again: sign a new order.`,
  );

type Judged =
  | { readonly opened: OpenedOrder }
  | { readonly endedKey: { readonly job: string; readonly digest: string }; readonly why: unknown };

const ENDED_KEY = new Set(['order.key_compromised', 'order.key_retired', 'order.key_expired']);

/** Whoever asks again because the answer was lost may hold a key that counts no more: what it signed before may be here. */
function judge(parts: SubmitParts, envelope: Envelope): Judged {
  try {
    return { opened: refuseWhen(() => openOrder(envelope, parts.cluster.sets())) };
  } catch (why) {
    const code = why instanceof ServerError && why.cause instanceof TrustError ? why.cause.code : '';
    if (!ENDED_KEY.has(code)) throw why;
    const opening = { type: PAYLOAD_TYPES.order, check: orderCheck, maxBytes: BOUNDS.orderBytes };
    const { job } = readUnverified(envelope, opening);
    return { endedKey: { job, digest: envelopeDigest(envelope) }, why };
  }
}

function checkNow({ cluster, clock }: SubmitParts, opened: OpenedOrder): void {
  const now = clock.now();
  const sets = cluster.sets();
  checkSetNamed(opened, sets);
  checkFreshness(sets, Math.max(cluster.newestWord(), 0), now);
  checkGrants(opened, sets);
  // An order for later waits here; an agent gets it when its time has come.
  const { notBefore } = opened.order;
  checkTimes(opened, { now: Math.max(now, notBefore ?? 0), purgedUpTo: 0, witnessed: 0 });
  checkSound(opened);
  if (opened.order.runs.is === 'definition')
    throw new TrustError('definition.unavailable', 'definitions are not run by this version');
}

function refuseWhen<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new ServerError(
      'order.refused',
      `Agents would refuse this order: ${error.message}.`,
      [{ pointer: '/order', detail: error.code }],
      { cause: error },
    );
  }
}

/** It is parsed in one piece. */
const MOST_MANIFEST_BYTES = 64 * 1024 * 1024;

/** Every file that the order names, with what its manifests list. */
async function findInputs(parts: SubmitParts, order: Order): Promise<{ digest: string; size: number }[]> {
  if (order.runs.is !== 'command') return [];
  const found: { digest: string; size: number }[] = [];
  for (const { command } of order.runs.variants) found.push(...(await inputsOf(parts, order, command)));
  return found;
}

async function inputsOf(
  parts: SubmitParts,
  order: Order,
  { inputs }: Command,
): Promise<{ digest: string; size: number }[]> {
  if (inputs.is === 'list') return inputs.files;
  const manifest = { digest: inputs.digest, size: inputs.size };
  await refuseMissing(parts, order, [manifest]);
  if (inputs.size > MOST_MANIFEST_BYTES)
    throw refusedInput(`a manifest has ${MOST_MANIFEST_BYTES} bytes at most`);
  const chunks: Uint8Array[] = [];
  if (inputs.size > 0)
    for await (const chunk of parts.files.read(inputs.digest, { start: 0, end: inputs.size - 1 }))
      chunks.push(chunk);
  const files = readManifest(Buffer.concat(chunks));
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  if (files.length !== inputs.files || bytes !== inputs.bytes)
    throw refusedInput('the manifest has other files than the order says');
  refuseWhen(() => checkInputPaths(files.map((file) => file.path)));
  return [manifest, ...files];
}

function readManifest(bytes: Uint8Array): InputFile[] {
  if (!isUtf8(bytes)) throw refusedInput('the manifest is not in UTF-8');
  const read = readMessage(Buffer.from(bytes).toString('utf8'), inputManifestCheck);
  if ('fault' in read) throw refusedInput(`the manifest does not count: ${read.fault}`);
  return read.message;
}

const refusedInput = (why: string): ServerError =>
  new ServerError('order.refused', `Agents would refuse this order: ${why}.`, [
    { pointer: '/order', detail: 'input.malformed' },
  ]);

const MOST_ASKED = 1_000;
const MOST_NAMED = 100;

/** A digest may be named by a project that has shown the bytes, and by no other: it is no password. */
async function refuseMissing(
  { store }: SubmitParts,
  order: Order,
  inputs: readonly { readonly digest: string; readonly size: number }[],
): Promise<void> {
  const missing: string[] = [];
  for (let at = 0; at < inputs.length; at += MOST_ASKED) {
    const some = inputs.slice(at, at + MOST_ASKED);
    const known = new Map(
      (await store.files.listKnown([...new Set(some.map((file) => file.digest))], order.project)).map(
        (file) => [file.digest, file.size],
      ),
    );
    for (const { digest, size } of some) if (known.get(digest) !== size) missing.push(digest);
  }
  if (missing.length === 0) return;
  const errors = [...new Set(missing)]
    .slice(0, MOST_NAMED)
    .map((digest) => ({ pointer: '/order', detail: digest }));
  throw new ServerError(
    'file.missing',
    `${missing.length} of the files that the order names were not sent to the project ${order.project}. Ask which with POST /api/v1/files/missing, and send them.`,
    errors,
  );
}

function jobOf(
  { order, digest, person }: OpenedOrder,
  envelope: Envelope,
  classId: number,
): Omit<NewJob, 'priority' | 'isHeld'> {
  const command = order.runs.is === 'command' ? (order.runs.variants[0]?.command.argv ?? []) : [];
  return {
    id: order.job,
    digest,
    envelope,
    person: order.person,
    project: order.project,
    queue: order.queue,
    class: classId,
    firstIndex: firstIndex(order.array),
    size: taskCount(order.array),
    maxAttempts: order.maxAttempts,
    retryOnFailure: order.retryOnFailure,
    isOnce: order.maxAttempts === 1 && order.machine.agents.length === 1,
    notBefore: order.notBefore,
    notAfter: order.notAfter,
    command: shorten(command),
    submittedBy: person.name,
  };
}

/** For lists: the whole is in the order. */
function shorten(argv: readonly string[]): string[] {
  return argv
    .slice(0, 32)
    .map((argument) => (argument.length > 200 ? `${argument.slice(0, 199)}…` : argument));
}
