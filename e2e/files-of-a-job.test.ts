// needs: bubblewrap
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { PeopleFolder } from '@writ/client/node';
import { startFaultProxy, type FaultProxy } from '../testkit/src/fault-proxy.ts';
import type { Ended } from '../testkit/src/open-shell.ts';
import { namesProgram, type Process } from '../testkit/src/read-processes.ts';
import { startCluster, type AgentMember, type Cluster } from '../testkit/src/start-cluster.ts';

const MIB = 1024 * 1024;
const BIG_MIB = Number(process.env['WRIT_FILE_MIB'] ?? 256);
/** What a command and its order cost beside the files. */
const TALK = 100 * 1024;

let cluster: Cluster;
let agent: AgentMember;
/** Between the person's program and the server. */
let proxy: FaultProxy;
let token: string;
/** Where the person works. */
let folder: string;

before(async () => {
  cluster = await startCluster({
    agents: [{ name: 'files-one', slots: 1, labels: ['gpu'], isBehindProxy: true }],
  });
  agent = cluster.agent('files-one');
  proxy = await startFaultProxy({ port: cluster.server.peoplePort });
  token = (await cluster.openRemoteClient()).server.token ?? '';
  const people = new PeopleFolder(join(cluster.person.configuration, 'writ'));
  const contexts = await people.readContexts();
  const [context] = contexts.contexts;
  assert.ok(context);
  const far = {
    ...context,
    name: 'far',
    reach: { is: 'tls' as const, url: `https://127.0.0.1:${proxy.port}` },
  };
  await people.writeContexts({ ...contexts, current: 'far', contexts: [...contexts.contexts, far] });
  folder = join(cluster.person.home, 'work');
  mkdirSync(folder);
});
after(async () => {
  await proxy?.stop();
  await cluster?.stop();
});

const writ = (argv: readonly string[], cwd = folder): Promise<Ended> =>
  cluster.person.writ(argv, { cwd, environment: { WRIT_TOKEN: token } });

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const noise = (size: number): Buffer => randomFillSync(Buffer.allocUnsafe(size));
const put = (name: string, bytes: Uint8Array | string, mode = 0o644): void => {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), bytes);
  chmodSync(join(folder, name), mode);
};
const flipByte = (file: string): void => {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  const { mode } = statSync(file);
  chmodSync(file, 0o600);
  writeFileSync(file, bytes);
  chmodSync(file, mode);
};
/** As a bad disk does it: the file looks as before, and the server has no reason to compare it again. */
const rotByte = (file: string): void => {
  const { atimeMs, mtimeMs } = statSync(file);
  flipByte(file);
  utimesSync(file, atimeMs / 1000, (Math.trunc(mtimeMs) + 0.5) / 1000);
};
const onServer = (bytes: Uint8Array | string): string => {
  const hex = sha256(bytes);
  return join(cluster.server.folder, 'server', 'files', hex.slice(0, 2), hex.slice(2));
};
const inCache = (bytes: Uint8Array | string, suffix = ''): string =>
  join(agent.folder, 'agent', 'cache', sha256(bytes) + suffix);

describe('a job with files', () => {
  const data = noise(600_000);
  const weights = noise(300_000);
  const line = [
    ...'run --in data.csv --in model/ --out result/** --label gpu --timeout 10m --env A=b -- sh -c'.split(
      ' ',
    ),
    [
      'mkdir -p result/deep',
      'cat data.csv model/weights.bin | sha256sum | cut -c1-64 > result/sum',
      './model/bin/tool > result/deep/said',
      'printf %s "$A" > result/a',
      'printf "#!/bin/sh\\necho made\\n" > result/made; chmod 755 result/made',
      'test -x data.csv && echo "executable" >&2',
      'echo to stdout; echo to stderr >&2',
      'exit 7',
    ].join('; '),
  ];

  test('gets its inputs and brings its outputs back, with their digests, their modes and its own exit code', async () => {
    put('data.csv', data);
    put('model/weights.bin', weights);
    put('model/bin/tool', '#!/bin/sh\necho "tool here"\n', 0o755);
    const before = proxy.bytes.up;
    const ended = await writ(line);
    assert.equal(ended.exitCode, 7, ended.stderr);
    assert.equal(ended.stdout, 'to stdout\n');
    assert.match(ended.stderr, /^to stderr$/m);
    assert.doesNotMatch(ended.stderr, /^executable$/m);
    const sum = sha256(Buffer.concat([data, weights]));
    assert.equal(readFileSync(join(folder, 'result/sum'), 'utf8'), `${sum}\n`);
    assert.equal(readFileSync(join(folder, 'result/deep/said'), 'utf8'), 'tool here\n');
    assert.equal(readFileSync(join(folder, 'result/a'), 'utf8'), 'b');
    assert.equal(statSync(join(folder, 'result/made')).mode & 0o111, 0o111);
    assert.equal(statSync(join(folder, 'result/sum')).mode & 0o111, 0);
    const sent = proxy.bytes.up - before;
    assert.ok(sent >= 900_000 && sent < 900_000 + TALK, `${sent} bytes were sent`);
  });

  test('does not send again what has not changed, neither to the server nor to the agent', async () => {
    assert.ok(agent.proxy);
    const before = { up: proxy.bytes.up, down: agent.proxy.bytes.down };
    assert.equal((await writ(line)).exitCode, 7);
    const sent = proxy.bytes.up - before.up;
    const fetched = agent.proxy.bytes.down - before.down;
    assert.ok(sent < TALK, `${sent} bytes were sent again to the server`);
    assert.ok(fetched < TALK, `${fetched} bytes were sent again to the agent`);
    const changed = Buffer.from(weights);
    changed[0] = (changed[0] ?? 0) ^ 1;
    put('model/weights.bin', changed);
    const then = proxy.bytes.up;
    assert.equal((await writ(line)).exitCode, 7);
    const again = proxy.bytes.up - then;
    assert.ok(again >= changed.length && again < changed.length + TALK, `${again} bytes were sent`);
  });

  test('has more inputs than an order can list: they travel as a manifest', async () => {
    const names = Array.from(
      { length: 300 },
      (_, at) => `many/${at % 10}/file-${String(at).padStart(3, '0')}`,
    );
    for (const name of names) put(name, `content of ${name}\n`, name.endsWith('7') ? 0o755 : 0o644);
    const sum = sha256(
      names
        .toSorted()
        .map((name) => `content of ${name}\n`)
        .join(''),
    );
    const script =
      'find many -type f | sort | xargs cat | sha256sum | cut -c1-64; find many -type f -perm -100 | wc -l';
    const ended = await writ(['run', '--in', 'many', '--', 'sh', '-c', script]);
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.equal(ended.stdout, `${sum}\n30\n`);
  });

  test('brings back as much as was asked for with --out-limit, and no byte more', async () => {
    const make = (limit: string) =>
      writ(['run', '--out', 'a', '--out', 'b', '--out-limit', limit, '--', 'sh', '-c', MADE]);
    const MADE = 'head -c 1048576 /dev/zero > a; head -c 1048576 /dev/urandom > b';
    const refused = await make(String(2 * MIB - 1));
    assert.equal(refused.exitCode, 125, refused.stderr);
    assert.match(refused.stderr, /output_limit[^]*--out-limit/);
    assert.equal(existsSync(join(folder, 'b')), false);
    const taken = await make('2M');
    assert.equal(taken.exitCode, 0, taken.stderr);
    for (const name of ['a', 'b']) assert.equal(statSync(join(folder, name)).size, MIB);
  });

  test(`of ${BIG_MIB} MiB goes in and out in constant memory`, { timeout: 600_000 }, async (t) => {
    const small = await carry('small', 32);
    const big = await carry('big', BIG_MIB);
    t.diagnostic(`peaks with 32 MiB ${shown(small.peaks)}; with ${BIG_MIB} MiB ${shown(big.peaks)}`);
    t.diagnostic(`${BIG_MIB} MiB in and out in ${(big.milliseconds / 1000).toFixed(1)} s`);
    for (const name of ['server', 'agent', 'cli'] as const) {
      const growth = big.peaks[name] - small.peaks[name];
      assert.ok(big.peaks[name] > 20 * MIB, `${name} was not seen`);
      assert.ok(growth <= 64 * MIB, `${name} grew by ${Math.round(growth / MIB)} MiB`);
    }
  });
});

type Peaks = Record<'server' | 'agent' | 'cli', number>;
const shown = (peaks: Peaks): string =>
  Object.entries(peaks)
    .map(([name, bytes]) => `${name} ${Math.round(bytes / MIB)}`)
    .join(', ');

/** Sends a file, has it copied, fetches the copy, and looks all the time at how much memory who has. */
async function carry(name: string, mebibytes: number): Promise<{ peaks: Peaks; milliseconds: number }> {
  const digest = createHash('sha256');
  const chunk = noise(MIB);
  const file = openSync(join(folder, name), 'w');
  for (let at = 0; at < mebibytes; at += 1) {
    chunk.writeUInt32LE(at, (at * 4096) % MIB);
    digest.update(chunk);
    writeSync(file, chunk);
  }
  closeSync(file);
  const copy = `${name}.copy`;
  const limits = ['--disk', `${mebibytes * 2}M`, '--out-limit', `${mebibytes}M`];
  const argv = ['run', '--in', name, '--out', copy, ...limits, '--', 'cp', name, copy];
  const started = performance.now();
  const child = spawn(process.execPath, [cluster.person.program, ...argv], {
    cwd: folder,
    env: { ...cluster.person.environment, WRIT_TOKEN: token },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const peaks: Peaks = { server: 0, agent: 0, cli: 0 };
  const pids = (found: readonly Process[], program: 'server' | 'agent'): number[] =>
    found.filter((one) => namesProgram(one, program)).map(({ pid }) => pid);
  const watched = {
    server: pids(cluster.server.processes(), 'server'),
    agent: pids(agent.processes(), 'agent'),
    cli: [child.pid ?? 0],
  };
  const look = (): void => {
    for (const who of ['server', 'agent', 'cli'] as const)
      for (const pid of watched[who]) peaks[who] = Math.max(peaks[who], residentBytes(pid));
  };
  const looking = setInterval(look, 25);
  const [exitCode, stderr] = await Promise.all([
    new Promise((resolve) => void child.once('close', resolve)),
    text(child.stderr),
  ]).finally(() => clearInterval(looking));
  assert.equal(exitCode, 0, stderr);
  const milliseconds = performance.now() - started;
  const copied = createHash('sha256');
  for await (const part of createReadStream(join(folder, copy))) copied.update(part as Buffer);
  assert.equal(copied.digest('hex'), digest.digest('hex'));
  for (const left of [name, copy]) rmSync(join(folder, left));
  return { peaks, milliseconds };
}

function residentBytes(pid: number): number {
  try {
    const [, resident] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
    return Number(resident) * 4096;
  } catch {
    return 0;
  }
}

describe('a wrong byte', () => {
  test('in an input on the disk of the server is refused by the agent, and nothing of it is left there', async () => {
    const bytes = noise(50_000);
    put('victim', bytes);
    // Sent, and for nobody: no agent has fetched it.
    assert.equal((await writ(['submit', '--in', 'victim', '--label', 'nowhere', '--', 'true'])).exitCode, 0);
    rotByte(onServer(bytes));
    const ended = await writ(['run', '--in', 'victim', '--attempts', '1', '--', 'cat', 'victim']);
    assert.equal(ended.exitCode, 125, ended.stderr);
    assert.match(ended.stderr, /input\.digest_wrong/);
    assert.equal(ended.stdout, '');
    assert.equal(existsSync(inCache(bytes)), false);
    // Once the server has seen it, it asks for the right bytes again.
    utimesSync(onServer(bytes), 1, 1);
    const line = ['run', '--in', 'victim', '--attempts', '1', '--', 'sha256sum', 'victim'];
    assert.match((await writ(line)).stderr, /input\.unavailable/);
    assert.equal((await writ(line)).stdout, `${sha256(bytes)}  victim\n`);
  });

  test('in the cache of the agent reaches no job: the file is fetched anew', async () => {
    const bytes = noise(50_000);
    const tool = `#!/bin/sh\necho good ${sha256(bytes)}\n`;
    put('cached', bytes);
    put('cached-tool', tool, 0o755);
    const line = [
      'run',
      '--in',
      'cached',
      '--in',
      'cached-tool',
      '--',
      'sh',
      '-c',
      'sha256sum < cached; ./cached-tool',
    ];
    const good = `${sha256(bytes)}  -\ngood ${sha256(bytes)}\n`;
    assert.equal((await writ(line)).stdout, good);
    flipByte(inCache(bytes));
    flipByte(inCache(tool));
    flipByte(inCache(tool, '.x'));
    const again = await writ(line);
    assert.equal(again.stdout, good, again.stderr);
    assert.equal(sha256(readFileSync(inCache(bytes))), sha256(bytes));
    // Where the server's copy is wrong too there is nothing to run with.
    flipByte(inCache(bytes));
    rotByte(onServer(bytes));
    const refused = await writ([...line.slice(0, 1), '--attempts', '1', ...line.slice(1)]);
    assert.equal(refused.exitCode, 125, refused.stderr);
    assert.match(refused.stderr, /input\.digest_wrong/);
    assert.equal(existsSync(inCache(bytes)), false);
  });

  test('in the cache of an agent that was restarted reaches no job either', async () => {
    const bytes = noise(50_000);
    put('kept', bytes);
    const line = ['run', '--in', 'kept', '--', 'sha256sum', 'kept'];
    assert.equal((await writ(line)).stdout, `${sha256(bytes)}  kept\n`);
    await agent.stop();
    flipByte(inCache(bytes));
    await agent.start();
    const again = await writ(line);
    assert.equal(again.stdout, `${sha256(bytes)}  kept\n`, again.stderr);
  });

  test('in an output on the disk of the server gets no name where the person works', async () => {
    put('seed', 'seed');
    const made = await writ([
      'run',
      '--in',
      'seed',
      '--out',
      'made',
      '--',
      'sh',
      '-c',
      'cat seed seed > made',
    ]);
    assert.equal(made.exitCode, 0, made.stderr);
    rotByte(onServer('seedseed'));
    rmSync(join(folder, 'made'));
    const job = (await cluster.client.listJobs({ limit: 1 })).items[0]?.id ?? '';
    const got = await writ(['get', job]);
    assert.equal(got.exitCode, 1, got.stderr);
    assert.match(got.stderr, /output\.digest_wrong/);
    assert.equal(existsSync(join(folder, 'made')), false);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('.writ')),
      [],
    );
  });
});

describe('inputs that cannot be meant', () => {
  const cases: readonly (readonly [what: string, code: string, argv: readonly string[], make: () => void])[] =
    [
      ['a pattern that matches nothing', 'input.missing', ['--in', '*.nothing'], () => {}],
      ['a file that is not there', 'input.missing', ['--in', 'nothing'], () => {}],
      ['a name with “..”', 'input.outside', ['--in', 'inner/../../secret'], () => {}],
      ['an absolute name outside', 'input.outside', ['--in', '/etc/passwd'], () => {}],
      [
        'a link out of the tree',
        'input.outside',
        ['--in', 'linked'],
        () => symlinkSync('/etc/passwd', join(folder, 'linked')),
      ],
      [
        'a folder with a link out of the tree in it',
        'input.outside',
        ['--in', 'linking'],
        () => {
          mkdirSync(join(folder, 'linking'));
          symlinkSync('/etc', join(folder, 'linking', 'etc'));
        },
      ],
      [
        'a link to nothing',
        'input.missing',
        ['--in', 'dangling'],
        () => symlinkSync('gone', join(folder, 'dangling')),
      ],
      ['a device', 'input.outside', ['--in', 'null'], () => symlinkSync('/dev/null', join(folder, 'null'))],
      [
        'a folder that holds itself',
        'input.kind',
        ['--in', 'round'],
        () => {
          mkdirSync(join(folder, 'round'));
          symlinkSync('.', join(folder, 'round', 'again'));
        },
      ],
      ['a name in another spelling', 'input.name', ['--in', 'cafe\u0301'], () => put('cafe\u0301', 'x')],
      ['an unreadable file', 'input.unreadable', ['--in', 'closed'], () => put('closed', 'x', 0o000)],
      ['outputs outside the folder', 'usage.option', ['--out', '../x'], () => {}],
    ];

  test('are refused by name before anything is sent', async () => {
    const before = {
      accepted: proxy.accepted,
      jobs: (await cluster.client.listJobs({ limit: 500 })).items.length,
    };
    put('good', 'good');
    for (const [what, code, argv, make] of cases) {
      make();
      const ended = await withoutPrivilege(['run', '--in', 'good', ...argv, '--', 'true']);
      assert.equal(ended.exitCode, 125, `${what}: ${ended.stderr}`);
      assert.ok(ended.stderr.includes(`[${code}]`), `${what}: ${ended.stderr}`);
      assert.match(ended.stderr, /→ /, what);
    }
    assert.equal(proxy.accepted, before.accepted, 'nobody connected to the server');
    assert.equal((await cluster.client.listJobs({ limit: 500 })).items.length, before.jobs);
    assert.equal(existsSync(onServer('good')), false);
    assert.ok(lstatSync(join(folder, 'linked')).isSymbolicLink());
  });
});

/** Root reads every file: without its capabilities it is like anybody who owns these. */
async function withoutPrivilege(argv: readonly string[]): Promise<Ended> {
  const { program, environment } = cluster.person;
  const isRoot = process.geteuid?.() === 0;
  const line = isRoot
    ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all', process.execPath]
    : [process.execPath];
  const [command = '', ...rest] = [...line, program, ...argv];
  const child = spawn(command, rest, {
    cwd: folder,
    env: { ...environment, WRIT_TOKEN: token },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const code = new Promise<number | null>((resolve) => void child.once('close', resolve));
  const [exitCode, stdout, stderr] = await Promise.all([code, text(child.stdout), text(child.stderr)]);
  return { exitCode, stdout, stderr };
}
