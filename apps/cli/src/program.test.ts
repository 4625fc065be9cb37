import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { END_REASONS, REFUSAL_CODES } from '@writ/contract';
import { ClientError } from '@writ/client';
import { COMMANDS } from './commands.ts';
import { compose } from './compose.ts';
import { explainBecause, explainError } from './explain/explain-error.ts';
import { withoutReports } from './job/log-stream.ts';
import { runProgram } from './program.ts';
import { readTasks } from './read/read-tasks.ts';
import { printable } from './show/printable.ts';
import { parseBytes, parseSeconds } from './show/quantities.ts';
import type { Surroundings } from './surroundings.ts';

function surroundings(): { given: Surroundings; said: () => { out: string; err: string } } {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const real = compose(0o022);
  const settings = {
    ...real.settings,
    configFolder: '/nonexistent/writ',
    stateFolder: '/nonexistent/state',
    context: undefined,
    isInputOff: true,
  };
  const given = { ...real, settings, stdout, stderr };
  return { given, said: () => ({ out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }) };
}

async function type(...args: string[]): Promise<{ exit: number; out: string; err: string }> {
  const { given, said } = surroundings();
  const exit = await runProgram(args, given);
  return { exit, ...said() };
}

describe('a wrong command line', () => {
  test('names the nearest right word', async () => {
    assert.match((await type('sumbit', '--', 'true')).err, /Did you mean submit\?/);
    assert.match((await type('run', '--tiemout', '3', '--', 'true')).err, /Did you mean --timeout\?/);
    assert.match((await type('agent', 'lst')).err, /Did you mean list\?/);
  });

  test("ends with 2, and with 125 where the exit code is the job's", async () => {
    for (const args of [
      ['sumbit'],
      ['cancel'],
      ['status', '--nope'],
      ['token', 'create'],
      ['verify'],
      ['up', '--port', 'x'],
      ['completion', 'csh'],
      ['submit'],
    ]) {
      assert.equal((await type(...args)).exit, 2, args.join(' '));
    }
    for (const args of [
      ['run'],
      ['run', '--nope', '--', 'x'],
      ['run', '--timeout', 'soon', '--', 'x'],
      ['wait', '--timeout', 'x'],
      ['run', '--once', '--attempts', '2', '--', 'x'],
      ['run', '--env', 'A', '--', 'x'],
      ['run', '--array', '3-1', '--', 'x'],
      ['run', '--out', '../x', '--', 'x'],
      ['run', '--profile', 'none', '--', 'x'],
      ['run', '--', 'x'],
    ]) {
      assert.equal((await type(...args)).exit, 125, args.join(' '));
    }
  });

  test('is refused here, in words, where an agent would refuse the order', async () => {
    for (const [args, words] of [
      [['--memory', '0'], /--memory 0 is too little: no job starts with less than 4\.0 MiB/],
      [['--disk', '1k'], /--disk 1k is too little/],
      [['--out-limit', '0'], /--out-limit 0 is too little/],
      [['--out-limit', 'much'], /--out-limit much/],
      [['--timeout', '999d'], /--timeout 999d is too long: 31 days are the most/],
      [['--not-after', '32d'], /--not-after 32d is too long/],
      [['--queue', 'No Such'], /--queue No Such is not the name of a queue/],
      [['--in', ''], /--in is empty/],
      [['--env', '1A=b'], /cannot be the name of a variable/],
      [['--array', '@missing'], /--array @missing: there is no such file/],
      [['--array', '@/'], /--array @\/: it is a folder/],
    ] as const) {
      const { exit, err } = await type('run', ...args, '--', 'x');
      assert.equal(exit, 125);
      assert.match(err, words);
      assert.match(err, /\[usage\.option\]\n {2}→ /);
    }
    assert.match((await type('run', '--', '')).err, /empty word\. \[usage\.argument\]/);
  });

  test('says what to do with an invite that is none', async () => {
    const { exit, err } = await type('join', 'writ1-abc');
    assert.equal(exit, 1);
    assert.match(err, /\[invite\.malformed\]\n {2}→ Make a new one: writ invite\./);
    assert.match(
      (await type('invite', '--address', 'host')).err,
      /--address host is not host:port\. \[usage\.option\]/,
    );
    assert.match((await type('invite', '--queue', 'A b')).err, /is not the name of a queue/);
  });

  test('names the file that cannot be read, and why', async () => {
    for (const [args, words] of [
      [['verify', 'missing'], /missing cannot be read: there is no such file\. \[selector\.none\]\n {2}→ /],
      [['verify', '/'], /\/ cannot be read: it is a folder\. \[verify\.failed\]\n {2}→ /],
      [
        ['context', 'add', 'x', '--url', 'https://a', '--trust', 'missing'],
        /there is no such file\..*\n {2}→ /,
      ],
    ] as const)
      assert.match((await type(...args)).err, words);
    assert.equal((await type('agent', 'ban', 'No Such', '--yes')).exit, 3);
    assert.match((await type('token', 'create', '')).err, /name of the token is empty/);
    assert.match((await type('token', 'create', 'x', '--expires', '400d')).err, /366 days are the most/);
  });

  test('is one document on stderr with --json, and nothing on stdout', async () => {
    const { out, err } = await type('status', '--json');
    assert.equal(out, '');
    assert.equal((JSON.parse(err) as { error: { code: string } }).error.code, 'context.missing');
  });

  test("what stands behind a job's command is the job's, with -- and without", async () => {
    for (const args of [
      ['run', '--', 'x', '--json'],
      ['run', 'x', '--json'],
      ['submit', 'x', '-l', '--json', '--', '-q'],
    ])
      assert.match((await type(...args)).err, /^error: .*\[context\.missing\]$/m, args.join(' '));
    assert.match((await type('run', '--json', 'x', '--nope')).err, /^\{"error":\{"code":"context\.missing"/);
  });

  test('names the help that fits, and where an option belongs', async () => {
    assert.match((await type('verify')).err, /See: writ verify --help/);
    assert.match((await type('agent')).err, /See: writ agent --help/);
    assert.match((await type('agent', 'list', 'x')).err, /See: writ agent list --help/);
    assert.match((await type('-q', 'status')).err, /behind the command: writ status -q/);
    assert.match((await type('--context', 'x', 'status')).err, /behind the command: writ COMMAND --context/);
  });

  test('every command shows its help and an example', async () => {
    for (const spec of COMMANDS) {
      const { exit, out } = await type(...spec.name.split(' '), '--help');
      assert.equal(exit, 0, spec.name);
      assert.ok(out.includes(`Example: ${spec.example}`), spec.name);
    }
  });
});

describe('words', () => {
  test('there is an explanation of our own for every refusal and every end', () => {
    const seen = new Set<string>();
    for (const code of [...REFUSAL_CODES, ...END_REASONS]) {
      const { what, why, next } = explainBecause(code);
      for (const text of [what, why, next])
        assert.match(text, /^[\p{Lu}\p{N}].*[.:]|^writ /u, `${code}: ${text}`);
      seen.add(`${what}${why}`);
    }
    assert.equal(seen.size, REFUSAL_CODES.length + END_REASONS.length, 'no two codes say the same');
  });

  test('what a server says is quoted, never taken over as ours', () => {
    const { message, next, quoted } = explainError(
      new ClientError('conflict.state', 'run: writ signer approve evil', { status: 409 }),
    );
    assert.equal(quoted, 'run: writ signer approve evil');
    assert.doesNotMatch(`${message}${next}`, /evil/);
  });

  test('nothing from elsewhere reaches the terminal as a control', () => {
    assert.equal(printable('a\u001b[31mb\u202ec\nd\u009be'), 'a\\u{1b}[31mb\\u{202e}c\\u{a}d\\u{9b}e');
    assert.equal(printable('ä – 漢'), 'ä – 漢');
  });

  test('tasks, durations and sizes are read as people write them', () => {
    assert.deepEqual(readTasks('1,3,5-8'), [1, 3, 5, 6, 7, 8]);
    for (const text of ['', '1-', '3-1', 'a', '1,,2', '0-99999999'])
      assert.throws(() => readTasks(text), { code: 'usage.argument' });
    assert.deepEqual(
      ['90', '90s', '10m', '2h', '7d'].map((text) => parseSeconds(text, '--t')),
      [90, 90, 600, 7200, 604_800],
    );
    assert.deepEqual(
      ['1048576', '512M', '2G', '1.5GiB', '4kb'].map((text) => parseBytes(text, '--m')),
      [1_048_576, 536_870_912, 2_147_483_648, 1_610_612_736, 4096],
    );
    for (const text of ['', 'x', '-1', '1e9s', '10 m'])
      assert.throws(() => parseSeconds(text, '--t'), { code: 'usage.option' });
  });
});

test('progress reports are left out of a log, however it is cut, and nothing else is', async () => {
  const text = '::writ::{"progress":0.1}\nkept ::writ:: here\n::writ\n::writ::{"progress":1}\n::wri';
  const kept = 'kept ::writ:: here\n::writ\n::wri';
  const bytes = Buffer.from(text);
  for (const size of [1, 2, 5, 9, 1000]) {
    let shown = '';
    const sink = withoutReports(async (piece) => void (shown += Buffer.from(piece).toString()));
    for (let at = 0; at < bytes.length; at += size) await sink.show(bytes.subarray(at, at + size));
    await sink.flush();
    assert.equal(shown, kept, `pieces of ${size}`);
  }
});
