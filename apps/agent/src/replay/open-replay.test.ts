import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { failSyncs } from '../../../../testkit/src/replace-sync.ts';
import { createReplay, openReplay } from './open-replay.ts';
import type { OrderKey, Replay, Success } from './open-replay.ts';

const DAY = 86_400_000;
const NOW = 1_800_000_000_000;
const base = mkdtempSync(join(tmpdir(), 'writ-replay-'));
const order: OrderKey = { digest: 'sha256:a', person: 'p', job: 'j', notAfter: NOW + DAY };
const success: Success = {
  receipt: 'sha256:r',
  attempt: 1,
  exit: { code: 0 },
  variant: 0,
  profile: 'strict',
  started: NOW,
  ended: NOW,
  outputs: [],
  stdout: { digest: 'sha256:e', size: 0 },
  stderr: { digest: 'sha256:e', size: 0 },
  resources: { wallMs: 1, cpuMs: null, memoryPeakBytes: null },
};
let path = '';
let count = 0;

after(() => rmSync(base, { recursive: true, force: true }));
beforeEach(async () => {
  path = join(base, `${(count += 1)}.log`);
  await createReplay(path);
});

const open = (bootId: string | null = 'boot-1', now = NOW): Promise<Replay> =>
  openReplay({ path, bootId, now: () => now, onLost: () => assert.fail('its disk is as it should be') });

/** As `kill -9` leaves it: what was appended is in the page cache, nothing was closed. */
async function openKilled(work: (replay: Replay) => Promise<void>): Promise<void> {
  const replay = await open();
  await work(replay);
}

describe('what an agent remembers of its starts', () => {
  it('counts an attempt as used from its mark on, also after a restart', async () => {
    await openKilled(async (replay) => {
      await replay.reserve(order, [{ index: 0, attempt: 1 }]);
      replay.markStarted(order, { index: 0, attempt: 1 });
    });
    const { highest, last } = (await open()).recall(order, 0);
    assert.deepEqual({ highest, last }, { highest: 1, last: 'ended' });
  });

  it('frees what was reserved and not marked when only the process ended', async () => {
    await openKilled((replay) => replay.reserve(order, [{ index: 0, attempt: 1 }]));
    assert.equal((await open('boot-1')).recall(order, 0).highest, 0);
  });

  it('counts the whole reserved batch as started when the machine itself crashed', async () => {
    await openKilled((replay) =>
      replay.reserve(order, [
        { index: 0, attempt: 1 },
        { index: 1, attempt: 2 },
      ]),
    );
    const replay = await open('boot-2');
    assert.equal(replay.recall(order, 0).highest, 1);
    assert.equal(replay.recall(order, 1).highest, 2);
  });

  it('counts it so too where the boot cannot be known', async () => {
    const first = await open(null);
    await first.reserve(order, [{ index: 0, attempt: 1 }]);
    assert.equal((await open(null)).recall(order, 0).highest, 1);
  });

  it('knows after an orderly end that what was not marked did not start, also after a reboot', async () => {
    const replay = await open();
    await replay.reserve(order, [{ index: 0, attempt: 1 }]);
    await replay.close();
    assert.equal((await open('boot-2')).recall(order, 0).highest, 0);
  });

  it('does not count what was handed back, also after a crash of the machine', async () => {
    await openKilled(async (replay) => {
      await replay.reserve(order, [{ index: 0, attempt: 1 }]);
      await replay.handBack(order, [{ index: 0, attempt: 1 }]);
    });
    assert.equal((await open('boot-2')).recall(order, 0).highest, 0);
  });

  it('never forgets a success, and finds what its receipt said after many others', async () => {
    const first = await open();
    await first.reserve(order, [{ index: 0, attempt: 1 }]);
    first.markStarted(order, { index: 0, attempt: 1 });
    first.markEnded(order, { index: 0, attempt: 1 }, success);
    for (let index = 1; index < 4200; index += 1) first.markEnded(order, { index, attempt: 1 }, success);
    first.markEnded(order, { index: 0, attempt: 2 }, null);
    await first.close();
    const replay = await open('boot-2');
    assert.equal(replay.recall(order, 0).last, 'succeeded');
    assert.deepEqual(await replay.findSuccess(order, 0), success);
  });

  it('reads a success whose output has a line separator in its name, in memory and from the file', async () => {
    const outputs = ['\u2028', '\u2029', '\u0085'].map((between) => ({
      path: `a${between}b`,
      mode: 'file' as const,
      digest: 'sha256:o',
      size: 1,
    }));
    const first = await open();
    first.markEnded(order, { index: 0, attempt: 1 }, { ...success, outputs });
    for (let index = 1; index <= 4096; index += 1) first.markEnded(order, { index, attempt: 1 }, success);
    assert.deepEqual(await first.findSuccess(order, 0), { ...success, outputs });
    await first.close();
    const replay = await open();
    assert.equal(replay.recall(order, 0).last, 'succeeded');
    assert.deepEqual(await replay.findSuccess(order, 0), { ...success, outputs });
    await replay.close();
  });

  it('takes a success from a receipt that was durable when the record of it was not', async () => {
    await openKilled((replay) => replay.reserve(order, [{ index: 0, attempt: 1 }]));
    const replay = await open('boot-2');
    replay.recover({ person: 'p', job: 'j', order: 'sha256:a', index: 0 }, success);
    assert.equal(replay.recall(order, 0).last, 'succeeded');
  });

  it('holds few successes in memory, and starts where all of them would not fit', async () => {
    const many = 40_000;
    const tail = `,1,${JSON.stringify(success)}]\n`;
    writeFileSync(path, `["o",0,"sha256:a","p","j",${NOW + DAY}]\n`);
    for (let from = 0; from < many; from += 1000)
      appendFileSync(path, Array.from({ length: 1000 }, (_, at) => `["e",0,${from + at}${tail}`).join(''));
    const before = statSync(path).size;
    const program = `
      import { openReplay } from ${JSON.stringify(join(import.meta.dirname, 'open-replay.ts'))};
      const replay = await openReplay({ path: ${JSON.stringify(path)}, bootId: null, now: () => ${NOW} });
      const found = await replay.findSuccess(${JSON.stringify(order)}, 0);
      process.stdout.write(found.receipt);`;
    const told = execFileSync(
      process.execPath,
      ['--max-old-space-size=17', '--input-type=module-typescript', '--eval', program],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    assert.equal(told, success.receipt);
    assert.ok(statSync(path).size > before);
  });

  it('remembers more orders than a call has room for arguments', async () => {
    const many = 150_000;
    let text = '';
    for (let n = 0; n < many; n += 1)
      text += `["o",${n},"sha256:${n}","p","j${n}",${NOW + DAY}]\n["k",${n},[0,1,1]]\n`;
    writeFileSync(path, text);
    const replay = await open();
    for (const n of [0, many - 1])
      assert.equal(
        replay.recall({ ...order, job: `j${n}`, digest: `sha256:${n}` }, 0).last,
        'succeeded',
        `j${n}`,
      );
  });

  it('tells another order under the same person and job', async () => {
    const replay = await open();
    await replay.reserve(order, [{ index: 0, attempt: 1 }]);
    assert.equal(replay.recall({ ...order, digest: 'sha256:b' }, 0).isOtherOrder, true);
    assert.equal(replay.recall({ ...order, person: 'q', digest: 'sha256:b' }, 0).isOtherOrder, false);
  });

  it('does not start on a record from which a reservation is missing', async () => {
    await openKilled(async (replay) => {
      await replay.reserve(order, [{ index: 0, attempt: 1 }]);
      await replay.reserve(order, [{ index: 1, attempt: 1 }]);
    });
    const lines = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, lines.filter((line) => !line.startsWith('["r",0')).join('\n'));
    await assert.rejects(open('boot-2'), { code: 'record.damaged' });
  });

  it('does not start without its record', async () => {
    rmSync(path);
    await assert.rejects(open(), { code: 'agent.state_damaged' });
  });

  it('takes no notice of a last line that was cut short', async () => {
    await openKilled((replay) => replay.reserve(order, [{ index: 0, attempt: 1 }]));
    appendFileSync(path, '["s",0,0');
    assert.equal((await open()).recall(order, 0).highest, 0);
  });

  it('does not start on a record with a damaged line in the middle', async () => {
    await openKilled((replay) => replay.reserve(order, [{ index: 0, attempt: 1 }]));
    appendFileSync(path, 'rubbish\n["w",5]\n');
    await assert.rejects(open(), { code: 'record.damaged' });
  });
});

describe('the mark of what was forgotten', () => {
  it('takes the place of orders that ended long ago, and stays when the clock goes back', async () => {
    const first = await open('boot-1', NOW);
    first.witness(NOW);
    await first.reserve(order, [{ index: 0, attempt: 1 }]);
    await first.close();
    const later = await open('boot-1', NOW + 40 * DAY);
    later.witness(NOW + 40 * DAY);
    await later.close();
    const purged = await open('boot-1', NOW + 40 * DAY);
    assert.equal(purged.recall(order, 0).highest, 0);
    assert.ok(purged.mark >= order.notAfter);
    await purged.close();
    const back = await open('boot-1', NOW);
    assert.ok(back.mark >= order.notAfter);
    assert.equal(back.now(), NOW + 40 * DAY);
  });

  it('does not move with a wild clock alone: nothing is forgotten, nothing refused', async () => {
    const first = await open('boot-1', NOW);
    first.witness(NOW);
    await first.reserve(order, [{ index: 0, attempt: 1 }]);
    first.markStarted(order, { index: 0, attempt: 1 });
    await first.close();
    const wild = await open('boot-1', NOW + 4000 * DAY);
    assert.ok(wild.mark <= NOW + DAY);
    const far = { ...order, notAfter: NOW + 20 * DAY };
    assert.ok(wild.mark < far.notAfter);
  });

  it('does not believe a time in a signature that is ahead of its own clock', async () => {
    const replay = await open('boot-1', NOW);
    replay.witness(NOW + 100 * 365 * DAY);
    assert.equal(replay.witnessed, 0);
    assert.equal(replay.now(), NOW);
  });
});

describe('a record of which the disk did not take all', () => {
  it('says so once, takes nothing more, and is not exact when it is read again', async (t) => {
    const losses: string[] = [];
    const replay = await openReplay({
      path,
      bootId: 'boot-1',
      now: () => NOW,
      onLost: ({ code }) => losses.push(code),
    });
    await replay.reserve(order, [{ index: 0, attempt: 1 }]);
    const restoreSync = failSyncs(t);
    await assert.rejects(replay.sync(), { code: 'record.lost' });
    await assert.rejects(replay.reserve(order, [{ index: 1, attempt: 1 }]), { code: 'record.lost' });
    await assert.rejects(replay.close(), { code: 'record.lost' });
    assert.deepEqual(losses, ['record.lost']);
    restoreSync();
    // The mark of a start may be among what the kernel threw away, also under the same boot.
    assert.equal((await open('boot-1')).recall(order, 0).highest, 1);
  });
});

describe('starts on a full disk', () => {
  it(
    'are refused: what cannot be recorded is not reserved, and what was recorded stays',
    { skip: process.geteuid?.() !== 0 && 'needs root' },
    async () => {
      const disk = join(base, 'disk');
      mkdirSync(disk);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
      try {
        path = join(disk, 'replay.log');
        await createReplay(path);
        const replay = await open();
        await replay.reserve(order, [{ index: 0, attempt: 1 }]);
        replay.markStarted(order, { index: 0, attempt: 1 });
        const many = Array.from({ length: 20_000 }, (_, index) => ({ index: index + 1, attempt: 1 }));
        await assert.rejects(replay.reserve(order, many), { code: 'record.not_durable' });
        const { size } = statSync(path);
        assert.equal(
          readFileSync(path, 'utf8').endsWith('\n'),
          true,
          `${size} bytes, the last line is whole`,
        );
        await replay.reserve(order, [{ index: 1, attempt: 1 }]);
        assert.equal((await open()).recall(order, 0).highest, 1);
      } finally {
        execFileSync('umount', ['-l', disk]);
      }
    },
  );
});

describe('a process killed between record and start', () => {
  it('leaves a record that another process reads as it must', async () => {
    const program = `
      import { openReplay } from ${JSON.stringify(join(import.meta.dirname, 'open-replay.ts'))};
      const replay = await openReplay({ path: ${JSON.stringify(path)}, bootId: 'boot-1', now: () => ${NOW} });
      const order = ${JSON.stringify(order)};
      await replay.reserve(order, [{ index: 0, attempt: 1 }, { index: 1, attempt: 1 }]);
      replay.markStarted(order, { index: 0, attempt: 1 });
      process.stdout.write('reserved');
      setInterval(() => {}, 1000);`;
    const file = join(base, 'killed.ts');
    writeFileSync(file, program);
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const replay = await open('boot-1');
    assert.equal(replay.recall(order, 0).highest, 1);
    assert.equal(replay.recall(order, 1).highest, 0);
    truncateSync(file, 0);
  });
});
