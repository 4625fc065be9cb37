import assert from 'node:assert/strict';
import { it } from 'node:test';
import { measureServerDelay } from './server-delay.ts';

/** Their clock began at another time than ours. */
const OFFSET = 5_000_000;

it('a word that was under way for longer than others of late is late by that, whatever the two clocks say', () => {
  const delay = measureServerDelay();
  assert.equal(delay.of(OFFSET, 3), 0, 'the first is not known to be late');
  assert.equal(delay.of(OFFSET + 100, 101), 0, 'this one was quicker');
  assert.equal(delay.of(OFFSET + 200, 1_201), 1_000);
  assert.equal(delay.of(OFFSET + 2_000, 2_001), 0);
  delay.restart();
  assert.equal(delay.of(0, 3_000), 0, 'a server that was started anew has another clock');
});

it('clocks that drift apart for days make nothing late', () => {
  const delay = measureServerDelay();
  const FASTER = 1.0005;
  for (let server = 0; server < 5 * 86_400_000; server += 15_000)
    assert.ok(delay.of(server, Math.round(server * FASTER) + 2) < 100);
});

it('what comes after a long silence is compared with nothing that is long ago', () => {
  const delay = measureServerDelay();
  delay.of(0, 0);
  assert.equal(delay.of(500_000, 500_300), 0);
  assert.equal(delay.of(500_100, 500_700), 300);
});
