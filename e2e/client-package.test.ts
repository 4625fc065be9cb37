// needs: bubblewrap, chromium
import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fetch } from '@writ/client';
import { PeopleFolder, reachContext } from '@writ/client/node';
import { servePage } from '../examples/client/page/serve.ts';
import { buildClient } from '../scripts/build/build-client.ts';
import { runProgram, type Ended } from '../scripts/test/run-program.ts';
import { openBrowser, type Browser, type Page } from '../testkit/src/open-browser.ts';
import { openShell, type Shell } from '../testkit/src/open-shell.ts';

const checkout = join(import.meta.dirname, '..');
const root = mkdtempSync(join(tmpdir(), 'writ-client-'));
const state = join(root, 'state');
/** A program of somebody else: nothing of the checkout is above it. */
const elsewhere = join(root, 'elsewhere');
const installed = join(elsewhere, 'node_modules');
const PATIENCE_MS = 60_000;
let ana: Shell;

before(async () => {
  ana = openShell(join(root, 'ana'));
  symlinkSync(ana.configuration, join(ana.home, '.config'));
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
  await buildClient(checkout, join(root, 'client'));
  mkdirSync(elsewhere);
  const packages = [
    join(root, 'client'),
    ...['typebox', 'undici'].map((name) => join(checkout, 'node_modules', name)),
  ];
  for (const from of packages) await npm('pack', from, '--pack-destination', root);
  writeFileSync(join(elsewhere, 'package.json'), '{"private":true,"type":"module"}');
  const files = readdirSync(root).filter((name) => name.endsWith('.tgz'));
  await npm('install', '--offline', ...files.map((name) => join(root, name)));
  cpSync(join(checkout, 'examples', 'client'), elsewhere, { recursive: true });
});
after(async () => {
  await ana.writ(['down', '--dir', state]);
  rmSync(root, { recursive: true, force: true });
});

describe('@writ/client, installed outside of the workspace', { timeout: 240_000 }, () => {
  test('brings two packages along, and runs no script when it is installed', () => {
    const manifest = JSON.parse(readFileSync(join(installed, '@writ', 'client', 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      scripts?: unknown;
    };
    assert.deepEqual(Object.keys(manifest.dependencies), ['typebox', 'undici']);
    assert.equal(manifest.scripts, undefined);
    const names = readdirSync(installed).filter((name) => !name.startsWith('.'));
    assert.deepEqual(names.toSorted(), ['@writ', 'typebox', 'undici']);
  });

  test('a program of twenty lines submits a job, follows it, and shows what is verified', async () => {
    const lines = readFileSync(join(elsewhere, 'run-and-verify.ts'), 'utf8').trimEnd().split('\n');
    assert.ok(lines.length <= 20, `${lines.length} lines`);
    const ended = await node('run-and-verify.ts', 'echo', 'from elsewhere');
    assert.equal(ended.exitCode, 0, ended.output);
    assert.match(ended.output, /^from elsewhere$/m);
    assert.match(ended.output, /^succeeded desk$/m);
    assert.match(ended.output, /^exit, signed by desk: verified$/m);
  });

  test('a program sends files and brings verified outputs back', async () => {
    writeFileSync(join(elsewhere, 'x.txt'), 'b\na\n');
    writeFileSync(join(elsewhere, 'y.txt'), 'd\nc\n');
    const ended = await node('sort-files.ts', 'x.txt', 'y.txt');
    assert.equal(ended.exitCode, 0, ended.output);
    assert.equal(readFileSync(join(elsewhere, 'sorted', 'x.txt.sorted'), 'utf8'), 'a\nb\n');
    assert.equal(readFileSync(join(elsewhere, 'sorted', 'y.txt.sorted'), 'utf8'), 'c\nd\n');
  });

  test('its types hold for who uses it, strictly and without skipping any', async () => {
    const compilerOptions = {
      target: 'es2024',
      lib: ['es2024', 'esnext.disposable', 'dom', 'dom.iterable', 'dom.asynciterable'],
      module: 'nodenext',
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      exactOptionalPropertyTypes: true,
      types: ['node'],
      typeRoots: [join(checkout, 'node_modules', '@types')],
    };
    const files = ['run-and-verify.ts', 'sort-files.ts', 'page/serve.ts'];
    writeFileSync(join(elsewhere, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = join(checkout, 'node_modules', 'typescript-7', 'bin', 'tsc');
    const ended = await runProgram([process.execPath, tsc, '-p', elsewhere], { cwd: elsewhere, minutes: 1 });
    assert.equal(ended.output, '');
    writeFileSync(
      join(elsewhere, 'wrong.ts'),
      `import { connect } from '@writ/client';\nconnect({ url: 1 });\n`,
    );
    const wrong = { compilerOptions, files: ['wrong.ts'] };
    writeFileSync(join(elsewhere, 'tsconfig.json'), JSON.stringify(wrong));
    const refused = await runProgram([process.execPath, tsc, '-p', elsewhere], {
      cwd: elsewhere,
      minutes: 1,
    });
    assert.match(refused.output, /wrong\.ts\(2,\d+\): error/);
  });
});

describe('a page in Chromium', { timeout: 240_000 }, () => {
  let browser: Browser;
  before(async () => {
    browser = await openBrowser();
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
  });

  /** The page of the example, whose requests go to the server through `change`. */
  async function openPage(
    change: (fetch: Fetch) => Fetch,
  ): Promise<{ page: Page; url: string; end: () => Promise<void> }> {
    const people = new PeopleFolder(join(ana.configuration, 'writ'));
    const context = await people.chooseContext();
    const sets = await people.readPins(context);
    const reached = await reachContext(context, { sets: () => sets, now: Date.now });
    const { server } = reached.client;
    const { url, http } = await servePage({
      server: { ...server, fetch: change(server.fetch) },
      sets,
      clientFile: join(installed, '@writ', 'client', 'browser.js'),
    });
    const end = async (): Promise<void> => {
      http.closeAllConnections();
      http.close();
      await reached[Symbol.asyncDispose]();
    };
    return { page: await browser.open(url), url, end };
  }

  async function runThere(page: Page, command: string, until: RegExp): Promise<string> {
    const keys = join(ana.configuration, 'writ', 'keys');
    await page.chooseFiles('input[type=file]', [join(keys, readdirSync(keys)[0] ?? '')]);
    await page.evaluate(`document.querySelector('[name=command]').value = ${JSON.stringify(command)}`);
    await page.evaluate(`document.querySelector('button').click()`);
    for (const from = performance.now(); ; await sleep(50)) {
      const shown = String(await page.evaluate(`document.querySelector('#shown').textContent`));
      if (until.test(shown)) return shown;
      assert.ok(
        performance.now() - from < PATIENCE_MS,
        `the page shows only:\n${shown}\n${page.faults.join('\n')}`,
      );
    }
  }

  test("signs an order with the person's key, follows the job, and verifies what came out", async () => {
    const { page, url, end } = await openPage((fetch) => fetch);
    try {
      for (const path of ['/pins.json', '/api/v1/cluster', '/api/v1/jobs'])
        assert.equal((await fetch(new URL(path, url))).status, 403, 'another program of this machine');
      const shown = await runThere(page, 'echo from a page', /verified|error|unverified|wrong/);
      assert.match(shown, /^from a page$/m);
      assert.match(shown, /^exit, signed by desk: verified$/m);
      assert.deepEqual(page.faults, []);
    } finally {
      await end();
    }
  });

  test('sees that a log or a receipt was changed on the way', async () => {
    const changed = async (answer: Response, change: (bytes: Buffer) => Buffer): Promise<Response> => {
      const bytes = change(Buffer.from(await answer.arrayBuffer()));
      return new Response(new Uint8Array(bytes), { status: answer.status, headers: answer.headers });
    };
    for (const [path, change, says] of [
      [/\/logs?\//, (bytes: Buffer) => Buffer.from(bytes.map((byte) => byte ^ 1)), /log\.digest_wrong/],
      [
        /\/receipts/,
        (bytes: Buffer) => {
          const page = JSON.parse(bytes.toString()) as { items: { envelope: { payload: string } }[] };
          for (const { envelope } of page.items) {
            const text = Buffer.from(envelope.payload, 'base64').toString().replace('"code":0', '"code":7');
            envelope.payload = Buffer.from(text).toString('base64');
          }
          return Buffer.from(JSON.stringify(page));
        },
        /receipt\.unverified/,
      ],
    ] as const) {
      let isChanged = false;
      const { page, end } = await openPage((fetch) => async (url, init) => {
        const answer = await fetch(url, init);
        if (!path.test(url) || !answer.ok) return answer;
        isChanged = true;
        return await changed(answer, change);
      });
      try {
        const shown = await runThere(page, 'echo from a page', /verified|error|wrong/);
        assert.match(shown, says);
        assert.doesNotMatch(shown, /: verified$/m);
        assert.ok(isChanged);
      } finally {
        await end();
      }
    }
  });
});

async function npm(...argv: string[]): Promise<void> {
  const ended = await runProgram(['npm', ...argv, '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: elsewhere,
    minutes: 1,
  });
  assert.equal(ended.exitCode, 0, ended.output);
}

function node(...argv: string[]): Promise<Ended> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: ana.home };
  return runProgram([process.execPath, ...argv], { cwd: elsewhere, minutes: 1, env });
}
