import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openSubmissions, readSubmissions } from './submission-history.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-submissions-'));
after(() => rmSync(folder, { recursive: true }));

test('what submitters did and were told is read back by job; a line that was cut short is none', async () => {
  const file = join(folder, 'submissions');
  const history = openSubmissions(file);
  const one = { job: 'a', digest: 'sha256:1', tasks: 3 };
  const two = { job: 'b', digest: 'sha256:2', tasks: 1 };
  await history.write({ is: 'asked', ...one });
  await history.write({ is: 'asked', ...two });
  await history.write({ is: 'failed', ...one });
  await history.write({ is: 'told', ...one });
  history.close();
  appendFileSync(file, '{"is":"told","job":"b"');
  const [first, second] = readSubmissions(file);
  assert.deepEqual([first?.job, first?.tasks, first?.failed.length], ['a', 3, 1]);
  assert.ok((first?.told ?? 0) >= (first?.failed[0] ?? Infinity));
  assert.deepEqual([second?.job, second?.told, second?.failed], ['b', null, []]);
});
