// needs: bubblewrap
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openShell, type Shell } from '../testkit/src/open-shell.ts';

const root = mkdtempSync(join(tmpdir(), 'writ-support-'));
const state = join(root, 'state');
const work = join(root, 'work');
const log = { server: join(state, 'server', 'log'), agent: join(state, 'agent', 'log') };
let ana: Shell;

/** Words that stand in one place each, and must stand in no file that is given away. */
const canaries = new Map<string, string>();
const plant = (where: string, secret: string): string => {
  assert.ok(secret.length >= 8, where);
  canaries.set(where, secret);
  return secret;
};

before(async () => {
  ana = openShell(join(root, 'ana'));
  mkdirSync(work);
  await ana.must([
    'up',
    '--dir',
    state,
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--agent-port',
    '0',
    '--name',
    'desk',
  ]);
  await runTheJob();
  await makeTokenAndContext();
  plantKeys();
  plantInLogs(await ana.must(['invite', '--name', 'other', '-q']));
});
after(async () => {
  await ana.writ(['down', '--dir', state]);
  rmSync(root, { recursive: true, force: true });
});

/** Secrets of jobs: in what was ordered and in what came out. */
async function runTheJob(): Promise<void> {
  writeFileSync(join(work, 'input.txt'), plant('an input', 'canary-of-an-input'));
  const script = `echo ${plant('a log of a job', 'canary-in-a-log')}; echo ${plant('an output', 'canary-in-an-output')} >out.txt`;
  const env = `DB=${plant('a variable of a job', 'canary-of-a-variable')}`;
  await ana.must(['run', '--in', 'input.txt', '--out', 'out.txt', '--env', env, '--', 'sh', '-c', script], {
    cwd: work,
  });
  plant('the command of a job', script);
  canaries.set('an input name', 'input.txt');
}

async function makeTokenAndContext(): Promise<void> {
  const { token } = JSON.parse(await ana.must(['token', 'create', 'ci', '--json'])) as { token: string };
  plant('a token', token);
  const trust = join(root, 'trust.json');
  writeFileSync(trust, await ana.must(['context', 'export']));
  const url = JSON.parse(await ana.must(['status', '--json'])) as { peopleAddresses: string[] };
  const [address = ''] = url.peopleAddresses;
  await ana.must(
    ['context', 'add', 'far', '--url', `https://${address}`, '--trust', trust, '--token-file', '-'],
    {
      input: `${token}\n`,
    },
  );
  // What a hand may have written there.
  const contexts = join(ana.configuration, 'writ', 'contexts.json');
  const password = plant('a password in a context', 'canary-of-a-context');
  const text = readFileSync(contexts, 'utf8').replace('https://', `https://ana:${password}@`);
  assert.ok(text.includes(password));
  writeFileSync(contexts, text);
}

/** Every key of person, agent, server and authority that is on this machine, as it stands in its file. */
function plantKeys(): void {
  const person = filesIn(join(ana.configuration, 'writ', 'keys'));
  assert.equal(person.length, 1);
  const { seed } = JSON.parse(readFileSync(person[0] ?? '', 'utf8')) as { seed: string };
  const bytes = Buffer.from(seed, 'base64url');
  for (const form of ['base64url', 'hex', 'base64'] as const)
    plant(`a person's key in ${form}`, bytes.toString(form));
  plant("an agent's identity key", readFileSync(join(state, 'agent', 'identity.key'), 'utf8').trim());
  plant("the authority's secret", readFileSync(join(state, 'server', 'authority-secret'), 'utf8').trim());
  writeFileSync(
    join(state, 'database-url'),
    `postgres://s:${plant('a password of a database', 'canary-of-postgres')}@h/d\n`,
  );
  for (const file of [
    ...filesIn(join(state, 'server', 'authority')),
    ...filesIn(join(state, 'agent', 'tls')),
  ])
    for (const [key] of readFileSync(file, 'utf8').matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+/g))
      plant(`a private key in ${file}`, key.replaceAll('\\n', '\n').split('\n')[1]?.trim() ?? '');
}

/** A log is not written to hold secrets. A fault, a library or a command line may put one there all the same. */
function plantInLogs(invite: string): void {
  plant('an invite', invite.trim());
  const header = plant('a header', 'canary.of.a.header');
  const assigned = plant('an assignment', 'canary-of-an-assignment');
  const foreign = plant('a key of another machine', Buffer.alloc(32, 'K3y!').toString('base64url'));
  const lines = [...canaries]
    .filter(([where]) => /key|secret|token|invite|password/.test(where))
    .flatMap(([, secret]) => [
      `{"event":"planted","why":${JSON.stringify(`failed with ${secret} in hand`)}}`,
      secret,
    ]);
  lines.push(`Authorization: Bearer ${header}`, `PGPASSWORD=${assigned} psql`, `{"x":"${foreign}"}`);
  lines.push(
    '-----BEGIN PRIVATE KEY-----',
    plant('lines of a private key', 'MIGHAgEAMBMGByq'),
    '-----END PRIVATE KEY-----',
  );
  // As a database tells of a wrong address: with its password.
  const [, password = ''] = [...canaries].find(([where]) => where === 'a password of a database') ?? [];
  lines.push(`could not connect to postgres://s:${password}@h/d`);
  for (const file of Object.values(log))
    appendFileSync(file, `${lines.join('\n')}\n{"event":"last line of all"}\n`);
}

describe('writ support-bundle', { timeout: 240_000 }, () => {
  test('writes one private file that holds what somebody needs who helps, and none of the secrets planted here', async () => {
    const file = join(root, 'a.tar.gz');
    const token = plant('a token in the environment', 'canary-of-the-environment');
    const said = await ana.must(['support-bundle', '--dir', state, '--file', file, '--json'], {
      environment: { WRIT_TOKEN: token },
    });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const texts = unpack(file);
    const { holds } = JSON.parse(said) as { holds: string[] };
    assert.deepEqual(holds.toSorted(), [...texts.keys()].toSorted());
    assert.deepEqual(secretsFoundIn(texts), []);
    assert.ok(canaries.size >= 20, `${canaries.size} secrets were planted`);

    const json = (name: string): Record<string, unknown> =>
      JSON.parse(texts.get(name) ?? '') as Record<string, unknown>;
    assert.equal(json('about.json')['node'], process.version);
    assert.match(String(json('about.json')['release']), /\d/);
    const server = json('server.json') as {
      cluster: { server: string };
      agents: { name: string }[];
      jobs: object;
    };
    assert.equal(server.cluster.server, 'desk');
    assert.deepEqual(
      server.agents.map(({ name }) => name),
      ['desk'],
    );
    assert.deepEqual(server.jobs, { newest: 1, byState: { succeeded: 1 } });
    const isolation = json('isolation.json') as { measured: { profiles: { probes: { is: string }[] }[] }[] };
    assert.ok((isolation.measured[0]?.profiles[0]?.probes.length ?? 0) >= 40, 'the probe is in it');
    assert.match(texts.get('server.log') ?? '', /listen/);
    assert.match(texts.get('agent.log') ?? '', /link\.opened/);
    for (const name of ['server.log', 'agent.log']) {
      assert.match(texts.get(name) ?? '', /\[removed\]/);
      assert.match(texts.get(name) ?? '', /\{"event":"last line of all"\}/);
    }
    assert.match(texts.get('files.txt') ?? '', /^0600 .*identity\.key$/m);
    assert.equal((json('configuration.json')['machine'] as { name: string }).name, 'desk');
  });

  test('does not write over a file, and works where nothing runs', async () => {
    const file = join(root, 'b.tar.gz');
    writeFileSync(file, 'mine');
    const refused = await ana.writ(['support-bundle', '--dir', state, '--file', file]);
    assert.equal(refused.exitCode, 1);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    const stranger = openShell(join(root, 'stranger'));
    const empty = join(root, 'c.tar.gz');
    await stranger.must(['support-bundle', '--dir', join(root, 'nothing'), '--file', empty]);
    assert.match(unpack(empty).get('server.json') ?? '', /There is no cluster here yet/);
  });
});

function secretsFoundIn(texts: ReadonlyMap<string, string>): string[] {
  return [...canaries].flatMap(([where, secret]) =>
    [...texts].flatMap(([name, text]) =>
      name.includes(secret) || text.includes(secret) || text.includes(JSON.stringify(secret).slice(1, -1))
        ? [`${where} in ${name}`]
        : [],
    ),
  );
}

function unpack(file: string): Map<string, string> {
  const folder = mkdtempSync(join(root, 'unpacked-'));
  const ended = spawnSync('tar', ['xzf', file, '-C', folder], { encoding: 'utf8' });
  assert.equal(ended.status, 0, ended.stderr);
  const [top = ''] = readdirSync(folder);
  return new Map(
    readdirSync(join(folder, top)).map((name) => [name, readFileSync(join(folder, top, name), 'utf8')]),
  );
}

const filesIn = (folder: string): string[] => readdirSync(folder).map((name) => join(folder, name));
