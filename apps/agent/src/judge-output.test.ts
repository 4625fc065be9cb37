import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyNotOutput } from './judge-output.ts';
import type { LeasedJob } from './leased-job.ts';

const jobWith = (...patterns: string[]): LeasedJob =>
  ({
    inputs: [{ path: 'r/in.csv' }],
    verified: { order: { outputs: { patterns, required: false } } },
  }) as unknown as LeasedJob;

test('a job may promise what a pattern of its order finds, and no input', () => {
  const job = jobWith('r/*.csv', 'log');
  assert.equal(whyNotOutput(job, 'r/a.csv'), null);
  assert.equal(whyNotOutput(job, 'log'), null);
  assert.match(whyNotOutput(job, 'r/b/a.csv') ?? '', /no pattern/);
  assert.match(whyNotOutput(job, 'r/in.csv') ?? '', /is an input/);
});

test(
  'a job that goes on promising what is long to compare is not listened to for ever',
  { timeout: 120_000 },
  () => {
    const job = jobWith(`*${'a'.repeat(500)}b`);
    let why: string | null = '';
    for (let calls = 0; calls < 2000 && !why?.includes('too long'); calls += 1)
      why = whyNotOutput(job, 'a'.repeat(1000));
    assert.match(why ?? '', /too long/);
  },
);
