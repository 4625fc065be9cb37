import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { choosePort, keepListening, readKeptListening } from './kept-listening.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-ports-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a port that is named counts; else the one from before; else the usual or any free one', () => {
  assert.deepEqual(choosePort(8000, 40_001, 7410), { port: 8000, isKept: false });
  assert.deepEqual(choosePort(0, 40_001, 7410), { port: 40_001, isKept: true });
  assert.deepEqual(choosePort(undefined, 40_001, 7410), { port: 40_001, isKept: true });
  assert.deepEqual(choosePort(0, null, 7410), { port: 0, isKept: false });
  assert.deepEqual(choosePort(undefined, null, 7410), { port: 7410, isKept: false });
});

test('address and ports are read back as they were kept, by their owner only', async () => {
  const file = join(folder, 'listening.json');
  assert.deepEqual(await readKeptListening(file), { host: null, people: null, agents: null });
  await keepListening(file, { host: '127.0.0.1', people: 40_001, agents: 40_002 });
  assert.deepEqual(await readKeptListening(file), { host: '127.0.0.1', people: 40_001, agents: 40_002 });
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('a damaged file keeps no port', async () => {
  const file = join(folder, 'damaged.json');
  for (const text of [
    '{"people":',
    'null',
    '{"people":"7410","agents":70000}',
    '{"people":0,"agents":1.5,"host":7}',
  ]) {
    writeFileSync(file, text);
    assert.deepEqual(await readKeptListening(file), { host: null, people: null, agents: null }, text);
  }
});
