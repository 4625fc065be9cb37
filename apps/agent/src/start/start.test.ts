import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { programLine } from './program-line.ts';
import type { ProgramPlace } from './program-line.ts';
import { startAgent } from './start-agent.ts';
import { giveBackUidBlock, takeUidBlock } from './take-uid-block.ts';
import { usualMost, writeOwnerFile } from './write-owner-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-start-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const isRoot = process.geteuid?.() === 0;
const uid = isRoot ? 1_870_000_000 + (process.pid % 100_000) * 64 : null;
const bwrap = '/usr/bin/bwrap';

/** A folder that only this account may enter, as `mktemp -d` makes it, with an app and a state in it. */
function makePlace(name: string, program: string): ProgramPlace {
  const at = join(folder, name);
  const [app, state] = [join(at, 'app'), join(at, 'state')];
  mkdirSync(join(app, 'apps'), { recursive: true });
  mkdirSync(state);
  writeFileSync(join(app, 'apps/program.ts'), program, { mode: 0o644 });
  writeFileSync(join(at, 'signing.key'), 'a secret', { mode: 0o644 });
  for (const path of [at, app, state]) chmodSync(path, 0o700);
  if (uid !== null) chownSync(state, uid, uid);
  return {
    node: process.execPath,
    app,
    state,
    uid,
    root: isRoot,
    bwrap,
    entry: 'apps/program.ts',
    args: (inside) => [inside.state],
    diesWithParent: true,
    statusDescriptor: null,
  };
}

const tell = `const fs = require('node:fs');
const is = (path) => { try { fs.accessSync(path); return true; } catch { return false; } };
const status = fs.readFileSync('/proc/self/status', 'utf8');
fs.writeFileSync(process.argv[2] + '/mine', 'x');
console.log(JSON.stringify({
  uid: process.getuid(), gid: process.getgid(), groups: process.getgroups(), pid: process.pid, cwd: process.cwd(), args: process.argv.slice(1),
  caps: /CapEff:\\s+(\\S+)/.exec(status)[1], bounding: /CapBnd:\\s+(\\S+)/.exec(status)[1], privileges: /NoNewPrivs:\\s+(\\d)/.exec(status)[1],
  sees: ['/home', '/root', '/var', '/run', '/sys', '/etc/shadow', '/writ/app/.git', process.env.OUTSIDE].filter(is),
  processes: fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length, env: Object.keys(process.env).sort(),
}));`;

test('a program starts from a folder that its account could not enter, and sees its code and its state', () => {
  const place = makePlace('walled', tell);
  mkdirSync(join(place.app, '.git'));
  const line = programLine(place);
  const run = spawnSync(line.argv[0] ?? '', line.argv.slice(1), {
    env: { OUTSIDE: join(place.app, '../signing.key') },
    encoding: 'utf8',
  });
  assert.equal(run.status, 0, run.stderr);
  const told = JSON.parse(run.stdout) as Record<string, unknown>;
  assert.deepEqual(told['sees'], []);
  assert.equal(told['uid'], uid ?? process.getuid?.());
  assert.deepEqual(told['args'], ['/writ/app/apps/program.ts', '/writ/state']);
  assert.deepEqual(
    [told['pid'], told['cwd'], told['caps'], told['processes']],
    [1, '/writ/state', '0000000000000000', 1],
  );
  if (uid !== null)
    assert.deepEqual(
      [told['gid'], told['groups'], told['bounding'], told['privileges']],
      [uid, [uid], '0000000000000000', '1'],
    );
  assert.deepEqual(told['env'], ['OUTSIDE', 'PWD']);
  assert.equal(readFileSync(join(place.state, 'mine'), 'utf8'), 'x');
  assert.throws(() => programLine({ ...place, entry: 'apps/none.ts' }), { code: 'start.no_entry' });
  if (uid === null) return;
  chmodSync(join(place.app, 'apps/program.ts'), 0o600);
  assert.throws(() => programLine(place), { code: 'start.app_unreadable' });
});

test('a built program sees its own files and no other program', () => {
  const place = makePlace('built', '');
  const write = (name: string, text: string): void =>
    writeFileSync(join(place.app, name), text, { mode: 0o644 });
  write('package.json', '{"type":"module"}');
  write('server-AB12.js', 'export const later = "found";');
  write(
    'server.js',
    `import { readdirSync } from 'node:fs';
     const { later } = await import('./server-AB12.js');
     console.log(JSON.stringify([later, readdirSync('/writ/app').sort()]));`,
  );
  for (const other of ['cli.js', 'cli-CD34.js', 'servers.js', 'LICENSE']) write(other, '');
  const line = programLine({ ...place, entry: 'server.js' });
  const run = spawnSync(line.argv[0] ?? '', line.argv.slice(1), { env: {}, encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(JSON.parse(run.stdout), ['found', ['package.json', 'server-AB12.js', 'server.js']]);
});

test('without bubblewrap only the account is changed, and the line says so', () => {
  const place = makePlace('open', tell);
  const line = programLine({ ...place, bwrap: null });
  assert.equal(line.isWalled, false);
  assert.equal(line.inside.state, place.state);
  assert.equal(line.argv.includes(`--reuid=${uid}`), uid !== null);
});

test('a block of accounts is taken once, kept for its state folder, and can be given back', () => {
  const [blocks, a, b, c] = ['blocks', 'a', 'b', 'c'].map((name) => join(folder, 'accounts', name));
  for (const state of [a!, b!, c!]) mkdirSync(state, { recursive: true });
  const first = takeUidBlock(a!, blocks);
  assert.equal(first, 1_900_000_000);
  assert.equal(takeUidBlock(b!, blocks), 1_900_000_064);
  assert.equal(takeUidBlock(a!, blocks), first);
  giveBackUidBlock(a!, blocks);
  assert.equal(takeUidBlock(c!, blocks), first);
  assert.deepEqual(readdirSync(blocks!).sort(), ['0', '1', 'lock.db']);
  assert.equal(statSync(join(blocks!, '0')).mode & 0o777, 0o600);
});

test('a block whose state folder is gone is free again, unless something still runs under it', (t) => {
  const [blocks, a, b, c] = ['blocks', 'a', 'b', 'c'].map((name) => join(folder, 'gone', name));
  for (const state of [a!, b!, c!]) mkdirSync(state, { recursive: true });
  const [first, second] = [takeUidBlock(a!, blocks), takeUidBlock(b!, blocks)];
  rmSync(b!, { recursive: true });
  if (isRoot) {
    const left = spawn('/bin/sleep', ['60'], { uid: second + 3, gid: second + 3, stdio: 'ignore' });
    t.after(() => left.kill('SIGKILL'));
    assert.equal(takeUidBlock(c!, blocks), second + 64, 'a process that was left keeps its accounts');
    giveBackUidBlock(c!, blocks);
    rmSync(a!, { recursive: true });
    assert.equal(takeUidBlock(c!, blocks), first);
  } else assert.equal(takeUidBlock(c!, blocks), second);
});

test('programs that start at the same time get different blocks', async () => {
  const blocks = join(folder, 'race', 'blocks');
  const program = `import { takeUidBlock } from ${JSON.stringify(join(import.meta.dirname, 'take-uid-block.ts'))};
    console.log(takeUidBlock(process.argv[1], ${JSON.stringify(blocks)}));`;
  const states = Array.from({ length: 4 }, (_, n) => join(folder, 'race', String(n)));
  // Left by a folder that is gone, so that all four want the same.
  mkdirSync(blocks, { recursive: true });
  writeFileSync(join(blocks, '0'), join(folder, 'race', 'never'));
  const taken = await Promise.all(
    states.map(async (state) => {
      mkdirSync(state);
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program, state], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [text] = await Promise.all([child.stdout.setEncoding('utf8').toArray(), once(child, 'exit')]);
      return Number(text.join(''));
    }),
  );
  assert.deepEqual(
    taken.toSorted((x, y) => x - y),
    [0, 1, 2, 3].map((block) => 1_900_000_000 + block * 64),
  );
});

const agentProgram = `import { readFileSync, writeFileSync } from 'node:fs';
import { openIsolation } from './src/isolate/open-isolation.ts';
const [state, slots, cache] = process.argv.slice(2);
const isolation = await openIsolation({ descriptor: 3, slotsFolder: slots, cacheFolder: cache });
const limits = { wallMs: 9000, memoryBytes: 1e8, pids: 32, cpuMs: null, cpuPercent: null, diskBytes: 1e6, nofile: 64, logBytes: 1e6, logBytesPerSecond: 1e9, graceMs: 0 };
const started = await isolation.start({ slot: 0, profile: isolation.offers[0].profile, argv: ['/usr/bin/id', '-u'], env: [], inputs: [], limits, network: false, outputs: null });
const end = await started.ended;
writeFileSync(state + '/told', JSON.stringify({ end, out: readFileSync(started.stdoutFile, 'utf8'), me: process.getuid(), offers: isolation.offers.map((offer) => [offer.profile, offer.measured]) }));
process.on('SIGTERM', () => process.exit(7));
await isolation.lost;`;

test('agent and launcher start as one, run a job, and end together', { timeout: 30_000 }, async () => {
  const place = makePlace('agent', agentProgram);
  cpSync(join(import.meta.dirname, '..'), join(place.app, 'apps/src'), {
    recursive: true,
    filter: (path) => !path.endsWith('.test.ts'),
  });
  writeFileSync(join(place.app, 'package.json'), '{"type":"module"}');
  const ownerFile = join(folder, 'agent/owner.json');
  const slotsFolder = join(folder, 'agent/slots');
  writeOwnerFile(ownerFile, {
    format: 1,
    name: `start-${process.pid}`,
    slots: 1,
    profiles: isRoot ? ['strict'] : ['user'],
    firstUid: uid,
    slotsFolder,
    cacheFolder: join(place.state, 'cache'),
    node: process.execPath,
    network: 'never',
    most: usualMost(2 ** 30),
  });
  assert.equal(statSync(ownerFile).mode & 0o777, 0o600);
  const started = startAgent({
    ...place,
    slotsFolder,
    ownerFile,
    launcherEntry: 'apps/src/launcher/main.ts',
    args: ({ state, slots, cache }) => [state, slots, cache],
    env: {},
    log: null,
  });
  const told = join(place.state, 'told');
  for (let n = 0; n < 1000 && !existsSync(told); n++) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { end, out, me, offers } = JSON.parse(readFileSync(told, 'utf8')) as {
    end: { code: number };
    out: string;
    me: number;
    offers: unknown;
  };
  assert.equal(end.code, 0);
  assert.deepEqual(offers, [[isRoot ? 'strict' : 'user', true]]);
  assert.equal(me, uid ?? process.getuid?.());
  assert.equal(out, `${uid === null ? process.getuid?.() : uid + 1}\n`);
  await started.stop(5000);
  assert.deepEqual(await started.ended, { code: 7, signal: null });
  assert.ok(started.launcher.exitCode !== null);
});
