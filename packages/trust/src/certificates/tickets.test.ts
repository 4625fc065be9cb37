import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import tls from 'node:tls';
import { listenForLinks } from './listen-for-links.ts';
import { certifyAuthorityPair, ownOf } from './testing/certify.ts';
import { cluster, goodLeaf } from './testing/odd-leaves.ts';
import { linkServerTls, pemOf, peopleServerTls } from './tls-options.ts';

const folder = await mkdtemp(join(tmpdir(), 'writ-tickets-'));
after(async () => await rm(folder, { recursive: true }));
const authority = await certifyAuthorityPair('Writ');
const server = ownOf(await goodLeaf(authority, 'server', 'main'), authority.issuing);
const agent = await goodLeaf(authority, 'agent', 'lab-01');
await writeFile(join(folder, 'leaf.pem'), pemOf([agent.der]).join(''));
await writeFile(join(folder, 'chain.pem'), pemOf([authority.issuing.der]).join(''));
await writeFile(join(folder, 'leaf.key'), ownOf(agent).privateKeyPem, { mode: 0o600 });
await writeFile(join(folder, 'root.pem'), pemOf([authority.root.der]).join(''));

const expect = () => ({
  cluster,
  roles: ['agent' as const],
  now: Date.now(),
  roots: [authority.root.der],
  issuing: [authority.issuing.der],
  mayActNow: () => true as const,
});
const greet = (socket: tls.TLSSocket): void => {
  socket.on('error', () => {}).end('welcome\n');
};

const ports: readonly [string, () => tls.Server][] = [
  [
    'the agents’ port',
    () =>
      listenForLinks({
        own: server,
        expect,
        onLink: greet,
        onEnrol: greet,
        onRefused: (error) => assert.fail(error),
      }),
  ],
  ['an agent’s own port', () => tls.createServer(linkServerTls(server, expect), greet)],
  ['the people’s port', () => tls.createServer(peopleServerTls(server), greet)],
];

for (const [what, start] of ports) {
  test(`openssl can resume no session on ${what}`, { timeout: 10_000 }, async () => {
    assert.deepEqual(await connectTwice(start()), ['New', 'New']);
  });
}

test('openssl would resume a session where tickets are not off', { timeout: 10_000 }, async () => {
  const withTickets = tls.createServer({ ...linkServerTls(server, expect), secureOptions: 0 }, greet);
  assert.deepEqual(await connectTwice(withTickets), ['New', 'Reused']);
});

async function connectTwice(listener: tls.Server): Promise<(string | undefined)[]> {
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const session = join(folder, `session-${port}`);
  const first = await sClient(port, ['-sess_out', session]);
  const kept = await access(session).then(
    () => true,
    () => false,
  );
  const second = await sClient(port, kept ? ['-sess_in', session] : []);
  listener.close();
  return [first, second];
}

async function sClient(port: number, more: readonly string[]): Promise<string | undefined> {
  const files = ['-cert', 'leaf.pem', '-key', 'leaf.key', '-cert_chain', 'chain.pem', '-CAfile', 'root.pem'];
  const child = spawn(
    'openssl',
    ['s_client', '-connect', `127.0.0.1:${port}`, '-alpn', 'h2', '-verify_return_error', ...files, ...more],
    { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let output = '';
  child.stdout.on('data', (text) => (output += String(text)));
  child.stderr.on('data', (text) => (output += String(text)));
  await once(child, 'close');
  assert.match(output, /welcome/, output);
  assert.match(output, /Verification: OK|Verify return code: 0/, output);
  return /^(New|Reused), TLSv1\.3/m.exec(output)?.[1];
}
