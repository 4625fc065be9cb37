// needs: bubblewrap
// runs: alone
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BUNDLE, fetchStrips, STRIP } from '../scripts/quickstart/fetch-strips.ts';
import { type Outside, runQuickstart } from '../scripts/quickstart/run-quickstart.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const picture = join(root, 'out', 'mandelbrot.png');
// Every run has its own place for temporary folders, so that what is left over is seen.
let place = '';
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'wq-'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

test('the quickstart draws a verified picture on three agents, live, and leaves nothing behind', async () => {
  rmSync(picture, { force: true });
  const { exitCode, output } = await quickstart([]);
  assert.equal(exitCode, 0, output);

  const progress = output.split('\n').filter((line) => / done · .* of 8 strips$/.test(line));
  const before = progress.filter((line) => !line.endsWith('· 8 of 8 strips'));
  assert.ok(before.length >= 20, `only ${before.length} lines of progress before the last task ended`);
  for (const agent of ['quickstart-1', 'quickstart-2', 'quickstart-3']) {
    assert.ok(
      before.some((line) => line.includes(agent)),
      agent,
    );
  }
  const counts = progress.map((line) => Number(/(\d) of 8 strips$/.exec(line)?.[1]));
  assert.deepEqual(
    counts,
    counts.toSorted((left, right) => left - right),
  );
  assert.ok(new Set(counts).size >= 5, `the counts were ${[...new Set(counts)].join()}`);

  assert.match(output, /8 of 8 receipts verified/);
  const done = [...output.matchAll(/^quickstart-\d +\d\.\d GFLOPS +(?:strict|user) +(\d) +\d+\.\d s$/gm)];
  assert.equal(done.length, 3, output);
  assert.equal(
    done.reduce((sum, [, tasks]) => sum + Number(tasks), 0),
    8,
  );
  const [, speedUp] = /speed-up (\d+\.\d\d) on \d+ cores?/.exec(output) ?? [];
  assert.ok(Number(speedUp) > 0 && Number(speedUp) <= availableParallelism() * 1.05, speedUp);

  assert.match(output, /^out\/mandelbrot\.png {3}1920 × 1080/m);
  const png = readFileSync(picture);
  assert.equal(png.subarray(1, 4).toString(), 'PNG');
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [1920, 1080]);
  assertNothingLeft();
});

test('one byte changed in a strip and one in a receipt: no picture, and both strips are named', async () => {
  rmSync(picture, { force: true });
  const said: string[] = [];
  const outside = outsideOf(said);
  const code = await runQuickstart({ keep: false, bare: false, stop: undefined }, outside, {
    async fetchStrips(person, submitted, folder, signal) {
      await fetchStrips(person, submitted, folder, signal);
      changeByte(join(folder, '2', STRIP), -1);
      changeReceipt(join(folder, '5', BUNDLE));
    },
  });
  const output = said.join('');
  assert.equal(code, 1, output);
  assert.match(output, /✗ strip 2: these are not the bytes that quickstart-\d signed/);
  assert.match(output, /✗ strip 5: /);
  assert.match(output, /6 of 8 strips are proved\. No picture was made\./);
  assert.equal(existsSync(picture), false);
  assertNothingLeft();
});

test('Ctrl-C in the middle ends with 130 and leaves nothing behind', async () => {
  const running = start([]);
  let output = '';
  running.stdout.on('data', (chunk: Buffer) => {
    const isFirst = !output.includes(' done · ');
    output += chunk.toString();
    if (isFirst && output.includes(' done · ')) running.kill('SIGINT');
  });
  const exitCode = await new Promise((resolve) => {
    running.once('close', resolve);
  });
  assert.equal(exitCode, 130, output);
  assert.doesNotMatch(output, /8 of 8/);
  assertNothingLeft();
});

test('--keep leaves it running, and says how to stop it', async () => {
  const { exitCode, output } = await quickstart(['--keep']);
  assert.equal(exitCode, 0, output);
  const [, folder] = /npm run quickstart -- --stop (\S+)/.exec(output) ?? [];
  assert.ok(folder, output);
  const configuration = /XDG_CONFIG_HOME=(\S+)/.exec(output)?.[1] ?? '';
  const listed = await run(join(root, 'apps', 'cli', 'src', 'main.ts'), ['agent', 'list', '--json'], {
    XDG_CONFIG_HOME: configuration,
  });
  assert.equal(listed.exitCode, 0, listed.output);
  assert.match(listed.output, /quickstart-3/);
  const stopped = await quickstart(['--stop', folder]);
  assert.equal(stopped.exitCode, 0, stopped.output);
  assertNothingLeft();
});

const start = (argv: readonly string[]) => spawnNode(join(root, 'scripts', 'quickstart.ts'), argv, {});
const quickstart = (argv: readonly string[]) => run(join(root, 'scripts', 'quickstart.ts'), argv, {});

function spawnNode(file: string, argv: readonly string[], more: Readonly<Record<string, string>>) {
  return spawn(process.execPath, [file, ...argv], {
    cwd: root,
    env: { ...process.env, TMPDIR: place, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 300_000,
  });
}

async function run(file: string, argv: readonly string[], more: Readonly<Record<string, string>>) {
  const child = spawnNode(file, argv, more);
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const [exitCode, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { exitCode, output: stdout + stderr };
}

function outsideOf(said: string[]): Outside {
  return {
    root,
    machine: {
      platform: process.platform,
      isRoot: process.getuid?.() === 0,
      path: process.env['PATH'] ?? '',
    },
    cores: availableParallelism(),
    isTerminal: false,
    environment: process.env,
    temporary: place,
    signal: new AbortController().signal,
    write: (text) => void said.push(text),
  };
}

function changeByte(file: string, at: number): void {
  const bytes = readFileSync(file);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = bytes[place]! ^ 1;
  writeFileSync(file, bytes);
}

/** One letter of the signed text. */
function changeReceipt(file: string): void {
  const bundle = JSON.parse(readFileSync(file, 'utf8')) as { receipts: { receipt: { payload: string } }[] };
  const { receipt } = bundle.receipts[0]!;
  const letter = receipt.payload[100] === 'Q' ? 'R' : 'Q';
  receipt.payload = `${receipt.payload.slice(0, 100)}${letter}${receipt.payload.slice(101)}`;
  writeFileSync(file, JSON.stringify(bundle));
}

function assertNothingLeft(): void {
  assert.deepEqual(readdirSync(place), []);
  const left = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(join('/proc', name, 'cmdline'), 'utf8').includes(place);
      } catch {
        return false;
      }
    });
  assert.deepEqual(left, []);
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(place));
}
