import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cpuOf, isProgram, namesProgram, readProcesses, type Process } from './read-processes.ts';

const root = mkdtempSync(join(tmpdir(), 'writ-processes-'));
after(() => rmSync(root, { recursive: true }));

test('a program is found by the folder on its command line, with what it started', async () => {
  const folder = join(root, 'agent-1');
  mkdirSync(folder);
  const started = "sh -c 'echo started; while :; do sleep 1; done' & wait";
  const child = spawn('/bin/sh', ['-c', started, 'sh', `${folder}/state`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  try {
    await once(child.stdout, 'data');
    const found = readProcesses(folder);
    assert.equal(found[0]?.pid, child.pid);
    assert.equal(found[1]?.parent, child.pid);
    assert.match(found[1]?.line ?? '', /^sh -c echo started/);
    assert.ok(found.slice(0, 2).every(({ memoryBytes }) => memoryBytes > 0));
  } finally {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }
});

test('a folder whose name begins alike is another one', async () => {
  const child = spawn('/bin/sh', ['-c', 'echo started; read line', 'sh', join(root, 'agent-10')]);
  try {
    await once(child.stdout, 'data');
    assert.deepEqual(readProcesses(join(root, 'agent-1')), []);
    assert.equal(readProcesses(join(root, 'agent-10')).length, 1);
  } finally {
    child.kill('SIGKILL');
  }
});

test('the time of what a program started and waited for counts as its own', async () => {
  const folder = join(root, 'busy');
  const busy = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done';
  const child = spawn('/bin/sh', ['-c', `sh -c '${busy}'; echo done; read line`, 'sh', folder]);
  try {
    await once(child.stdout, 'data');
    assert.ok(cpuOf(readProcesses(folder)) >= 20);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a program is known by its command line, from its sources and as it is published', () => {
  const of = (line: string): Process => ({ pid: 2, parent: 1, line, cpuMs: 0, memoryBytes: 0 });
  const server = of('/writ/bin/node /writ/app/server.js --state /writ');
  const wall = of(
    '/usr/bin/bwrap --ro-bind /x/server.js /writ/app/server.js -- /writ/bin/node /writ/app/server.js',
  );
  const launcher = of('/usr/bin/node /x/apps/agent/src/launcher/main.ts /d/owner.json');
  assert.ok(isProgram(server, 'server') && !isProgram(server, 'agent'));
  assert.ok(namesProgram(wall, 'server') && !isProgram(wall, 'server'));
  assert.ok(isProgram(launcher, 'launcher') && !isProgram(launcher, 'agent'));
});
