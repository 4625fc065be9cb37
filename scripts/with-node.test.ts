import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram, type Ended } from './test/run-program.ts';

const here = dirname(fileURLToPath(import.meta.url));
const LOCK = JSON.stringify({ packages: { '': {}, 'node_modules/a': { version: '1.0.0' } } });

describe('with-node', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'writ-node-'));
    mkdirSync(join(root, 'scripts'));
    mkdirSync(join(root, 'bin'));
    copyFileSync(join(here, 'with-node.mjs'), join(root, 'scripts/with-node.mjs'));
    writeFileSync(join(root, 'package-lock.json'), LOCK);
    // Stands for npm: writes down how it was called, and makes what an installation leaves.
    program('bin/npm', `echo "$@" >> calls; mkdir -p node_modules; test ! -e broken\n`);
  });

  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test('installs without scripts when nothing is there, and not a second time', async () => {
    writeFileSync(join(root, 'say.mjs'), `console.log('said')`);
    assert.match((await run('say.mjs')).output, /installing[^]*said/);
    assert.equal(calls().length, 1);
    assert.match(calls()[0] ?? '', /^ci --ignore-scripts/);
    assert.equal((await run('say.mjs')).output, 'said\n');
    assert.equal(calls().length, 1);
  });

  test('installs again when the lock has changed', async () => {
    writeFileSync(join(root, 'say.mjs'), '');
    await run('say.mjs');
    writeFileSync(join(root, 'package-lock.json'), LOCK.replace('1.0.0', '1.0.1'));
    await run('say.mjs');
    assert.equal(calls().length, 2);
  });

  test('takes an installation by npm itself that agrees with the lock, and no other', async () => {
    writeFileSync(join(root, 'say.mjs'), '');
    mkdirSync(join(root, 'node_modules'));
    writeFileSync(join(root, 'node_modules/.package-lock.json'), LOCK);
    await run('say.mjs');
    assert.equal(calls().length, 0);
    const wanted = createHash('sha256').update(LOCK).digest('hex');
    assert.equal(readFileSync(join(root, 'node_modules/.writ-lock'), 'utf8'), wanted);

    rmSync(join(root, 'node_modules/.writ-lock'));
    writeFileSync(join(root, 'node_modules/.package-lock.json'), LOCK.replace('1.0.0', '0.9.0'));
    await run('say.mjs');
    assert.equal(calls().length, 1);
  });

  test('stops with words and starts nothing when the installation fails', async () => {
    writeFileSync(join(root, 'broken'), '');
    writeFileSync(join(root, 'say.mjs'), `console.log('said')`);
    const ended = await run('say.mjs');
    assert.equal(ended.exitCode, 1);
    assert.match(ended.output, /npm ci failed/);
    assert.doesNotMatch(ended.output, /said/);
    assert.equal(existsSync(join(root, 'node_modules/.writ-lock')), false);
  });

  test('prefers the Node of the checkout, first on the path of everything it starts', async () => {
    bringNode(`echo brought "$@"; command -v node`);
    const ended = await run('say.mjs', 'a b', '--flag');
    assert.equal(ended.output, `brought say.mjs a b --flag\n${join(root, 'node_modules/.bin/node')}\n`);
  });

  test('lets processes share what they compiled, in a place of the checkout or the one that is set', async () => {
    bringNode(`echo "$NODE_COMPILE_CACHE"`);
    const ended = await run('say.mjs');
    assert.equal(ended.output, `${join(root, 'node_modules/.cache/compile')}\n`);
    const wished = await runWith({ NODE_COMPILE_CACHE: '/elsewhere' }, 'say.mjs');
    assert.equal(wished.output, '/elsewhere\n');
  });

  test('passes arguments and the exit code', async () => {
    writeFileSync(
      join(root, 'end.mjs'),
      `console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 7;`,
    );
    const ended = await run('end.mjs', 'a b', '', '--flag');
    assert.match(ended.output, /\["a b","","--flag"\]/);
    assert.equal(ended.exitCode, 7);
  });

  test('passes a signal on, and ends as the script ended', async () => {
    bringNode('');
    const script = `process.on('SIGTERM', () => { console.log('heard'); process.exit(9); }); console.log('ready'); setInterval(() => {}, 1000);`;
    writeFileSync(join(root, 'wait.mjs'), script);
    rmSync(join(root, 'node_modules/.bin/node'));
    const child = spawn(process.execPath, [join(root, 'scripts/with-node.mjs'), 'wait.mjs'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    const code = await new Promise<number | null>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (!output.includes('ready') && `${output}${text}`.includes('ready')) child.kill('SIGTERM');
        output += text;
      });
      child.on('close', resolve);
    });
    assert.equal(output, 'ready\nheard\n');
    assert.equal(code, 9);
  });

  test('says what to do where there is no Node new enough', async () => {
    bringNode('exit 1');
    const old = `Object.defineProperty(process.versions, 'node', { value: '22.1.0' });`;
    writeFileSync(join(root, 'old.mjs'), `${old} await import('./scripts/with-node.mjs');`);
    const ended = await runProgram([process.execPath, 'old.mjs', 'say.mjs'], { cwd: root, minutes: 1 });
    assert.equal(ended.exitCode, 1);
    assert.match(ended.output, /Writ needs Node 24 or newer.*Install Node 24/);
  });

  test('no npm script starts a second node in one line', () => {
    const manifest = readFileSync(join(here, '..', 'package.json'), 'utf8');
    const { scripts } = JSON.parse(manifest) as { scripts: Record<string, string> };
    for (const line of Object.values(scripts)) assert.doesNotMatch(line, /[;&|]/);
  });

  function program(path: string, text: string): void {
    writeFileSync(join(root, path), `#!/bin/sh\n${text}`);
    chmodSync(join(root, path), 0o755);
  }

  function bringNode(text: string): void {
    mkdirSync(join(root, 'node_modules/.bin'), { recursive: true });
    writeFileSync(join(root, 'node_modules/.package-lock.json'), LOCK);
    program(
      'node_modules/.bin/node',
      `case "$1" in --version) exit ${text === 'exit 1' ? 1 : 0} ;; esac\n${text}\n`,
    );
  }

  function calls(): string[] {
    if (!existsSync(join(root, 'calls'))) return [];
    return readFileSync(join(root, 'calls'), 'utf8').trim().split('\n');
  }

  function run(...argv: string[]): Promise<Ended> {
    return runWith({}, ...argv);
  }

  function runWith(more: NodeJS.ProcessEnv, ...argv: string[]): Promise<Ended> {
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`,
    };
    // This test may have been started by the program that it is about.
    delete env['NODE_COMPILE_CACHE'];
    return runProgram([process.execPath, 'scripts/with-node.mjs', ...argv], {
      cwd: root,
      minutes: 1,
      env: { ...env, ...more },
    });
  }
});
