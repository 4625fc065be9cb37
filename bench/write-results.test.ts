import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PARTS, readArguments } from './read-arguments.ts';
import { showResults, type Results } from './write-results.ts';

const results: Results = {
  topic: 'job-path',
  date: '2026-01-31',
  machine: { cores: 2, processor: 'a processor', kernel: '6.1.0', memoryGib: 24, node: 'v24.21.0' },
  wish: { rounds: 3, part: 1 },
  configuration: {
    writ: '0.1.0',
    node: 'v24.21.0',
    database: 'sqlite, wal, synchronous full',
    tls: 'TLSv1.3 on links',
    agents: [{ name: 'bare-8', slots: 8, profiles: ['bare'] }],
    orders: 'signed',
    receipts: 'signed',
    output: 'captured',
  },
  throughput: {
    rounds: new Map([
      [
        'writ',
        [
          { perSecond: 100, cpuMsPerJob: 3 },
          { perSecond: 300, cpuMsPerJob: 3 },
          { perSecond: 90, cpuMsPerJob: 3 },
        ],
      ],
      [
        'limit',
        [
          { perSecond: 200, cpuMsPerJob: 2 },
          { perSecond: 400, cpuMsPerJob: 1 },
          { perSecond: 100, cpuMsPerJob: 3 },
        ],
      ],
      ['absent', []],
    ]),
    pairs: [
      { title: 'writ against its limit', writ: 'writ', limit: 'limit' },
      { title: 'writ beside the absent', writ: 'writ', limit: 'absent' },
    ],
    peers: [{ name: 'a peer', how: 'commits synchronously' }],
  },
  latency: [
    {
      name: 'bare',
      rounds: [{ p50Ms: 3, p99Ms: 6, floorMs: 1.5, spawnMs: 0.5, commitMs: 0.3, roundTripMs: 0.2 }],
    },
  ],
  startMs: [800, 700, 900],
  memory: [{ of: 'server', bytes: 80 * 2 ** 20, processes: 1 }],
  steps: [],
  notRun: ['absent: it is not installed'],
};

test('a ratio is made within a round, and the median is that of the ratios', () => {
  // 0.5, 0.75 and 0.9: not the ratio of the medians, which would be 0.5.
  assert.match(
    showResults(results),
    /writ against its limit \| \*\*0\.75\*\* \(0\.50 – 0\.90\) \| \*\*1\.50\*\*/,
  );
});

test('what was not run is shown as not run, with the reason', () => {
  const shown = showResults(results);
  assert.match(shown, /writ beside the absent \| not run \| not run/);
  assert.match(shown, /## Not run\n\n- absent: it is not installed/);
});

test('what was on stands with the figures', () => {
  const shown = showResults(results);
  assert.match(shown, /synchronous full/);
  assert.match(shown, /agent bare-8: 8 slots, bare/);
  assert.match(shown, /bare \| \*\*3\.00\*\* .* \| \*\*2\.00\*\* .* \| \*\*4\.00\*\*/);
});

test('how a peer was set up stands below the ratios, and what was not asked for is left out', () => {
  assert.match(showResults(results), /How the peers were set up:\n\n- a peer: commits synchronously/);
  const { latency: _latency, throughput: _throughput, ...rest } = results;
  assert.doesNotMatch(showResults(rest), /## (One job|Throughput)/);
});

test('a quick run says that its figures are not to be compared', () => {
  assert.doesNotMatch(showResults(results), /too few to compare/);
  assert.match(showResults({ ...results, wish: { rounds: 2, part: 0.2 } }), /too few to compare/);
});

test('the command line takes rounds, quick, parts and a topic, and names what it does not know', () => {
  const all = { rounds: 5, part: 1, topic: 'job-path', isWritten: true, only: new Set(PARTS), isBig: false };
  assert.deepEqual(readArguments([]), all);
  assert.deepEqual(readArguments(['--rounds', '7', '--topic', 'link']), { ...all, rounds: 7, topic: 'link' });
  assert.deepEqual(readArguments(['--quick', '--no-write']), {
    ...all,
    rounds: 2,
    part: 0.2,
    isWritten: false,
  });
  assert.deepEqual(readArguments(['--only', 'files,depth', '--big']), {
    ...all,
    topic: 'depth-files',
    only: new Set(['depth', 'files']),
    isBig: true,
  });
  assert.match(readArguments(['--only', 'files,speed']) as string, /^--only takes start, rest/);
  assert.match(readArguments(['--rounds', '0']) as string, /above 0/);
  assert.match(readArguments(['--topic', '../x']) as string, /small letters/);
  assert.match(readArguments(['--slow']) as string, /^--slow is not known/);
});
