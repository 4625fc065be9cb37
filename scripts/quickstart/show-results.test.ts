import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReceiptPredicate } from '@writ/contract';
import { showResults } from './show-results.ts';
import type { VerifiedStrip } from './verify-strips.ts';

test('the speed-up is what the tasks took by themselves over what it took in all', () => {
  const strips = [
    strip(0, 'quickstart-1', 4000),
    strip(1, 'quickstart-2', 3000),
    strip(2, 'quickstart-1', 1000),
  ];
  const agents = [
    { name: 'quickstart-1', megaflops: 1912 },
    { name: 'quickstart-2', megaflops: null },
    { name: 'quickstart-3', megaflops: 2000 },
  ];
  assert.deepEqual(showResults(strips, agents, { wallMs: 4000, cores: 2 }), [
    'agent          measured speed   isolation   tasks done   computing',
    'quickstart-1   1.9 GFLOPS       strict      2            5.0 s',
    'quickstart-2   –                strict      1            3.0 s',
    'quickstart-3   2.0 GFLOPS       –           0            0.0 s',
    'speed-up 2.00 on 2 cores: 8.0 s of computing in 4.0 s',
  ]);
});

function strip(index: number, agent: string, cpuMs: number): VerifiedStrip {
  // Waiting for a core is not work.
  const predicate = { profile: 'strict', resources: { wallMs: 9000, cpuMs, memoryPeakBytes: null } };
  return { index, agent, ppm: new Uint8Array(), predicate: predicate as ReceiptPredicate };
}
