import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { JobSocket } from './job-socket.ts';

const base = mkdtempSync(join(tmpdir(), 'writ-job-socket-'));
after(() => rmSync(base, { recursive: true, force: true }));

test('a socket in a folder too deep for an address is reached by a short name, which is gone afterwards', async () => {
  const agentFolder = join(base, 'a');
  const deep = join(base, 'd'.repeat(120));
  for (const folder of [agentFolder, deep]) mkdirSync(folder);
  const server = createServer((socket) => socket.end('here')).listen(join(agentFolder, '3.1'));
  await once(server, 'listening');
  const folder = join(deep, 'api');
  const agentUid = process.getuid?.() ?? 0;
  const socket = new JobSocket({ agentFolder, agentUid, slot: 3, folder, reached: folder, uid: null });
  assert.ok(socket.path.length <= 100, socket.path);
  assert.equal(socket.show(0), false);
  assert.equal(socket.show(1), true);
  const [said] = (await once(connect(socket.path), 'data')) as [Buffer];
  assert.equal(String(said), 'here');
  socket.hide();
  assert.equal(existsSync(socket.path), false);
  socket.remove();
  assert.equal(existsSync(dirname(socket.path)), false);
  server.close();
});
