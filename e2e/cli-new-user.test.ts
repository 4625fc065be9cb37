import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { check, type Check, type Type } from '@writ/contract';
import { type Ended, openShell, readProcesses, type Shell } from '@writ/testkit';

const root = mkdtempSync(join(tmpdir(), 'writ-new-'));
const state = join(root, 'state');
const lab = join(root, 'lab');
const work = join(root, 'work');
let ana: Shell;

/** As published, not as the program has it. */
function published(name: string): Check<unknown> {
  const file = new URL(`../docs/schemas/${name}.json`, import.meta.url);
  return check(JSON.parse(readFileSync(file, 'utf8')) as ReturnType<typeof Type.Object>) as Check<unknown>;
}

function documents(name: string, text: string): Record<string, unknown>[] {
  const shape = published(name);
  const all = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const one of all)
    assert.deepEqual(shape.faults(one), [], `${name}: ${JSON.stringify(one).slice(0, 300)}`);
  return all;
}

async function json(name: string, argv: readonly string[], exitCode = 0): Promise<Record<string, unknown>> {
  const ended = await ana.writ([...argv, '--json'], { cwd: work });
  assert.equal(ended.exitCode, exitCode, `${argv.join(' ')}\n${ended.stderr}`);
  const [one, second] = documents(name, ended.stdout);
  assert.ok(one && second === undefined);
  return one;
}

const run = (...argv: string[]): Promise<Ended> => ana.writ(['run', ...argv], { cwd: work });

before(async () => {
  ana = openShell(join(root, 'ana'));
  mkdirSync(work);
  const first = await json('up', [
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
  assert.equal(first['wasRunning'], false);
  assert.equal(first['isKeyHere'], true);
});

after(async () => {
  await ana.writ(['down', '--dir', lab]);
  await ana.writ(['down', '--dir', state]);
  rmSync(root, { recursive: true, force: true });
});

describe('somebody new', { timeout: 600_000 }, () => {
  test('who says up again is shown what runs', async () => {
    const again = await json('up', ['up', '--dir', state]);
    assert.equal(again['wasRunning'], true);
    const said = await ana.writ(['up', '--dir', state]);
    assert.match(said.stderr, /your key is on this machine too: whoever owns it is you/);
    assert.doesNotMatch(said.stderr, /warning/);
    const unheard = await ana.writ(['up', '--dir', state, '--port', '7999']);
    assert.equal(unheard.exitCode, 0);
    assert.match(unheard.stderr, /--port changed nothing.*writ down/);
    const unmade = await ana.writ(['up', '--dir', state, '--slots', '2', '--counter', 'licence']);
    assert.match(unmade.stderr, /--slots, --counter changed nothing.*machine\.json/);
  });

  test("gets the job's own streams apart, and its own exit code", async () => {
    const ended = await run('--', 'sh', '-c', 'echo out; echo err >&2; exit 7');
    assert.equal(ended.exitCode, 7);
    assert.equal(ended.stdout, 'out\n');
    assert.match(ended.stderr, /^err$/m);
    assert.match(ended.stderr, /receipt verified/);
    assert.equal((await run('echo', '-q', '--', '--json')).stdout, '-q -- --json\n');
    const none = await run('--', './not-sent.sh');
    assert.equal(none.exitCode, 127);
    assert.match(none.stderr, /no such command, or not executable\. .* what --in names/);
    assert.equal((await run('--', 'sh', '-c', 'kill -TERM $$')).exitCode, 143);
    assert.equal((await run('--timeout', '1s', '--', 'sleep', '30')).exitCode, 124);
  });

  test('sends inputs once, gets outputs under their names, and can prove them', async () => {
    writeFileSync(join(work, 'names.txt'), 'b\na\n');
    const first = await run(
      '--in',
      'names.txt',
      '--out',
      'sorted/**',
      '--',
      'sh',
      '-c',
      'mkdir sorted; sort names.txt > sorted/names.txt',
    );
    assert.equal(first.exitCode, 0, first.stderr);
    assert.match(first.stderr, /sent 1 of 1 inputs/);
    assert.equal(readFileSync(join(work, 'sorted/names.txt'), 'utf8'), 'a\nb\n');
    mkdirSync(join(work, 'way/sorted/names.txt'), { recursive: true });
    const inTheWay = await ana.writ(['get', 'last', '--dir', 'way'], { cwd: work });
    assert.equal(inTheWay.exitCode, 1);
    assert.match(
      inTheWay.stderr,
      /names\.txt is a folder, and a file was asked for there\. \[system\]\n {2}→ /,
    );
    const second = await run('--in', 'names.txt', '--', 'true');
    assert.doesNotMatch(second.stderr, /sent 1/);
    const got = await json('get', ['get', 'last', '--dir', 'results']);
    const bundle = join(work, String(got['bundle']));
    documents('bundle', readFileSync(bundle, 'utf8'));
    assert.equal((await json('verify', ['verify', bundle]))['verified'], true);
  });

  test("is told by a stranger's machine that a bundle proves nothing there", async () => {
    const { bundle } = await json('get', ['get', 'last', '--dir', 'results', '--bundle-only']);
    const stranger = openShell(join(root, 'stranger'));
    const file = join(work, String(bundle));
    const ended = await stranger.writ(['verify', file, '--json']);
    assert.equal(ended.exitCode, 1);
    assert.equal(documents('verify', ended.stdout)[0]?.['verified'], false);
    assert.equal(
      (documents('error', ended.stderr)[0]?.['error'] as { code?: string } | undefined)?.code,
      'verify.anchor_unknown',
    );
    const plain = await stranger.writ(['verify', file]);
    assert.doesNotMatch(plain.stdout + plain.stderr, /✓/);
    const text = readFileSync(file, 'utf8');
    const { cluster } = JSON.parse(text) as { cluster: string };
    assert.equal((await stranger.writ(['verify', file, '--cluster', cluster])).exitCode, 0);
    assert.equal((await stranger.writ(['verify', file, '-q'])).stdout, '', 'no id where nothing is proved');
    const other = await stranger.writ(['verify', file, '--cluster', `${cluster.slice(1)}a`]);
    assert.equal(other.exitCode, 1);
    assert.match(other.stderr, /is of cluster \S+, not of \S+\. \[verify\.failed\]/);
    const broken = JSON.parse(text) as { receipts: { receipt: { payload: string } }[] };
    const [receipt] = broken.receipts;
    assert.ok(receipt);
    receipt.receipt.payload = `${receipt.receipt.payload[0] === 'A' ? 'B' : 'A'}${receipt.receipt.payload.slice(1)}`;
    writeFileSync(file, JSON.stringify(broken));
    const refused = await stranger.writ(['verify', file, '--cluster', cluster]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /The check envelope\.signature_bad failed/);
  });

  test('runs arrays, and picks tasks of them', async () => {
    const ended = await run(
      '--array',
      '1-4',
      '--',
      'sh',
      '-c',
      'echo task $WRIT_INDEX; [ $WRIT_INDEX != 3 ]',
    );
    assert.equal(ended.exitCode, 1);
    assert.equal(ended.stdout, 'task 1\ntask 2\ntask 3\ntask 4\n');
    assert.equal(await ana.must(['logs', 'last', '2,4']), 'task 2\ntask 4\n');
    const waited = await json('wait', ['wait', 'last'], 1);
    assert.equal((waited['tasks'] as unknown[]).length, 4);
    const { tasks } = await json('status', ['status', 'last', '3']);
    assert.deepEqual(
      (tasks as { index: number; state: string }[]).map(({ index, state: is }) => [index, is]),
      [[3, 'failed']],
    );
    for (const verb of ['status', 'logs', 'get', 'cancel']) {
      const none = await ana.writ([verb, 'last', '2,9', '--yes'], { cwd: work });
      assert.equal(none.exitCode, 3, verb);
      assert.match(none.stderr, /has no task 9\. Its tasks are 1-4\. \[selector\.none\]/);
      assert.equal(none.stdout, '');
    }
    writeFileSync(join(work, 'values.txt'), 'one\ntwo words\n');
    assert.equal(
      (await run('--array', '@values.txt', '--', 'sh', '-c', 'echo "$WRIT_VALUE"')).stdout,
      'one\ntwo words\n',
    );
  });

  test('reads run and logs as streams of documents', async () => {
    const ended = await run('--json', '--', 'sh', '-c', 'echo hi');
    const all = documents('run', ended.stdout);
    assert.equal(all[0]?.['is'], 'submitted');
    const text = all
      .filter(({ is }) => is === 'log')
      .map(({ base64 }) => Buffer.from(String(base64), 'base64').toString())
      .join('');
    assert.equal(text, 'hi\n');
    assert.deepEqual(
      [all.at(-1)?.['is'], all.at(-1)?.['verified'], all.at(-1)?.['exitCode']],
      ['result', true, 0],
    );
    documents('logs', await ana.must(['logs', 'last', '--json']));
    assert.equal(
      (await run('-q', '--', 'true')).stdout.trim(),
      (await ana.must(['job', 'list', '-q', '--limit', '1'])).trim(),
    );
  });

  test('cancels with a signed withdrawal, after being asked', async () => {
    const [submitted] = documents('submit', await ana.must(['submit', '--json', '--', 'sleep', '60']));
    const job = submitted?.['job'];
    const refused = await ana.writ(['cancel', String(job)]);
    assert.equal(refused.exitCode, 2);
    const cancelled = await json('cancel', ['cancel', String(job).slice(0, 10), '--yes']);
    assert.equal(cancelled['isWithdrawn'], true);
    const ended = await ana.writ(['wait', String(job), '--timeout', '30s']);
    assert.notEqual(ended.exitCode, 0);
    await ana.must(['submit', '--label', 'nowhere', '--', 'true']);
    const early = await ana.writ(['get', 'last'], { cwd: work });
    assert.match(early.stderr, /\[job\.unfinished\]/);
    await ana.must(['cancel', 'last', '--yes']);
    const never = await ana.writ(['get', 'last'], { cwd: work });
    assert.match(never.stderr, /cancelled before it ended\. \[job\.no_result\]/);
  });

  test('adds a machine with one command, and names it', async () => {
    const invite = await json('invite', ['invite', '--name', 'lab-02', '--label', 'gpu']);
    const owner = openShell(join(root, 'owner'));
    const joined = await owner.writ(['join', '-', '--dir', lab, '--slots', '1', '--json'], {
      input: `${String(invite['invite'])}\n`,
    });
    assert.equal(joined.exitCode, 0, joined.stderr);
    assert.equal(documents('join', joined.stdout)[0]?.['name'], 'lab-02');
    const astray = await owner.writ(['up', '--dir', lab]);
    assert.match(astray.stderr, /\[up\.joined\][^]*writ agent start/);
    assert.ok(!existsSync(join(lab, 'server')));
    const twice = await json('invite', ['invite']);
    const joinedTwice = await owner.writ(['join', '-', '--dir', lab], {
      input: `${String(twice['invite'])}\n`,
    });
    assert.match(joinedTwice.stderr, /writ agent start/);
    assert.equal((await run('--agent', 'lab-02', '--label', 'gpu', '--', 'true')).exitCode, 0);
    assert.equal((await run('--once', '--agent', 'lab-02', '--', 'true')).exitCode, 0);
    const unknown = await run('--agent', 'lab-03', '--', 'true');
    assert.equal(unknown.exitCode, 125);
    assert.match(unknown.stderr, /\[agent\.unknown\]/);
    const again = await openShell(join(root, 'thief')).writ(['join', '-', '--dir', join(root, 'thief/d')], {
      input: `${String(invite['invite'])}\n`,
    });
    assert.notEqual(again.exitCode, 0);
    const { agents } = await json('agent-list', ['agent', 'list']);
    assert.deepEqual((agents as { name: string }[]).map(({ name }) => name).sort(), ['desk', 'lab-02']);

    // The machine is installed anew: its name is its own again by an invite that says so, and only by one.
    await owner.writ(['down', '--dir', lab]);
    rmSync(lab, { recursive: true });
    const rejoin = async (...wish: string[]): Promise<Ended> => {
      const anew = await json('invite', ['invite', ...wish]);
      return await owner.writ(['join', '-', '--dir', lab, '--slots', '1', '--name', 'lab-02'], {
        input: `${String(anew['invite'])}\n`,
      });
    };
    const unnamed = await rejoin();
    assert.notEqual(unnamed.exitCode, 0);
    assert.match(unnamed.stderr, /writ invite --name/);
    const named = await rejoin('--name', 'lab-02');
    assert.equal(named.exitCode, 0, named.stderr);
    assert.equal((await run('--agent', 'lab-02', '--', 'true')).exitCode, 0);
    await json('agent-ban', ['agent', 'ban', 'lab-02', '--yes']);
  });

  test('reaches the server over TLS with a token, with pins that came another way', async () => {
    const shown = await json('status', ['status']);
    const [address] = shown['peopleAddresses'] as string[];
    const other = join(root, 'other');
    const port = String(address).split(':')[1] ?? '';
    const busy = await openShell(join(root, 'cai')).writ([
      'up',
      '--dir',
      other,
      '--host',
      '127.0.0.1',
      '--port',
      port,
      '--agent-port',
      '0',
    ]);
    assert.equal(busy.exitCode, 1);
    assert.match(
      busy.stderr,
      new RegExp(`Another program listens on 127\\.0\\.0\\.1 port ${port}\\. .*--port`),
    );
    assert.match(busy.stderr, /\[listen\.port_busy\]/);
    assert.deepEqual(readProcesses(other), [], 'what is of no use does not stay');
    const token = await json('token-create', ['token', 'create', 'laptop', '--role', 'administrator']);
    const trust = join(work, 'trust.json');
    writeFileSync(trust, JSON.stringify(await json('context-export', ['context', 'export'])));
    const laptop = openShell(join(root, 'laptop'));
    const added = await laptop.writ(
      [
        'context',
        'add',
        'desk',
        '--url',
        `https://${address}`,
        '--trust',
        trust,
        '--token-file',
        '-',
        '--json',
      ],
      { input: String(token['token']) },
    );
    assert.equal(added.exitCode, 0, added.stderr);
    documents('context-add', added.stdout);
    assert.match(await laptop.must(['job', 'list', '-q', '--limit', '1']), /^[a-z2-7]{26}\n$/);
    documents('context-list', await laptop.must(['context', 'list', '--json']));
    documents('context-use', await laptop.must(['context', 'use', 'desk', '--json']));
    const unsigned = await laptop.writ(['run', '--', 'true']);
    assert.equal(unsigned.exitCode, 125);
    assert.match(unsigned.stderr, /\[key\.missing\]/);
    await json('token-list', ['token', 'list']);
    const nobodys = await ana.writ(['token', 'revoke', 'laptop']);
    assert.equal(nobodys.exitCode, 3);
    assert.match(nobodys.stderr, /“laptop” is not the id of a token\. \[selector\.none\]/);
    await json('token-revoke', ['token', 'revoke', String(token['id'])]);
    assert.equal((await laptop.writ(['job', 'list'])).exitCode, 4);
    await json('job-list', ['job', 'list']);
  });

  test('gets 3 for what is not there, and 6 for a server that is not', async () => {
    assert.equal((await ana.writ(['status', 'aaaaaaaaaaaaaaaaaaaaaaaaaa'])).exitCode, 3);
    assert.equal((await ana.writ(['wait', 'zzz'])).exitCode, 125);
    const down = await json('down', ['down', '--dir', state]);
    assert.deepEqual(down['stopped'], ['agent', 'server']);
    const away = await ana.writ(['status']);
    assert.equal(away.exitCode, 6);
    assert.ok(away.stderr.includes(`Nothing answers at ${state}: `), away.stderr);
    assert.equal((await run('--', 'true')).exitCode, 125);
    assert.deepEqual((await json('down', ['down', '--dir', state]))['stopped'], []);
    assert.equal(
      existsSync(join(state, 'server', 'admin.sock')) && (await ana.writ(['status'])).exitCode === 0,
      false,
    );
  });
});
