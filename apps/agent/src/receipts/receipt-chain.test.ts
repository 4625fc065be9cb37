import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs, {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { openReceipt, signerFromSeed } from '@writ/trust';
import type { Admitted } from '@writ/trust';
import type { Envelope } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';
import { failSyncs, replaceSync } from '../../../../testkit/src/replace-sync.ts';
import { openReceiptChain } from './receipt-chain.ts';
import type { ChainPlace, Outcome, ReceiptChain } from './receipt-chain.ts';
import { openReceiptSender } from './send-receipts.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-receipts-'));
const identity = signerFromSeed(new Uint8Array(32).fill(5));
const cluster = 'a'.repeat(52);
const admission = `sha256:${'1'.repeat(64)}`;
const empty = { digest: digestOf(''), size: 0 };
const outcome: Outcome = {
  kind: 'ended',
  person: 'a'.repeat(26),
  order: `sha256:${'2'.repeat(64)}`,
  job: 'a'.repeat(26),
  index: 0,
  attempt: 1,
  token: { epoch: 1, n: 1 },
  set: { version: 1, digest: `sha256:${'3'.repeat(64)}` },
  adopts: null,
  because: 'exit',
  detail: '',
  exit: { code: 0 },
  variant: 0,
  profile: 'bare',
  started: 1,
  ended: 2,
  outputs: [],
  stdout: empty,
  stderr: empty,
  resources: { wallMs: 1, cpuMs: null, memoryPeakBytes: null },
  auditHead: null,
};
let folder = '';
let count = 0;
beforeEach(() => {
  folder = join(base, String((count += 1)));
});
after(() => rmSync(base, { recursive: true, force: true }));

const place = {
  cluster,
  admission,
  identity,
  beforeRemoval: () => Promise.resolve(),
  onLost: () => assert.fail('its disk is as it should be'),
};
const open = (more: Partial<ChainPlace> = {}): Promise<ReceiptChain> =>
  openReceiptChain({ ...place, folder, ...more });
const logs = { stdout: null, stderr: null };
const read = (text: string) =>
  openReceipt((JSON.parse(text) as { envelope: Envelope }).envelope, cluster, {
    identity: identity.key,
    digest: admission,
  } as Admitted);

describe('the chain of receipts', () => {
  it('numbers them from 1, each naming the one before, also across a restart', async () => {
    const first = await open();
    const one = first.add(outcome, logs);
    const two = first.add(outcome, logs);
    await first.sync();
    // Not closed: as kill -9 leaves it.
    const second = await open();
    const three = second.add(outcome, logs);
    const told = [one, two, three].map(({ text }) => read(text));
    assert.deepEqual(
      told.map(({ predicate }) => predicate.seq),
      [1, 2, 3],
    );
    assert.deepEqual(
      told.map(({ predicate }) => predicate.previous),
      [null, told[0]!.digest, told[1]!.digest],
    );
    assert.deepEqual(
      [...second.pending].map(({ text }) => text),
      [one, two, three].map(({ text }) => text),
    );
  });

  it('keeps them until they are accepted, and its place for ever', async () => {
    const first = await open();
    for (let at = 0; at < 5; at += 1) first.add(outcome, logs);
    first.accepted(3);
    await first.close();
    const second = await open();
    assert.deepEqual(
      [...second.pending].map(({ seq }) => seq),
      [4, 5],
    );
    second.accepted(5);
    await second.close();
    const third = await open();
    assert.equal(third.pendingCount, 0);
    assert.equal(third.add(outcome, logs).seq, 6);
  });

  it('has the short logs of what came too late, also after a restart: a later lease adopts it', async () => {
    const chain = await open();
    const late = chain.add(outcome, { stdout: 'b25l', stderr: null });
    await chain.sync();
    chain.accepted(1, [1]);
    assert.deepEqual(chain.logsOf(late.digest), { stdout: 'b25l', stderr: null });
    await chain.close();
    const again = await open();
    assert.equal(again.pendingCount, 0);
    assert.deepEqual(again.logsOf(late.digest), { stdout: 'b25l', stderr: null });
    await again.close();
  });

  it('takes no notice of a receipt that was cut short: it was never sent', async () => {
    const first = await open();
    first.add(outcome, logs);
    await first.sync();
    const [name] = readdirSync(folder).filter((one) => one.endsWith('.jsonl'));
    appendFileSync(join(folder, name!), '{"seq":2,"digest":"sha2');
    const second = await open();
    assert.equal(second.seq, 1);
    assert.equal(second.add(outcome, logs).seq, 2);
    await second.close();
    assert.equal((await open()).seq, 2);
  });

  it('drops files of which everything was accepted, after the outcomes are durable elsewhere', async () => {
    let asked = 0;
    const chain = await open({ beforeRemoval: async () => void (asked += 1) });
    const long = { stdout: 'A'.repeat(40_000), stderr: null };
    for (let at = 0; at < 450; at += 1) chain.add(outcome, long);
    await chain.sync();
    const before = readdirSync(folder).filter((one) => one.endsWith('.jsonl')).length;
    chain.accepted(chain.seq);
    await chain.close();
    assert.ok(before >= 3);
    assert.equal(readdirSync(folder).filter((one) => one.endsWith('.jsonl')).length, 1);
    assert.equal(asked, 1);
    assert.equal((await open()).seq, 450);
  });

  const SHORT = 4096;
  const openShort = (more: Partial<ChainPlace> = {}): Promise<ReceiptChain> =>
    open({ segmentBytes: SHORT, ...more });
  const segmentsNow = (): string[] =>
    readdirSync(folder)
      .filter((one) => one.endsWith('.jsonl'))
      .toSorted();
  /** So many that the last one filled its segment, and the next one is without a receipt. */
  const fillSegments = (chain: ReceiptChain, count: number): void => {
    mkdirSync(folder, { recursive: true });
    while (segmentsNow().length <= count) chain.add(outcome, logs);
  };

  it('keeps its place when the newest segment holds no receipt and all before it are gone', async () => {
    const first = await openShort();
    fillSegments(first, 2);
    const { seq } = first;
    const { digest } = [...first.pending].at(-1)!;
    first.accepted(seq);
    await first.close();
    assert.equal(segmentsNow().length, 1);
    // Twice: what is read back stays as it is.
    await (await openShort()).close();
    const second = await openShort();
    assert.equal(second.seq, seq);
    const { predicate } = read(second.add(outcome, logs).text);
    assert.deepEqual([predicate.seq, predicate.previous], [seq + 1, digest]);
    await second.close();
    const third = await openShort();
    assert.deepEqual([third.seq, third.pendingCount], [seq + 1, 1]);
  });

  it('keeps its place also in a folder whose newest segment is empty', async () => {
    const first = await openShort();
    fillSegments(first, 1);
    const { seq } = first;
    await first.close();
    truncateSync(join(folder, segmentsNow().at(-1)!));
    const second = await openShort();
    second.accepted(seq);
    await second.close();
    assert.equal(segmentsNow().length, 1);
    assert.equal((await openShort()).seq, seq);
  });

  it('does not begin again at 1 in a folder that has lost its place', async () => {
    const first = await openShort();
    fillSegments(first, 1);
    const { seq } = first;
    await first.close();
    const [old, newest] = segmentsNow();
    rmSync(join(folder, old!));
    writeFileSync(join(folder, newest!), `{"accepted":${seq}}\n`);
    await assert.rejects(openShort(), { code: 'agent.state_damaged' });
  });

  it('goes on from the last one on the disk where a crash of the machine took the end of a full segment', async () => {
    const first = await openShort();
    fillSegments(first, 1);
    const [old] = segmentsNow();
    first.add(outcome, logs);
    await first.close();
    const { seq } = first;
    const lines = readFileSync(join(folder, old!), 'utf8').trimEnd().split('\n');
    writeFileSync(join(folder, old!), `${lines.slice(0, -1).join('\n')}\n{"seq":`);
    const second = await openShort();
    assert.equal(second.seq, seq - 2);
    second.add(outcome, logs);
    second.accepted(seq - 1);
    await second.close();
    const third = await openShort();
    assert.deepEqual([third.seq, third.pendingCount], [seq - 1, 0]);
  });

  it('takes nothing for lost where all that is missing was accepted', async () => {
    const first = await openShort();
    fillSegments(first, 2);
    const waiting = first.add(outcome, logs);
    await first.close();
    const [, middle, newest] = segmentsNow();
    // As a disk may leave it that was not asked in which order files go.
    rmSync(join(folder, middle!));
    appendFileSync(join(folder, newest!), `{"accepted":${waiting.seq - 1}}\n`);
    const second = await openShort();
    assert.deepEqual(
      [...second.pending].map(({ text }) => text),
      [waiting.text],
    );
  });

  it('says that they are durable only when the segment that they filled is on the disk', async (t) => {
    const losses: string[] = [];
    const chain = await open({ onLost: ({ code }) => losses.push(code) });
    let waiting: { isNew: boolean; done: fs.NoParamCallback }[] = [];
    replaceSync(t, (descriptor, done) => {
      waiting.push({ isNew: fs.fstatSync(descriptor).size < 1000, done });
    });
    const fillOne = (): void => {
      const before = readdirSync(folder).length;
      while (readdirSync(folder).length === before)
        chain.add(outcome, { stdout: 'a'.repeat(60_000), stderr: null });
    };
    /** Ends what the disk was asked for, of the new segment or of the full one. */
    const end = async (isNew: boolean, fault: Error | null = null): Promise<void> => {
      const isMine = (one: { isNew: boolean }): boolean => one.isNew === isNew;
      for (let times = 0; !waiting.some(isMine) && times < 100; times += 1) await new Promise(setImmediate);
      const mine = waiting.filter(isMine);
      assert.equal(mine.length, 1);
      waiting = waiting.filter((one) => !isMine(one));
      for (const { done } of mine) done(fault);
      for (let times = 0; times < 10; times += 1) await new Promise(setImmediate);
    };

    fillOne();
    let isDurable = false;
    const synced = chain.sync().then(() => (isDurable = true));
    await end(true);
    assert.equal(isDurable, false);
    await end(false);
    await synced;

    fillOne();
    const failed = assert.rejects(chain.sync(), { code: 'record.lost' });
    await end(false, new Error('EIO: i/o error, fdatasync'));
    await end(true);
    await failed;
    const failedAgain = assert.rejects(chain.sync(), { code: 'record.lost' });
    await end(true);
    await failedAgain;
    assert.deepEqual(losses, ['record.lost']);
  });

  it('has what another process left on the disk before it is open: that may be sent', async (t) => {
    const killed = await openShort();
    fillSegments(killed, 2);
    killed.add(outcome, logs);
    const synced = new Set<number>();
    let fault: Error | null = null;
    replaceSync(t, (descriptor, done) => {
      synced.add(fs.fstatSync(descriptor).ino);
      setImmediate(done, fault);
    });
    await openShort();
    assert.deepEqual(
      segmentsNow().map((name) => synced.has(fs.statSync(join(folder, name)).ino)),
      [true, true, true],
    );
    fault = new Error('EIO: i/o error, fdatasync');
    await assert.rejects(openShort({ onLost: () => undefined }), { code: 'record.lost' });
  });

  it('adds nothing after a sync that failed, and what is opened next writes all of it anew: a later sync would not tell', async (t) => {
    const losses: string[] = [];
    const chain = await openShort({ onLost: ({ code, message }) => losses.push(`${code} ${message}`) });
    fillSegments(chain, 1);
    const restoreSync = failSyncs(t);
    const last = chain.add(outcome, logs);
    await assert.rejects(chain.sync(), { code: 'record.lost' });
    assert.match(losses[0] ?? '', /^record\.lost .*EIO: i\/o error.* goes on from what is there\.$/);
    assert.throws(() => chain.add(outcome, logs), { code: 'record.lost' });
    await chain.close();
    restoreSync();

    const files = (): [string, number, string][] =>
      segmentsNow().map((name) => {
        const path = join(folder, name);
        return [name, fs.statSync(path).ino, readFileSync(path, 'utf8')];
      });
    const before = files();
    const again = await openShort();
    for (const [at, [name, ino, text]] of files().entries()) {
      assert.deepEqual([name, text], [before[at]?.[0], before[at]?.[2]]);
      assert.notEqual(ino, before[at]?.[1], `${name} is the file of which nobody knows what is on the disk`);
    }
    assert.equal(again.seq, last.seq);
    await again.close();
  });

  it(
    'tells of a full disk even on a full disk',
    { skip: process.geteuid?.() !== 0 && 'needs root' },
    async () => {
      mkdirSync(folder);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]);
      try {
        const chain = await open();
        try {
          writeFileSync(join(folder, 'filler'), Buffer.alloc(4 * 1024 * 1024));
        } catch {
          // Full, as it should be.
        }
        for (let at = 0; at < 20; at += 1)
          chain.add({ ...outcome, kind: 'refused', because: 'replay.not_durable' }, logs);
        await chain.sync();
        assert.equal((await open()).seq, 20);
      } finally {
        execFileSync('umount', ['-l', folder]);
      }
    },
  );
});

describe('sending receipts', () => {
  it('waits until they are durable, and sends all again on a new link', async () => {
    const chain = await open();
    const sender = openReceiptSender(chain);
    const said: string[] = [];
    const line = {
      isFull: false,
      sendText: (text: string) => void said.push(text),
      roomy: () => Promise.resolve(),
    };
    sender.use(line);
    const one = chain.add(outcome, logs);
    const two = chain.add(outcome, logs);
    await new Promise(setImmediate);
    assert.deepEqual(said, []);
    await chain.sync();
    sender.durable(one);
    sender.durable(two);
    await new Promise(setImmediate);
    assert.equal(said.length, 1);
    assert.equal((JSON.parse(said[0]!) as { receipts: unknown[] }).receipts.length, 2);
    chain.accepted(1);
    sender.use(line);
    await new Promise(setImmediate);
    assert.equal((JSON.parse(said[1]!) as { receipts: unknown[] }).receipts.length, 1);
  });
});
