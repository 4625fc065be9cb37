// needs: bubblewrap, util-linux
import assert from 'node:assert/strict';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { buildPackage } from '../scripts/build/build-package.ts';
import { runProgram, type Ended } from '../scripts/test/run-program.ts';
import { readProcesses } from '../testkit/src/read-processes.ts';

const isRoot = process.geteuid?.() === 0;
/** An account without a name and without rights. */
const plainUid = 1_880_000_000 + process.pid;

describe('the published package, alone in a folder', { timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'writ-package-'));
  const node = join(folder, 'node');
  before(async () => {
    chmodSync(folder, 0o755);
    await buildPackage(join(import.meta.dirname, '..'), join(folder, 'writ'));
    // The checkout may lie where another account may not go.
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
  });
  after(() => {
    for (const { pid } of readProcesses(folder)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  /** Somebody with a home and nothing else, in the root folder. */
  function openAccount(name: string, uid: number | null): (...argv: string[]) => Promise<Ended> {
    const home = join(folder, name);
    mkdirSync(home, { mode: 0o700 });
    if (uid !== null) chownSync(home, uid, uid);
    const account =
      uid === null ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: home, WRIT_NO_INPUT: '1', NO_COLOR: '1' };
    return (...argv) => {
      const [first = '', ...rest] = [...account, node, join(folder, 'writ', 'cli.js'), ...argv];
      return runProgram([first, ...rest], { cwd: '/', minutes: 1, env });
    };
  }

  async function upRunDown(name: string, uid: number | null): Promise<void> {
    const writ = openAccount(name, uid);
    const state = join(folder, name, 'state');
    const up = await writ('up', '--dir', state, '--host', '127.0.0.1', '--port', '0', '--agent-port', '0');
    assert.equal(up.exitCode, 0, up.output);
    try {
      const run = await writ('run', '--', 'uname', '-a');
      assert.equal(run.exitCode, 0, `${run.output}\n${logOf(state)}`);
      assert.match(run.output, /Linux .*GNU\/Linux/);
    } finally {
      const down = await writ('down', '--dir', state);
      assert.equal(down.exitCode, 0, down.output);
    }
    assert.deepEqual(readProcesses(state), []);
  }

  const logOf = (state: string): string => {
    try {
      return readFileSync(join(state, 'agent', 'log'), 'utf8').slice(-2000);
    } catch {
      return 'the agent wrote no log';
    }
  };

  test('runs a job for whoever started it', () => upRunDown('caller', null));

  test('runs a job for an account without rights', { skip: isRoot ? false : 'that is who runs this' }, () =>
    upRunDown('plain', plainUid),
  );
});
