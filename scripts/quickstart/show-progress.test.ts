import assert from 'node:assert/strict';
import { test } from 'node:test';
import { showBars, showLines, type AgentProgress } from './show-progress.ts';

const agents: AgentProgress[] = [
  { name: 'quickstart-1', done: 2, strip: { index: 5, thousandths: 400 } },
  { name: 'quickstart-2', done: 1, strip: undefined },
];

test('on a pipe each agent has a line, with what is done in all', () => {
  let written = '';
  showLines((text) => (written += text)).show(agents, 8);
  assert.equal(
    written,
    '  quickstart-1  2 done · strip 5 at 40 % · 3 of 8 strips\n  quickstart-2  1 done · free · 3 of 8 strips\n',
  );
});

test('on a terminal the same lines are drawn over again, with bars', () => {
  const writes: string[] = [];
  const bars = showBars((text) => writes.push(text));
  bars.show(agents, 8);
  bars.show(agents, 8);
  assert.equal(writes[1], `\x1b[3A${writes[0]}`);
  assert.match(writes[0] ?? '', /2 done {3}█{12}░{18} {2}strip 5 at 40 %\n/);
});
