// needs: postgresql, openssl
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openStore } from '../open-store.ts';
import { type TemporaryCluster, temporaryCluster } from './testing/temporary-cluster.ts';

const run = promisify(execFile);
const wait = (ms: number) => sleep(ms);
let cluster: TemporaryCluster;
let port = 0;
before(async () => {
  port = await freePort();
  cluster = await temporaryCluster(port);
  await makeCertificates(cluster.folder);
  for (const name of ['right', 'elsewhere']) cluster.own(join(cluster.folder, `${name}.key`));
});
after(() => cluster.remove());

const open = (at: string, query = '') =>
  openStore({ url: `postgres://writ@${at}:${port}/postgres${query}`, wait, patienceMs: 200 });
const root = (name: string) => `sslrootcert=${encodeURIComponent(join(cluster.folder, `${name}.pem`))}`;
/** Loopback by another name: what is not known to be local is taken for a network. */
const NETWORK = '[::ffff:127.0.0.1]';

test('a server without TLS is refused where the way is a network, and taken on this machine', async () => {
  await assert.rejects(open(NETWORK), { code: 'store.cannot_open', message: /does not support SSL/ });
  await assert.rejects(open('localhost', '?sslmode=verify-full'), /does not support SSL/);
  const store = await open('127.0.0.1');
  assert.match(store.database, /no TLS \(this machine\)/);
  await store.close();
});

test('a server is taken with a certificate of the named authority for the named host, and with no other', async () => {
  await serveWith('right');
  for (const host of ['localhost', '127.0.0.1']) {
    const store = await open(host, `?sslmode=verify-full&${root('ca')}`);
    assert.match(store.database, /TLSv1\.[23]$/);
    await store.close();
  }
  await assert.rejects(open(NETWORK), { code: 'store.cannot_open', message: /self-signed|unable to/ });
  await assert.rejects(open('localhost', `?${root('other')}`), {
    code: 'store.cannot_open',
    message: /self-signed|signature|unable to/,
  });
  await serveWith('elsewhere');
  for (const host of ['localhost', '127.0.0.1', NETWORK])
    await assert.rejects(open(host, `?${root('ca')}`), {
      code: 'store.cannot_open',
      message: /does not match certificate's altnames/,
    });
});

async function serveWith(name: string): Promise<void> {
  await cluster.stop('fast');
  const file = (end: string) => join(cluster.folder, `${name}.${end}`);
  await cluster.set(`ssl = on\nssl_cert_file = '${file('pem')}'\nssl_key_file = '${file('key')}'`);
  await cluster.start();
}

async function makeCertificates(folder: string): Promise<void> {
  const openssl = (...rest: string[]) => run('openssl', rest, { cwd: folder });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  for (const name of ['ca', 'other'])
    await openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-subj',
      '/CN=test authority',
    );
  for (const [name, names] of [
    ['right', 'DNS:localhost,IP:127.0.0.1'],
    ['elsewhere', 'DNS:elsewhere.example'],
  ] as const) {
    await openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names}\n`);
    await openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
    );
    chmodSync(join(folder, `${name}.key`), 0o600);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}
