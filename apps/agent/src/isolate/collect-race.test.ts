import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRoot, openTestIsolation, usualLimits } from './testing/open-test-isolation.ts';
import { readOutputs } from './read-outputs.ts';
import { IsolateError } from './isolation.ts';

// In the launcher's own mount namespace somebody with the slot's account swaps a folder for a link while collections
// run. No job can do that, because its processes are dead by then; the collection must not rest on it alone.
const swaps = `const fs = require('node:fs');
const [work, outside] = process.argv.slice(1);
let count = 0;
const pause = new Int32Array(new SharedArrayBuffer(4));
for (const end = Date.now() + 240_000; Date.now() < end; ) {
  try { fs.renameSync(work + '/r', work + '/held'); } catch {}
  try { fs.symlinkSync(outside, work + '/r'); count++; } catch {}
  try { fs.unlinkSync(work + '/r'); } catch {}
  try { fs.renameSync(work + '/held', work + '/r'); } catch {}
  Atomics.wait(pause, 0, 0, 0.2);
  if (count % 100 === 0) process.stdout.write(count + '\\n');
}`;

if (isRoot)
  test(
    'a folder swapped for a link during collections never shows what lies outside',
    { timeout: 240_000 },
    async () => {
      await using it = await openTestIsolation({ as: 'root', profiles: ['strict'], slots: 1 });
      const outside = join(it.folder, 'outside');
      mkdirSync(outside, { mode: 0o777 });
      writeFileSync(join(outside, 'secret'), 'the-secret');
      const before = statSync(outside, { bigint: true }).ctimeNs;
      const shells = [0].map((slot) => launcherShell(it.firstUid + 1 + slot));
      const swappers = shells.map(({ pid, uid }, slot) => {
        const enter = [
          '--target',
          String(pid),
          '--mount',
          '--',
          '/usr/bin/setpriv',
          `--reuid=${uid}`,
          `--regid=${uid}`,
          '--clear-groups',
        ];
        return spawn(
          '/usr/bin/nsenter',
          [...enter, process.execPath, '-e', swaps, `/run/writ/work${slot}`, outside],
          { stdio: ['ignore', 'pipe', 'ignore'] },
        );
      });
      const counts = swappers.map(() => 0);
      swappers.forEach((swapper, slot) =>
        swapper.stdout.on(
          'data',
          (text: Buffer) => (counts[slot] = Number(String(text).trim().split('\n').at(-1))),
        ),
      );
      let collections = 0;
      const lane = async (slot: number): Promise<void> => {
        while (collections < 200 || counts.reduce((sum, each) => sum + each, 0) < 10_000) {
          const started = await it.isolation.start({
            slot,
            profile: 'strict',
            argv: ['/bin/sh', '-c', 'mkdir -p r && echo mine >r/mine; exit 0'],
            env: [],
            inputs: [],
            limits: usualLimits,
            network: false,
            outputs: { patterns: ['r/**', 'r', '**/secret'], maxBytes: 1e6 },
          });
          const end = await started.ended;
          if (end.outputsTar !== null) {
            collections++;
            assert.ok(!readFileSync(end.outputsTar).includes('the-secret'));
            try {
              for await (const file of readOutputs(end.outputsTar, {
                patterns: ['**'],
                inputs: new Set(),
                maxBytes: 1e6,
                maxFiles: 10,
              }))
                assert.ok(file.path.endsWith('mine'), file.path);
            } catch (error) {
              if (!(error instanceof IsolateError)) throw error;
            }
          }
          started.release();
        }
      };
      try {
        await lane(0);
      } finally {
        for (const swapper of swappers) swapper.kill('SIGKILL');
      }
      assert.ok(collections >= 200);
      assert.ok(counts.reduce((sum, each) => sum + each, 0) >= 10_000, counts.join());
      assert.deepEqual(readdirSync(outside), ['secret']);
      assert.equal(
        statSync(outside, { bigint: true }).ctimeNs,
        before,
        'nothing was made or removed outside',
      );
    },
  );

function launcherShell(uid: number): { readonly pid: number; readonly uid: number } {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]) === uid)
        return { pid: Number(name), uid };
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error(`no process of account ${uid}`);
}
