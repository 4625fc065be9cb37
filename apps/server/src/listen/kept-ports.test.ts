import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { choosePort, keepPorts, readKeptPorts } from './kept-ports.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-ports-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a port that is named counts; else the one from before; else the usual or any free one', () => {
  assert.deepEqual(choosePort(8000, 40_001, 7410), { port: 8000, isKept: false });
  assert.deepEqual(choosePort(0, 40_001, 7410), { port: 40_001, isKept: true });
  assert.deepEqual(choosePort(undefined, 40_001, 7410), { port: 40_001, isKept: true });
  assert.deepEqual(choosePort(0, null, 7410), { port: 0, isKept: false });
  assert.deepEqual(choosePort(undefined, null, 7410), { port: 7410, isKept: false });
});

test('ports are read back as they were kept, by their owner only', async () => {
  const file = join(folder, 'ports.json');
  assert.deepEqual(await readKeptPorts(file), { people: null, agents: null });
  await keepPorts(file, { people: 40_001, agents: 40_002 });
  assert.deepEqual(await readKeptPorts(file), { people: 40_001, agents: 40_002 });
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a damaged file keeps no port', async () => {
  const file = join(folder, 'damaged.json');
  for (const text of [
    '{"people":',
    'null',
    '{"people":"7410","agents":70000}',
    '{"people":0,"agents":1.5}',
  ]) {
    writeFileSync(file, text);
    assert.deepEqual(await readKeptPorts(file), { people: null, agents: null }, text);
  }
});
