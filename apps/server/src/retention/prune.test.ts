import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeBase32, type Envelope } from '@writ/contract';
import { type NewJob, openStore, type Store } from '@writ/store';
import { digestOf } from '@writ/trust/digest';
import { keepFiles } from '../files/keep-files.ts';
import { keepLogs } from '../logs/keep-logs.ts';
import type { Orders } from '../orders.ts';
import { pruneWith } from './prune.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 100 * DAY;
const ASKED = { isDryRun: false, olderThanSeconds: null };
const envelope: Envelope = { payloadType: 'text/plain', payload: 'e30=', signatures: [{ sig: 'AAAA' }] };
const bytes = Buffer.from('bytes of a file');

test('a dry run says what goes, removes nothing, and the run after it says the same', async (t) => {
  const { store, files, logs, prune, folder } = await open(t);
  const old = await endedJob(store, 1, NOW - 31 * DAY);
  const young = await endedJob(store, 2, NOW - 29 * DAY);
  for (const job of [old, young]) await logs.append(logOf(job), 0, bytes, 1000);
  const digest = await oldFile(store, files, folder);
  await store.files.useFiles(old, [digest], 'output', by(NOW - 31 * DAY));
  const removed = { jobs: 1, tasks: 0, receipts: 0, files: 1, bytes: 2 * bytes.length };
  assert.deepEqual(await prune({ ...ASKED, isDryRun: true }, by(NOW)), { isDryRun: true, ...removed });
  assert.equal(await logs.sizeOf(logOf(old)), bytes.length);
  assert.deepEqual(await prune(ASKED, by(NOW)), { isDryRun: false, ...removed });
  assert.equal(await logs.sizeOf(logOf(old)), 0);
  assert.equal(await files.sizeOf(digest), null);
  assert.equal(await logs.sizeOf(logOf(young)), bytes.length);
  assert.ok(await store.jobs.readJob(young));
  await assert.rejects(stat(join(folder, 'logs', old.slice(0, 2), old)));
  const nothing = { jobs: 0, tasks: 0, receipts: 0, files: 0, bytes: 0 };
  assert.deepEqual(await prune(ASKED, by(NOW)), { isDryRun: false, ...nothing });
});

test('stopped between the records and the logs, the next run removes the logs', async (t) => {
  const { store, logs, prune } = await open(t);
  const job = await endedJob(store, 1, NOW - 31 * DAY);
  await logs.append(logOf(job), 0, bytes, 1000);
  const asked = { now: NOW, keepSeconds: 30 * 86_400, olderThanSeconds: null, limit: 10 };
  await store.retention.removeJobs(asked, by(NOW));
  const { jobs, bytes: went } = await prune(ASKED, by(NOW));
  assert.deepEqual([jobs, went], [0, bytes.length]);
  assert.equal(await logs.sizeOf(logOf(job)), 0);
});

test('bytes that came anew while their record was removed stay', async (t) => {
  const { store, files, folder, prune } = await open(t);
  const digest = await oldFile(store, files, folder);
  const { removeFiles } = store.retention;
  store.retention.removeFiles = async (asked, who) => {
    const removed = await removeFiles(asked, who);
    // An upload ends here, between the record's removal and that of the bytes.
    await send(files, digest);
    await store.files.addFile({ digest, size: bytes.length }, 'default', by(NOW));
    return removed;
  };
  await prune(ASKED, by(NOW));
  assert.equal(await files.sizeOf(digest), bytes.length);
  assert.equal((await store.files.readFile(digest))?.size, bytes.length);
});

test('bytes without a record are removed when they are a day old, and not before', async (t) => {
  const { files, folder, prune } = await open(t);
  const digest = digestOf(bytes);
  const hour = Math.trunc(Number.parseInt(digest.slice(7, 9), 16) % 16);
  const now = Math.trunc(NOW / HOUR / 16) * 16 * HOUR + hour * HOUR;
  await send(files, digest);
  await age(folder, digest, now - DAY + 1000);
  await prune(ASKED, by(now));
  assert.equal(await files.sizeOf(digest), bytes.length);
  await age(folder, digest, now - DAY - 1000);
  await prune(ASKED, by(now));
  assert.equal(await files.sizeOf(digest), null);
});

test('a file that nobody names is left for an hour also to whoever is in a hurry', async (t) => {
  const { store, files, folder, prune } = await open(t);
  const digest = await oldFile(store, files, folder);
  await store.files.touchFile(digest, NOW - HOUR + 1);
  const hurry = { isDryRun: false, olderThanSeconds: 1 };
  assert.equal((await prune(hurry, by(NOW))).files, 0);
  assert.equal((await prune(hurry, by(NOW + 1))).files, 1);
});

test('told to stop, it stops between two steps', async (t) => {
  const { store, prune, stopping } = await open(t);
  await endedJob(store, 1, NOW - 31 * DAY);
  stopping.abort();
  await assert.rejects(prune(ASKED, by(NOW)), { name: 'AbortError' });
  assert.equal((await store.jobs.listJobs({ after: null, limit: 9 })).items.length, 1);
});

async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'writ-prune-'));
  const store = await openStore({ file: join(folder, 'writ.db') });
  const files = await keepFiles(join(folder, 'files'));
  const logs = keepLogs(join(folder, 'logs'));
  const stopping = new AbortController();
  t.after(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });
  await store.jobs.classId('{}');
  const forgotten: string[] = [];
  const orders = { forget: (job: string) => forgotten.push(job) } as unknown as Orders;
  const prune = pruneWith({ store, files, logs, orders, signal: stopping.signal });
  return { folder, store, files, logs, prune, stopping };
}

const by = (now: number) => ({ actor: 'tester', source: 'test', now });
const logOf = (job: string) => ({ job, index: 0, attempt: 1, stream: 'stdout' as const });

/** A job without tasks has ended when it comes. */
async function endedJob(store: Store, n: number, ended: number): Promise<string> {
  const id = encodeBase32(new Uint8Array(16).fill(n));
  const job: NewJob = {
    id,
    digest: digestOf(id),
    envelope,
    person: id,
    project: 'default',
    queue: 'default',
    class: 1,
    priority: 0,
    firstIndex: 0,
    size: 0,
    maxAttempts: 1,
    retryOnFailure: false,
    isOnce: false,
    notBefore: null,
    notAfter: ended + DAY,
    isHeld: false,
    command: ['true'],
    submittedBy: 'ana',
  };
  await store.jobs.submit(job, by(ended));
  return id;
}

type Files = Awaited<ReturnType<typeof keepFiles>>;

async function send(files: Files, digest: string): Promise<void> {
  await files.append(digest, bytes, { offset: 0, total: bytes.length, owner: 'ana' });
}

async function age(folder: string, digest: string, to: number): Promise<void> {
  const path = join(folder, 'files', digest.slice(7, 9), digest.slice(9));
  await utimes(path, to / 1000, to / 1000);
}

async function oldFile(store: Store, files: Files, folder: string): Promise<string> {
  const digest = digestOf(bytes);
  await send(files, digest);
  await age(folder, digest, NOW - 31 * DAY);
  await store.files.addFile({ digest, size: bytes.length }, 'default', by(NOW - 31 * DAY));
  return digest;
}
