import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import process from 'node:process';
import { it } from 'node:test';
import { promisify } from 'node:util';

const MIB = 1024 * 1024;
const module = JSON.stringify(new URL('free-buffers.ts', import.meta.url).href);

/** @returns how many bytes outside of the heap a program has at most, while 512 MiB pass through it in small buffers. */
async function mostOutside(isFreeing: boolean): Promise<number> {
  const program = `
    import { setImmediate as turn } from 'node:timers/promises';
    const { freeBuffers } = await import(${module});
    let most = 0;
    for (let n = 0; n < 8192; n += 1) {
      const chunk = new Uint8Array(65536).fill(n);
      ${isFreeing ? 'freeBuffers(chunk.length);' : 'void chunk;'}
      if (n % 16 === 0) await turn();
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    console.log(most);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  return Number(stdout);
}

it('keeps what has passed from gathering outside of the heap', async () => {
  const freed = await mostOutside(true);
  assert.ok(freed < 24 * MIB, `${freed / MIB} MiB`);
  const left = await mostOutside(false);
  assert.ok(left > 40 * MIB, `V8 does that by itself now: ${left / MIB} MiB without it`);
});
