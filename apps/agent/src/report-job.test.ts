import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makePaperCluster, type PaperCluster } from '../../../testkit/src/hostile-server.ts';
import type { SlotEnd } from './isolate/isolation.ts';
import type { LeasedJob } from './leased-job.ts';
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
  });
  const path = join(base, 'replay.log');
  await createReplay(path);
  replay = await openReplay({ path, bootId: 'boot', now: Date.now });
  writeFileSync(stdoutFile, SAID);
  writeFileSync(stderrFile, '');
});
after(async () => {
  await receipts.close();
  await replay.close();
  rmSync(base, { recursive: true, force: true });
});

/** What its receipt says of a command that ended by itself with 0. @param sent of its output while it ran. */
async function report(stop: LeasedJob['stop'], sent: number, outputsTar: string | null): Promise<Outcome> {
  const made: Outcome[] = [];
  let pushed = sent;
  const tail = {
    get sent() {
      return pushed;
    },
    push: (most = 0): Promise<void> => {
      pushed = most;
      return Promise.resolve();
    },
  };
  const { ended } = openReporting({
    receipts: {
      ...receipts,
      add(outcome, logs) {
        made.push(outcome);
        return receipts.add(outcome, logs);
      },
    },
    replay,
    now: Date.now,
    set: () => ({ version: 1, digest: cluster.sets.newest.digest }),
    gathered: () => Promise.resolve(),
    onDurable: () => {},
    tailsOf: () => ({ stdout: tail, stderr: { sent: 0, push: () => Promise.resolve() } }),
    whileMine: (_job, what) => what(),
    sendOutputs: () =>
      Promise.resolve([{ path: 'a', mode: 'file', digest: `sha256:${'2'.repeat(64)}`, size: 1 }]),
    faultOfOutputs: () => undefined,
    log: () => {},
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
    running: { stdoutFile, stderrFile, release: () => {} },
    startedAt: 0,
    stop,
    stopping: undefined,
    named: new Set<string>(),
  } as unknown as LeasedJob;
  const end: SlotEnd = {
    reason: 'exit',
    code: 0,
    signal: null,
    startedMs: 1,
    endedMs: 2,
    cpuMs: 1,
    memoryPeakBytes: 1,
    stdoutBytes: SAID.length,
    stderrBytes: 0,
    outputsTar,
  };
  await ended(job, end);
  assert.equal(made.length, 1);
  return made[0] ?? assert.fail();
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
