import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { OutputFile } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';
import { makePaperCluster, type PaperCluster } from '../../../testkit/src/hostile-server.ts';
import type { SlotEnd } from './isolate/isolation.ts';
import type { LeasedJob } from './leased-job.ts';
import { openLiveJobs } from './live-job.ts';
import { openReceiptChain, type Outcome, type ReceiptChain } from './receipts/receipt-chain.ts';
import { createReplay, openReplay, type Replay } from './replay/open-replay.ts';
import { openReporting } from './report-job.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-report-'));
const stdoutFile = join(base, 'out0');
const stderrFile = join(base, 'err0');
const SAID = 'half of it\nand the rest\n';

let cluster: PaperCluster;
let receipts: ReceiptChain;
let replay: Replay;

before(async () => {
  cluster = await makePaperCluster();
  receipts = await openReceiptChain({
    folder: join(base, 'receipts'),
    cluster: cluster.sets.cluster,
    admission: `sha256:${'1'.repeat(64)}`,
    identity: cluster.person.signer,
    beforeRemoval: () => Promise.resolve(),
    onLost: () => assert.fail(),
  });
  const path = join(base, 'replay.log');
  await createReplay(path);
  replay = await openReplay({ path, bootId: 'boot', now: Date.now, onLost: () => assert.fail() });
  writeFileSync(stdoutFile, SAID);
  writeFileSync(stderrFile, '');
});
after(async () => {
  await receipts.close();
  await replay.close();
  rmSync(base, { recursive: true, force: true });
});

type Parts = Parameters<typeof openReporting>[0];

/** A job of which all processes are dead, and how its end is reported. */
function openReport(
  stop: LeasedJob['stop'],
  parts: Pick<Parts, 'tailsOf' | 'begunTailsOf'> & Partial<Parts>,
) {
  const made: Outcome[] = [];
  const reporting = openReporting({
    receipts: {
      ...receipts,
      add(outcome, inline) {
        const receipt = receipts.add(outcome, inline);
        made.push(outcome);
        return receipt;
      },
    },
    replay,
    now: Date.now,
    set: () => ({ version: 1, digest: cluster.sets.newest.digest }),
    gathered: () => Promise.resolve(),
    onDurable: () => {},
    whileMine: (_job, what) => what(),
    sendOutputs: () =>
      Promise.resolve([{ path: 'a', mode: 'file', digest: `sha256:${'2'.repeat(64)}`, size: 1 }]),
    faultOfOutputs: () => undefined,
    log: () => {},
    ...parts,
  });
  const { order, envelope, digest } = cluster.order({ outputs: { patterns: ['a'], required: true } });
  const token = { epoch: 1, n: 1 };
  const task = { job: order.job, index: 0, attempt: 1, token, order: digest, seconds: 1 };
  const job = {
    task: { ...task, endsAt: 0, renewAt: 0, asked: [], isRunning: true, isMine: stop !== 'lost' },
    verified: { order, digest, profile: 'bare', variant: { index: 0 } },
    envelope,
    inputs: [],
    set: undefined,
    running: { stdoutFile, stderrFile, running: Promise.resolve(0), release: () => {} },
    startedAt: 0,
    stop,
    stopping: undefined,
    named: new Set<string>(),
  } as unknown as LeasedJob;
  return {
    job,
    reporting,
    made,
    /** What the one receipt says. */
    async end(more: Partial<SlotEnd>): Promise<Outcome> {
      await reporting.ended(job, { ...ENDED, ...more });
      assert.equal(made.length, 1);
      return made[0] ?? assert.fail();
    },
  };
}

const ENDED: SlotEnd = {
  reason: 'exit',
  code: 0,
  signal: null,
  startedMs: 1,
  endedMs: 2,
  cpuMs: 1,
  memoryPeakBytes: 1,
  stdoutBytes: SAID.length,
  stderrBytes: 0,
  outputsTar: null,
};

/** What its receipt says of a command that ended by itself with 0. @param sent of its output while it ran. */
async function report(stop: LeasedJob['stop'], sent: number, outputsTar: string | null): Promise<Outcome> {
  const tail = {
    taken: sent,
    push: () => Promise.resolve(),
    stop: () => {},
    finish: (size: number) => Promise.resolve({ digest: digestOf(SAID), size }),
  };
  const tails = { stdout: tail, stderr: { ...tail, taken: 0 } };
  const logs = { tailsOf: () => tails, begunTailsOf: () => (sent > 0 ? tails : undefined) };
  return openReport(stop, logs).end({ outputsTar });
}

describe('the receipt of a command that ended by itself', () => {
  it('tells its outputs while the lease holds', async () => {
    const { because, outputs } = await report(undefined, 0, 'tar');
    assert.deepEqual([because, outputs.length], ['exit', 1]);
  });

  it('does not say that outputs are missing which were not sent because the lease was over', async () => {
    const { because, outputs } = await report('lost', 0, 'tar');
    assert.deepEqual([because, outputs.length], ['lost', 0]);
  });

  it('is that of a cancelled one when it was cancelled before its outputs were sent', async () => {
    const { because } = await report('cancelled', 0, 'tar');
    assert.equal(because, 'cancelled');
  });

  it('is no result when the lease ended before all of its log was with the server', async () => {
    const { because, stdout } = await report('lost', 5, 'tar');
    assert.deepEqual([because, stdout.size], ['lost', SAID.length]);
  });
});

describe('a log of which a part was sent while its job ran', () => {
  beforeEach(() => {
    writeFileSync(stdoutFile, '');
    writeFileSync(stderrFile, '');
  });

  /** A job whose log is looked at once, by a server that answers when it is told to. */
  async function looked(stop: LeasedJob['stop']) {
    let now = 0;
    const got: string[] = [];
    const answers = Promise.withResolvers<void>();
    const live = openLiveJobs({
      monotonic: () => now,
      send: () => {},
      sendLog: async (path, offset, _size, bytes) => {
        got.push(`${path.split('/').at(-1)} ${offset} ${(await buffer(bytes)).toString()}`);
        await answers.promise;
      },
      isLinked: () => true,
      log: () => {},
    });
    const report = openReport(stop, live);
    live.add(report.job);
    await report.job.running?.running;
    now = 1000;
    live.look();
    return { ...report, got, answer: () => answers.resolve() };
  }

  it('stands in the receipt as the server has it, also when the job emptied it after that', async () => {
    writeFileSync(stdoutFile, 'first\n');
    const { end, got, answer } = await looked(undefined);
    answer();
    await until(() => got.length === 1);
    writeFileSync(stdoutFile, '');
    const { because, stdout } = await end({ stdoutBytes: 0, outputsTar: 'tar' });
    assert.deepEqual(
      [because, stdout, got],
      ['exit', { digest: digestOf('first\n'), size: 6 }, ['stdout 0 first\n']],
    );
  });

  it('is all that leaves under the name of a job that is over: its files are those of the next', async () => {
    writeFileSync(stdoutFile, 'of this job\n');
    const { job, end, got, answer } = await looked('lost');
    await until(() => got.length === 1);
    const { because } = await end({ stdoutBytes: 12 });
    for (const file of [stdoutFile, stderrFile]) writeFileSync(file, 'a secret of the job that follows\n');
    answer();
    for (let turns = 0; turns < 100; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(job.stop, 'lost');
    assert.deepEqual([because, got], ['lost', ['stdout 0 of this job\n']]);
  });
});

describe('what a name or a message may not keep from being told', () => {
  const noLogs = { tailsOf: () => assert.fail(), begunTailsOf: () => undefined };
  const digest = `sha256:${'2'.repeat(64)}`;

  beforeEach(() => [stdoutFile, stderrFile].forEach((file) => writeFileSync(file, '')));

  it('is the end of a job whose outputs cannot be signed: no success, and the task is not held for ever', async () => {
    const sendOutputs = (): Promise<OutputFile[]> =>
      Promise.resolve([{ path: 'e\u0301', mode: 'file', digest, size: 1 }]);
    const { job, end } = openReport(undefined, { ...noLogs, sendOutputs });
    const { because, outputs, detail } = await end({ outputsTar: 'tar' });
    assert.deepEqual([because, outputs], ['sandbox', []]);
    assert.match(detail, /receipt could not be made: .*not_normal/);
    const { order } = job.verified;
    const key = {
      digest: job.verified.digest,
      person: order.person,
      job: order.job,
      notAfter: order.notAfter,
    };
    assert.equal(replay.recall(key, 0).last, 'ended');
  });

  it('is what is wrong: it is written in ASCII where it cannot be signed as it is', async () => {
    const { job, made, reporting } = openReport(undefined, noLogs);
    for (const why of ['naïve', 'nai\u0308ve', 'a\n\u0301', `${'x'.repeat(999)}😀`, '\ud800'])
      await reporting.notRun(job, why);
    assert.deepEqual(
      made.map(({ detail }) => detail),
      ['naïve', 'nai\\u0308ve', 'a\\u000a\\u0301', `${'x'.repeat(999)}\\`, '\\ud800'],
    );
    reporting.refused({ ...job.task, order: digest }, null, { code: 'order.expired', detail: 'a\n\u0301' });
    assert.equal(made.at(-1)?.detail, 'a\\u000a\\u0301');
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
