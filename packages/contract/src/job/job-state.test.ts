import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  afterAttempt,
  ATTEMPT_OUTCOMES,
  hasEnded,
  isAboutTheAgent,
  isNotForThatAgent,
  jobState,
  mayBecome,
  TASK_STATES,
} from './job-state.ts';
import type { TaskCounts } from './job-state.ts';
import { REFUSAL_CODES } from './refusal-codes.ts';

const counts = (given: Partial<TaskCounts>): TaskCounts =>
  ({ ...Object.fromEntries(TASK_STATES.map((state) => [state, 0])), ...given }) as TaskCounts;

test('an end is an end', () => {
  const ends = ['succeeded', 'failed', 'cancelled', 'expired', 'refused', 'unknown'];
  assert.deepEqual(TASK_STATES.filter(hasEnded), ends);
  for (const from of TASK_STATES.filter(hasEnded))
    for (const to of TASK_STATES) assert.equal(mayBecome(from, to), false);
});

test('an attempt ends only in a state that a leased task may become', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ATTEMPT_OUTCOMES),
      fc.constantFrom('exit' as const, 'lost' as const, 'sandbox' as const, ...REFUSAL_CODES),
      fc.integer({ min: 1, max: 5 }),
      fc.record({
        maxAttempts: fc.integer({ min: 1, max: 5 }),
        retryOnFailure: fc.boolean(),
        isOnce: fc.boolean(),
      }),
      (outcome, because, attempt, rule) => {
        const next = afterAttempt({ outcome, because }, attempt, rule);
        assert.ok(mayBecome('leased', next), `leased → ${next}`);
        assert.ok(
          outcome === 'returned' || next !== 'waiting' || attempt < rule.maxAttempts,
          'no attempt beyond the maximum',
        );
        assert.ok(!(rule.isOnce && outcome === 'lost' && next === 'waiting'), 'once is never tried again');
      },
    ),
  );
});

test('a non-zero exit is retried only when asked for, a lost attempt always while attempts are left', () => {
  const rule = { maxAttempts: 3, retryOnFailure: false, isOnce: false };
  const failed = { outcome: 'failed', because: 'exit' } as const;
  assert.equal(afterAttempt(failed, 1, rule), 'failed');
  assert.equal(afterAttempt(failed, 1, { ...rule, retryOnFailure: true }), 'waiting');
  assert.equal(afterAttempt(failed, 3, { ...rule, retryOnFailure: true }), 'failed');
  const lost = { outcome: 'lost', because: 'lost' } as const;
  assert.equal(afterAttempt(lost, 2, rule), 'waiting');
  assert.equal(afterAttempt(lost, 3, rule), 'failed');
  assert.equal(afterAttempt(lost, 1, { ...rule, isOnce: true, maxAttempts: 1 }), 'unknown');
});

test('a refusal that any agent would repeat ends the task at once', () => {
  const rule = { maxAttempts: 3, retryOnFailure: false, isOnce: false };
  assert.equal(afterAttempt({ outcome: 'refused', because: 'order.signature_bad' }, 1, rule), 'refused');
  assert.equal(afterAttempt({ outcome: 'refused', because: 'machine.label' }, 1, rule), 'waiting');
  assert.equal(afterAttempt({ outcome: 'refused', because: 'replay.running' }, 1, rule), 'waiting');
  assert.ok(!isAboutTheAgent('order.key_compromised'));
});

test('what an agent could not isolate, or refused for a reason of its own, is not for that agent now', () => {
  assert.ok(isNotForThatAgent({ outcome: 'failed', because: 'sandbox' }));
  assert.ok(isNotForThatAgent({ outcome: 'refused', because: 'replay.not_durable' }));
  assert.ok(!isNotForThatAgent({ outcome: 'refused', because: 'order.signature_bad' }));
  for (const because of ['exit', 'signal', 'memory_limit'] as const)
    assert.ok(!isNotForThatAgent({ outcome: 'failed', because }));
  assert.ok(!isNotForThatAgent({ outcome: 'lost', because: 'lost' }));
});

test('a job is as alive as its liveliest task, and as bad as its worst', () => {
  assert.equal(jobState(counts({ succeeded: 3, running: 1, failed: 1 })), 'running');
  assert.equal(jobState(counts({ succeeded: 3, waiting: 1, failed: 1 })), 'waiting');
  assert.equal(jobState(counts({ succeeded: 3, failed: 1, cancelled: 1 })), 'failed');
  assert.equal(jobState(counts({ succeeded: 3 })), 'succeeded');
});
