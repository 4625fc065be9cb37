import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BwrapOption } from './bwrap-arguments.ts';
import { closeInheritedDescriptors } from './close-inherited-descriptors.ts';
import { Launcher } from './launcher.ts';
import type { FromLauncher, Offer } from './messages.ts';
import { readWalls } from './probe.ts';

closeInheritedDescriptors();

const clock = {
  epochMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
};

/** What the probe says when some of bwrap's options are left out. */
async function measure(without: readonly BwrapOption[]): Promise<Offer> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-probe-'));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'slots'), { mode: 0o755 });
  const isRoot = process.geteuid?.() === 0;
  const said: FromLauncher[] = [];
  const ready = Promise.withResolvers<void>();
  const launcher = new Launcher({
    owner: {
      format: 1,
      name: 'probe-test',
      slots: 1,
      profiles: ['user'],
      firstUid: isRoot ? 1_890_000_000 : null,
      slotsFolder: join(folder, 'slots'),
      cacheFolder: folder,
      node: '/bin/sh',
      network: 'asked',
      most: {
        wallMs: 1e6,
        memoryBytes: 2 ** 30,
        pids: 99,
        diskBytes: 2 ** 30,
        nofile: 1024,
        logBytes: 2 ** 20,
        outputsBytes: 1,
      },
    },
    clock,
    send: (lines) => {
      for (const line of lines.trim().split('\n')) said.push(JSON.parse(line) as FromLauncher);
      ready.resolve();
    },
    leave: () => {},
    without: new Set(without),
  });
  try {
    await launcher.open();
    await ready.promise;
    const first = said[0];
    assert.ok(first?.[0] === 'ready');
    const offer = first[1].offers[0];
    assert.ok(offer !== undefined);
    return offer;
  } finally {
    await launcher.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test('with every option on no wall is down', async () => {
  const { measured, down, walls } = await measure([]);
  assert.deepEqual(down, []);
  assert.ok(measured && walls.length >= 40);
});

const named: ReadonlyArray<readonly [without: readonly BwrapOption[], wall: string]> = [
  [['unshare-ipc'], 'namespace.ipc'],
  [['unshare-net'], 'namespace.net'],
  [['unshare-uts'], 'namespace.uts'],
  [['unshare-cgroup'], 'namespace.cgroup'],
  [['unshare-pid', 'private-proc'], 'namespace.pid'],
  [['private-proc'], 'processes.launcher'],
  [['private-dev'], 'device.loop'],
  [['private-tmp'], 'files.tmp'],
  [['new-session'], 'session'],
  [['read-only-root'], 'files.root'],
  [['seccomp'], 'system-calls'],
  [['seccomp', 'disable-userns'], 'namespace.make'],
];

for (const [without, wall] of named)
  test(`without ${without.join(' and ')} the probe names ${wall}`, async () => {
    const { measured, down } = await measure(without);
    assert.ok(down.includes(wall), `down: ${down.join(', ')}`);
    assert.equal(measured, false);
  });

test('an unfinished or foreign report measures nothing', () => {
  assert.equal(readWalls('a.b: denied\n'), null);
  assert.equal(readWalls('a.b: denied\nend: open now\n'), null);
  assert.equal(readWalls(''), null);
  assert.deepEqual(readWalls('a.b: open\nend: denied\n'), [{ name: 'a.b', is: 'open' }]);
});
