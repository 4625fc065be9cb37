import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { handleJob } from './handle-job.ts';
import type { Desk } from './handle-job.ts';
import type { SlotStarted } from './isolate/isolation.ts';
import { openTestIsolation, usualLimits } from './isolate/testing/open-test-isolation.ts';
import type { TestIsolation } from './isolate/testing/open-test-isolation.ts';
import { openLeaseBook } from './lease-book.ts';
import type { LeasedJob } from './leased-job.ts';

/** The set that counts, as far as it is looked at. */
const CURRENT = { persons: [] };

const LEASE_SECONDS = 30;

describe('a job that waits for the files of its slot', () => {
  let launcher: TestIsolation;
  let clock = 0;
  const marked: number[] = [];
  const reported: string[] = [];
  const leases = openLeaseBook();
  before(async () => {
    launcher = await openTestIsolation({ as: 'caller', profiles: ['bare'], slots: 1 });
  });
  after(() => launcher[Symbol.asyncDispose]());

  /** The files of a slot are all held, as while outputs wait for a link that is away. */
  const holdAll = (): Promise<SlotStarted[]> =>
    Promise.all(
      Array.from({ length: launcher.isolation.runsPerSlot }, async () => {
        const started = await launcher.isolation.start({
          slot: 0,
          profile: 'bare',
          argv: ['/bin/true'],
          env: [],
          inputs: [],
          limits: usualLimits,
          network: false,
          outputs: null,
        });
        await started.ended;
        return started;
      }),
    );

  const desk = {
    leases,
    log: () => undefined,
    monotonic: () => clock,
    judge: () => ({
      sets: {
        chain: [],
        current: CURRENT,
        newest: { digest: 'd', set: { version: 1, time: 0, freshnessSeconds: 1e9 } },
      },
      newestWord: 0,
      now: 0,
      purgedUpTo: 0,
      witnessed: 0,
      owner: { is: 'everyone' },
      isWithdrawn: () => false,
    }),
    replay: { markStarted: (_order: unknown, { index }: { index: number }) => marked.push(index) },
    report: {
      ended: async (job: LeasedJob) => {
        reported.push('ended');
        job.running?.release();
      },
      notRun: async () => void reported.push('not run'),
      refused: () => void reported.push('refused'),
    },
    isolate: (...run: Parameters<Desk['isolate']>) => launcher.isolation.start(...run),
    onRunning: () => undefined,
    onEnded: () => undefined,
    inHand: new Map(),
  } as unknown as Desk;

  const jobOf = (index: number): LeasedJob => {
    const task = leases.take(
      { job: 'j', index, attempt: 1, token: { epoch: 1, n: index + 1 } },
      { order: 'o', seconds: LEASE_SECONDS },
      clock,
    );
    const order = {
      person: 'p',
      job: 'j',
      notAfter: 1e6,
      issued: 0,
      notBefore: null,
      array: { is: 'range', from: 0, to: 9 },
      network: false,
      outputs: { patterns: [], required: false },
      limits: {
        timeSeconds: 20,
        memoryBytes: usualLimits.memoryBytes,
        pids: 64,
        cpuSeconds: null,
        cpus: null,
        diskBytes: usualLimits.diskBytes,
        logBytes: usualLimits.logBytes,
        logRate: null,
        cancelGraceSeconds: 1,
      },
    };
    const command = { argv: ['/usr/bin/touch', join(launcher.folder, `ran-${index}`)], variables: [] };
    const variant = { index: 0, variant: { command } };
    const verified = { order, digest: 'o', variant, profile: 'bare', under: CURRENT };
    return { task, verified, envelope: {}, inputs: [], startedAt: 0 } as unknown as LeasedJob;
  };

  it('starts when they are free', async () => {
    const held = await holdAll();
    const handled = handleJob(jobOf(0), 0, () => undefined, desk);
    held.forEach((started) => started.release());
    await handled;
    assert.ok(existsSync(join(launcher.folder, 'ran-0')));
    assert.deepEqual([marked, reported], [[0], ['ended']]);
  });

  it('is not started when its lease has ended meanwhile, and leaves them to the next', async () => {
    const held = await holdAll();
    const handled = handleJob(jobOf(1), 0, () => undefined, desk);
    clock += (LEASE_SECONDS + 1) * 1000;
    held.forEach((started) => started.release());
    await handled;
    assert.ok(!existsSync(join(launcher.folder, 'ran-1')));
    assert.deepEqual([marked, reported], [[0], ['ended']], 'neither recorded as started nor reported');
    (await holdAll()).forEach((started) => started.release());
  });
});
