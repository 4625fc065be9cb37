// runs: alone
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { apply, ROOT } from './load-hooks.ts';
import { MUTANTS } from './mutants.ts';
import { runSimulation, runSimulations } from './run-simulation.ts';

/** The files in which the rules stand. */
const RULES = [
  'packages/contract/src/job/job-state.ts',
  'packages/store/src/jobs/change-jobs.ts',
  'packages/store/src/leases/accept-receipts.ts',
  'packages/store/src/leases/claim-tasks.ts',
  'packages/store/src/leases/keep-leases.ts',
  'packages/store/src/leases/release-leases.ts',
  'packages/store/src/trust/admit.ts',
  'packages/store/src/trust/leaves.ts',
  'packages/trust/src/admission/admission.ts',
  'packages/trust/src/order/check-order.ts',
  'packages/trust/src/order/judge-replay.ts',
  'packages/trust/src/order/withdrawal.ts',
  'packages/trust/src/receipt/receipt.ts',
  'packages/trust/src/signer-set/held-sets.ts',
  'apps/server/src/certificates/give-leaf.ts',
  'apps/server/src/dispatch/claim-work.ts',
  'apps/server/src/dispatch/known-classes.ts',
  'apps/server/src/dispatch/open-dispatch.ts',
  'apps/server/src/dispatch/waiting-work.ts',
  'apps/server/src/enrol/serve-enrolment.ts',
  'apps/server/src/lease/keep-leases.ts',
  'apps/server/src/link/link-tasks.ts',
  'apps/server/src/link/live-link.ts',
  'apps/server/src/link/take-receipts.ts',
  'apps/server/src/people/cancel-job.ts',
  'apps/server/src/people/submit-job.ts',
  'apps/agent/src/certificate/renew-leaf.ts',
  'apps/agent/src/compose.ts',
  'apps/agent/src/follow-signers.ts',
  'apps/agent/src/handle-job.ts',
  'apps/agent/src/hold-tasks.ts',
  'apps/agent/src/lease-book.ts',
  'apps/agent/src/leave-work.ts',
  'apps/agent/src/replay/task-memory.ts',
  'apps/agent/src/revoke-work.ts',
  'apps/agent/src/signers/held-signers.ts',
  'apps/agent/src/verify-job.ts',
];
const seeds = { mutant: null, isTraced: false, step: 1, programs: false } as const;

describe('the simulator', () => {
  it('finds nothing in 500 seeds, of which 30 in a hundred really lose a lease, and as many an answer', async () => {
    const total = await runSimulations(1, 500, 2);
    const told = total.failures.map(
      ({ seed, faults, trace }) =>
        `npm run simulate -- --seed ${seed}: ${faults.join('; ')}\n${trace.slice(-15).join('\n')}`,
    );
    assert.equal(total.failures.length, 0, told.join('\n'));
    assert.equal(total.seeds, 500);
    assert.ok(total.lostLease >= 150, `${total.lostLease} seeds lost a lease`);
    assert.ok(total.lostAnswer >= 150, `${total.lostAnswer} seeds lost an answer`);
    for (const kind of [
      'server killed at a call',
      'agent killed at a call',
      'power lost',
      'link blocked',
      'lie',
    ])
      assert.ok((total.kinds[kind] ?? 0) > 20, `${kind}: ${total.kinds[kind] ?? 0} times`);
  });

  it('loads the files that the programs load, and no other copy of a rule', async () => {
    const simulated = await runSimulation({ ...seeds, from: 1, to: 1 });
    const programs = await runSimulation({ ...seeds, from: 1, to: 0, programs: true });
    for (const rule of RULES) {
      assert.ok(simulated.files.includes(rule), `the simulator does not load ${rule}`);
      assert.ok(programs.files.includes(rule), `server and agent do not load ${rule}`);
    }
    const isOurs = (file: string): boolean => /^(packages|apps)\//.test(file);
    const known = new Set(programs.files);
    assert.deepEqual(
      simulated.files.filter((file) => isOurs(file) && !known.has(file)),
      [],
    );
  });

  it('runs the same from the same seed, whatever ran before in its process', async () => {
    const [one, later] = await Promise.all(
      [11, 9].map(async (from) => (await runSimulation({ ...seeds, from, to: 12, isTraced: true })).trace),
    );
    const other = later?.slice(-(one?.length ?? 0));
    const withoutKeys = (trace: readonly string[] | undefined): string[] =>
      (trace ?? []).map((line) => line.slice(0, 40));
    assert.ok((one?.length ?? 0) > 100);
    assert.deepEqual(withoutKeys(one), withoutKeys(other));
  });
});

describe('the planted faults', () => {
  it('are at least thirty, each fits its files exactly once, and changes them', () => {
    assert.ok(MUTANTS.length >= 30);
    for (const { name, edits } of MUTANTS)
      for (const { file } of edits) {
        const source = readFileSync(join(ROOT, file), 'utf8');
        assert.notEqual(apply(file, source, edits), source, name);
      }
  });

  it('that do not fit any more are an error', () => {
    assert.throws(() => apply('a', 'text', [{ file: 'a', text: 'other', becomes: '' }]), /0 times/);
    assert.throws(() => apply('a', 'ttt', [{ file: 'a', text: 't', becomes: '' }]), /3 times/);
  });

  for (const name of [
    'the token of a result is not compared',
    'an agent starts before its record is on the disk',
    'an order is judged under the set of its first lease',
  ])
    it(`are found by the simulator alone: ${name}`, async () => {
      const mutant = MUTANTS.findIndex((one) => one.name === name);
      assert.ok(mutant >= 0);
      const { failures } = await runSimulation({ ...seeds, from: 1, to: 200, mutant });
      assert.equal(failures.length, 1);
    });
});
