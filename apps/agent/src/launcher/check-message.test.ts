import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkMessage } from './check-message.ts';
import { LauncherError } from './launcher-error.ts';
import type { OwnerFile } from './owner-file.ts';

const owner: OwnerFile = {
  format: 1,
  name: 'a',
  slots: 2,
  profiles: ['strict'],
  firstUid: 1_900_000_000,
  slotsFolder: '/s',
  cacheFolder: '/c',
  node: '/n',
  network: 'never',
  most: {
    wallMs: 1000,
    memoryBytes: 2 ** 30,
    pids: 64,
    diskBytes: 2 ** 30,
    nofile: 1024,
    logBytes: 1e6,
    outputsBytes: 1e6,
  },
};

const run = {
  do: 'run',
  id: 1,
  slot: 1,
  set: 0,
  profile: 'strict',
  argv: ['true'],
  env: [['A', 'b']],
  inputs: [['a/b', 'ab'.repeat(32), false]],
  limits: {
    wallMs: 1000,
    memoryBytes: 2 ** 30,
    pids: 64,
    cpuMs: null,
    cpuPercent: 50,
    diskBytes: 65_536,
    nofile: 64,
    logBytes: 1000,
    logBytesPerSecond: 1000,
    graceMs: 0,
  },
  network: false,
  outputs: { patterns: ['r/**'], maxBytes: 1000 },
};

const check = (value: unknown): unknown => checkMessage(JSON.stringify(value), owner);
const isRefused = (error: unknown): boolean =>
  error instanceof LauncherError && error.code === 'launcher.message';

test("what is within the schema and the owner's limits is taken as it is", () => {
  assert.deepEqual(check(run), run);
  assert.deepEqual(check({ do: 'cancel', id: 3, how: 'kill' }), { do: 'cancel', id: 3, how: 'kill' });
  assert.deepEqual(check({ do: 'close' }), { do: 'close' });
});

const hostile: ReadonlyArray<readonly [what: string, value: unknown]> = [
  ['no object', []],
  ['another verb', { ...run, do: 'mount' }],
  ['an unknown field', { ...run, uid: 0 }],
  ['a missing field', { ...run, outputs: undefined }],
  ['a slot out of range', { ...run, slot: 2 }],
  ['a slot below', { ...run, slot: -1 }],
  ['a slot that is text', { ...run, slot: '../0' }],
  ['a set out of range', { ...run, set: 4 }],
  ['a profile that the owner does not offer', { ...run, profile: 'bare' }],
  ['network where the owner gives none', { ...run, network: true }],
  ['no command', { ...run, argv: [] }],
  ['an empty command', { ...run, argv: [''] }],
  ['a NUL in an argument', { ...run, argv: ['a', 'b\0c'] }],
  ['half a character', { ...run, argv: ['a', '\ud800'] }],
  ['an argument of a megabyte', { ...run, argv: ['x'.repeat(1e6)] }],
  ['a variable without a name', { ...run, env: [['', 'x']] }],
  ['a variable with = in its name', { ...run, env: [['A=B', 'x']] }],
  ["a newline in a variable's name", { ...run, env: [['A\nx', 'x']] }],
  [
    'a variable twice',
    {
      ...run,
      env: [
        ['A', '1'],
        ['A', '2'],
      ],
    },
  ],
  ...['../x', '/x', 'a/../../x', './x', 'a//b', '', 'a/', 'x\0', 'y'.repeat(256)].map(
    (path) =>
      [
        `the input path ${JSON.stringify(path.slice(0, 20))}`,
        { ...run, inputs: [[path, 'ab'.repeat(32), false]] },
      ] as const,
  ),
  [
    'an input below an input',
    {
      ...run,
      inputs: [
        ['a', 'ab'.repeat(32), false],
        ['a/b', 'ab'.repeat(32), false],
      ],
    },
  ],
  [
    'an input twice',
    {
      ...run,
      inputs: [
        ['a', 'ab'.repeat(32), false],
        ['a', 'cd'.repeat(32), false],
      ],
    },
  ],
  ['a digest that is a path', { ...run, inputs: [['a', '../../etc/passwd', false]] }],
  ['a digest in capitals', { ...run, inputs: [['a', 'AB'.repeat(32), false]] }],
  ['more memory than the owner gives', { ...run, limits: { ...run.limits, memoryBytes: 2 ** 31 } }],
  ['more processes', { ...run, limits: { ...run.limits, pids: 65 } }],
  ['more time', { ...run, limits: { ...run.limits, wallMs: 1001 } }],
  ['half a process', { ...run, limits: { ...run.limits, pids: 1.5 } }],
  ['an unknown limit', { ...run, limits: { ...run.limits, uid: 0 } }],
  ['an output pattern that climbs', { ...run, outputs: { patterns: ['../*'], maxBytes: 1 } }],
  ['more outputs than the owner gives', { ...run, outputs: { patterns: ['*'], maxBytes: 1e7 } }],
  ['an inherited field', JSON.parse('{"__proto__":{"do":"close"}}')],
];

for (const [what, value] of hostile)
  test(`a message with ${what} is refused`, () => {
    assert.throws(() => check(value), isRefused);
  });

test('anything at all is either taken or refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      try {
        checkMessage(line, owner);
      } catch (error) {
        assert.ok(isRefused(error), String(error));
      }
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(run)), fc.jsonValue(), (field, value) => {
      try {
        check({ ...run, [field]: value });
      } catch (error) {
        assert.ok(isRefused(error), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
