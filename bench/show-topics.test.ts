import assert from 'node:assert/strict';
import { test } from 'node:test';
import { showControlPlane } from './control-plane/show-control-plane.ts';
import { showDepth } from './depth/show-depth.ts';
import { showFiles } from './files/show-files.ts';
import { MIB, PEER, WRIT } from './files/words.ts';
import { showSafety } from './safety/show-safety.ts';

test('without processes: what is left of the server is its time less the signature of the same round', () => {
  const round = { perSecond: 1000, cpuUsPerJob: 150, agentCpuUsPerJob: 30, signatureUs: 60 };
  const rounds = new Map([['arrays', [round, { ...round, cpuUsPerJob: 300, signatureUs: 250 }]]]);
  const shown = showControlPlane({ jobs: 100, rounds }).join('\n');
  assert.match(
    shown,
    /\| arrays \| \*\*1000\*\*.* \| \*\*225\*\*.* \| \*\*155\*\*.* \| \*\*70\*\* \(50 – 90\) \|/,
  );
});

test('depth: many are divided by few of the same round', () => {
  const few = {
    perSecond: 1000,
    cpuUsPerJob: 100,
    submitMs: 2,
    firstPageMs: 1,
    middlePageMs: 1,
    tasksPageMs: 1,
    memoryMib: 100,
  };
  const many = { ...few, perSecond: 900, cpuUsPerJob: 110, middlePageMs: 3, memoryMib: 130 };
  const rounds = new Map([
    ['few', [few]],
    ['many', [many]],
  ]);
  const shown = showDepth({ tasks: 10, rounds, shallow: 'few', deep: 'many' }).at(-1) ?? '';
  const last = shown
    .split('\n')
    .at(-1)
    ?.match(/\*\*[\d.]+\*\*/g);
  assert.deepEqual(
    last,
    ['0.90', '1.10', '1.00', '1.00', '3.00', '1.00', '1.30'].map((one) => `**${one}**`),
  );
});

test('files: where there is no web server to compare with, that is said', () => {
  const round = { upMibPerSecond: 80, downMibPerSecond: 50, cpuMsPerMib: 10 };
  const memory = {
    sizes: [MIB, 64 * MIB, 1024 * MIB],
    held: [{ program: 'server', step: 'input', mib: [100, 128, 130] }],
  };
  const show = (peer: (typeof round)[]): string =>
    showFiles({
      sizes: [
        {
          name: '64 MiB',
          rounds: new Map([
            [WRIT, [round]],
            [PEER, peer],
          ]),
        },
      ],
      memory,
    }).join('\n');
  assert.match(
    show([{ upMibPerSecond: 100, downMibPerSecond: 100, cpuMsPerMib: 20 }]),
    /\| G8 64 MiB \| \*\*0\.80\*\*.* \| \*\*0\.50\*\*.* \| \*\*0\.50\*\*/,
  );
  assert.match(show([]), /\| G8 64 MiB \| not run \| not run \| not run \|/);
  assert.match(show([]), /\| server \| input \| 100 \| 128 \| 130 \| 30 \|/);
});

test('safety: everything on is divided by what lacks one thing', () => {
  const rounds = new Map([
    ['everything on', [{ perSecond: 90, cpuMsPerJob: 3 }]],
    ['unsigned', [{ perSecond: 100, cpuMsPerJob: 2 }]],
  ]);
  const shown = showSafety({ jobs: 10, everything: 'everything on', rounds }).at(-1) ?? '';
  assert.match(shown, /\| unsigned \|.* \| \*\*0\.90\*\* .* \| \*\*1\.50\*\*/);
  assert.match(shown, /\| everything on \|.* \| {2}\| {2}\|/);
});
