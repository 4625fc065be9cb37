import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readProgress } from './progress-lines.ts';
import type { Progress } from './progress-lines.ts';

function reader(now: () => number = () => 0) {
  const found: Progress[] = [];
  const read = readProgress(now, (progress) => found.push(progress));
  return { found, say: (text: string) => read(Buffer.from(text)) };
}

describe('progress lines', () => {
  it('are found at the start of a line, however the bytes are cut', () => {
    const { found, say } = reader();
    for (const letter of 'text\n::writ::{"progress":0.25,"message":"a quarter"}\nmore ::writ::{"progress":1}\n')
      say(letter);
    assert.deepEqual(found, [{ progress: 250, message: 'a quarter' }]);
  });

  it('longer than 4 KiB, malformed or out of range are none', () => {
    const { found, say } = reader();
    say(`::writ::{"message":"${'x'.repeat(5000)}"}\n`);
    say('::writ::{"progress":\n::writ::[]\n::writ::{"progress":7}\n::writ::null\n');
    assert.deepEqual(found, []);
    say('::writ::{"progress":1}\n');
    assert.deepEqual(found, [{ progress: 1000, message: '' }]);
  });

  it('are ten a second at most', () => {
    let now = 0;
    const { found, say } = reader(() => now);
    for (let time = 0; time < 50; time += 1) say('::writ::{"progress":0.5}\n');
    assert.equal(found.length, 10);
    now = 1000;
    say('::writ::{"progress":0.6}\n');
    assert.equal(found.length, 11);
  });
});
