import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { OwnCertificate } from '@writ/trust/certificates';
import { keepCertificates } from '../certificates/keep-certificates.ts';
import { statePaths } from '../state-paths.ts';
import { type PortParts, portsWith } from './open-ports.ts';

const clock = { now: Date.now, monotonic: () => performance.now(), after: () => () => undefined };

describe('the ports of a server', () => {
  let state: string;
  let own: OwnCertificate;
  before(async () => {
    state = await mkdtemp(join(tmpdir(), 'writ-ports-'));
    const paths = statePaths(state);
    await mkdir(paths.folder, { recursive: true });
    const certificates = await keepCertificates(
      paths,
      clock,
      (size) => crypto.getRandomValues(new Uint8Array(size)),
      null,
    );
    own = await certificates.ownLeaf(`${'a'.repeat(51)}q`, 'server', {
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
    });
    await certificates.kept;
  });
  after(() => rm(state, { recursive: true, force: true }));

  const portsOf = (more: Partial<PortParts>) =>
    portsWith({
      clock,
      log: () => undefined,
      asked: { host: '127.0.0.1', peoplePort: 0, agentPort: 0 },
      listeningFile: join(state, 'listening.json'),
      ownLeaf: async () => own,
      expect: () => ({
        cluster: '',
        roles: ['agent'],
        now: 0,
        roots: [],
        issuing: [],
        mayActNow: () => true,
      }),
      answer: () => undefined,
      onLink: () => undefined,
      onEnrol: () => undefined,
      onOpen: async () => undefined,
      ...more,
    });
  const freePort = async (): Promise<number> => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  };

  it('are closed until they are opened, open once for all who ask, and are kept for the next start', async () => {
    let opened = 0;
    const ports = portsOf({ onOpen: async () => void (opened += 1) });
    assert.deepEqual(Object.values(ports.at), [null, null]);
    await Promise.all([ports.open(), ports.open()]);
    const { people, agents } = ports.at;
    assert.ok(people && agents);
    assert.equal(opened, 1);
    assert.deepEqual(ports.tls(), { least: 'TLSv1.3', tickets: false });
    const kept = JSON.parse(await readFile(join(state, 'listening.json'), 'utf8'));
    assert.deepEqual(kept, { format: 1, host: '127.0.0.1', people: people.port, agents: agents.port });
    await ports.close();
    for (const { port } of [people, agents]) {
      const [error] = await once(connect(port, '127.0.0.1'), 'error');
      assert.equal(error.code, 'ECONNREFUSED');
    }
  });

  it('open at a later time when one of them was busy: the other was not kept open meanwhile', async () => {
    const busy = createServer().listen(0, '127.0.0.1');
    await once(busy, 'listening');
    const { port: agentPort } = busy.address() as AddressInfo;
    const peoplePort = await freePort();
    const ports = portsOf({ asked: { host: '127.0.0.1', peoplePort, agentPort } });
    await assert.rejects(ports.open(), { code: 'listen.port_busy' });
    assert.deepEqual(Object.values(ports.at), [null, null]);
    await new Promise((resolve) => busy.close(resolve));
    await ports.open();
    assert.deepEqual([ports.at.people?.port, ports.at.agents?.port], [peoplePort, agentPort]);
    await ports.close();
  });
});
