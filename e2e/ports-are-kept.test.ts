// needs: bubblewrap, util-linux, iproute2
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from '@writ/client';
import { fetchOverSocket } from '@writ/client/node';
import { openShell, type Shell } from '../testkit/src/open-shell.ts';
import { readProcesses } from '../testkit/src/read-processes.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'writ-ports-')));
const state = join(root, 'state');
const LOOPBACK = ['--dir', state, '--host', '127.0.0.1'];
const ANY = ['--port', '0', '--agent-port', '0'];
let ana: Shell;

before(() => {
  ana = openShell(join(root, 'ana'));
});
after(async () => {
  await ana.writ(['down', '--dir', state]);
  for (const { pid } of readProcesses(root)) process.kill(pid, 'SIGKILL');
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

const portsNow = (): { peoplePort: number; agentPort: number } => {
  const { peoplePort, agentPort } = JSON.parse(
    readFileSync(join(state, 'server', 'address.json'), 'utf8'),
  ) as ReturnType<typeof portsNow>;
  return { peoplePort, agentPort };
};

describe('a server on any free port', { timeout: 240_000 }, () => {
  test('listens there again at each later start, and the agent of its machine finds it', async () => {
    await ana.must(['up', ...LOOPBACK, ...ANY]);
    const first = portsNow();
    await ana.must(['down', '--dir', state]);
    await ana.must(['up', ...LOOPBACK, ...ANY]);
    assert.deepEqual(portsNow(), first);
    await ana.must(['run', '--', 'true']);
    await ana.must(['down', '--dir', state]);
    await ana.must(['up', '--dir', state]);
    assert.deepEqual(portsNow(), first);
    assert.deepEqual(
      addressesOf(first.peoplePort),
      ['127.0.0.1'],
      'who chose loopback is not opened to the network',
    );
    await ana.must(['run', '--', 'true']);
    await ana.must(['down', '--dir', state]);
    await ana.must(['up', '--dir', state, '--host', '0.0.0.0', '--no-agent', '--lease', '7s']);
    assert.deepEqual(addressesOf(first.peoplePort), ['0.0.0.0']);
    await ana.must(['down', '--dir', state]);
    await ana.must(['up', ...LOOPBACK, '--no-agent']);
    const { fetch, close } = fetchOverSocket(join(state, 'server', 'admin.sock'));
    const { leaseSeconds } = await connect({ url: 'http://writ', fetch }).readServer();
    await close();
    assert.equal(leaseSeconds, 7, 'so does its lease');
    await ana.must(['down', '--dir', state]);
  });

  test('says so when somebody else has the port now, starts nothing, and listens elsewhere when told', async () => {
    const { people } = JSON.parse(readFileSync(join(state, 'server', 'listening.json'), 'utf8')) as {
      people: number;
    };
    const other = createServer().listen(people, '127.0.0.1');
    await once(other, 'listening');
    try {
      const up = await ana.writ(['up', ...LOOPBACK, ...ANY]);
      assert.equal(up.exitCode, 1);
      assert.match(up.stderr, /\[listen\.port_busy\]/);
      assert.ok(up.stderr.includes(`127.0.0.1 port ${people}, where this server listened before`), up.stderr);
      assert.deepEqual(readProcesses(state), []);
    } finally {
      other.close();
    }
    await ana.must(['up', ...LOOPBACK, '--no-agent', '--port', String(await freePort())]);
    assert.notEqual(portsNow().peoplePort, people);
    await ana.must(['down', '--dir', state]);
  });
});

/** On which addresses somebody listens at that port, as the kernel tells it. */
function addressesOf(port: number): string[] {
  const said = spawnSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' });
  assert.equal(said.status, 0, said.stderr);
  return said.stdout
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/)[3]?.replace(/:\d+$/, '') ?? '');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(typeof address === 'object' && address);
  return address.port;
}
