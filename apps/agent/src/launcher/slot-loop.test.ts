import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { closeInheritedDescriptors } from './close-inherited-descriptors.ts';
import { SlotLoop } from './slot-loop.ts';
import type { LoopCommand } from './slot-loop.ts';

closeInheritedDescriptors();
const folder = mkdtempSync(join(tmpdir(), 'writ-loop-'));
for (const name of ['out0', 'err0', 'tar0', 'out1', 'err1']) writeFileSync(join(folder, name), '');
mkdirSync(join(folder, 'work'));
const loop = new SlotLoop({
  prefix: [],
  filesFolder: folder,
  runFolder: folder,
  workFolder: join(folder, 'work'),
  bwrap: '/bin/false',
  filterFile: '/dev/null',
});
after(async () => {
  loop.kill();
  await loop.gone;
  rmSync(folder, { recursive: true, force: true });
});

/** As a slot does it: the files are empty when the run begins. */
const start = (command: LoopCommand): Promise<number | null> => {
  for (const name of ['out', 'err']) truncateSync(join(folder, `${name}${command.fileSet}`));
  return loop.run(command);
};

const run = (
  argv: readonly string[],
  env: Record<string, string> = {},
  fileSet = 0,
): Promise<number | null> =>
  start({ how: 'bare', argv, env: new Map(Object.entries(env)), fileSet, fileSizeBytes: 1e6, nofile: 64 });

const printArguments = ['/usr/bin/printf', '%s\\0'];
const text = fc
  .string({ unit: 'binary', maxLength: 40 })
  .map((value) => value.replaceAll('\0', ''))
  .filter((value) => value.isWellFormed());
const special = fc.constantFrom(
  '',
  '-n',
  '--',
  '$(id)',
  '`id`',
  'a\nb',
  '\n',
  '\n\n',
  '\\',
  '\\n',
  'x',
  's',
  "'",
  '"',
  ' ',
  '\t',
  'é',
  '*',
  '~',
  '$HOME',
  '#',
);

test('every argument arrives as it was, byte for byte', async () => {
  assert.equal(await loop.ready, true);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(text, special), { minLength: 1, maxLength: 6 }), async (args) => {
      assert.equal(await run([...printArguments, ...args]), 0);
      assert.deepEqual(readFileSync(join(folder, 'out0'), 'utf8').split('\0').slice(0, -1), args);
    }),
    { numRuns: 150 },
  );
});

test('every variable arrives as it was and none stays for the next run', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(text, special), fc.oneof(text, special), async (kept, other) => {
      assert.equal(await run(['/usr/bin/env', '-0'], { WRIT_VALUE: kept, OTHER: other }), 0);
      const env = readFileSync(join(folder, 'out0'), 'utf8').split('\0').slice(0, -1).sort();
      assert.deepEqual(env, [`OTHER=${other}`, `WRIT_VALUE=${kept}`]);
      assert.equal(await run(['/usr/bin/env', '-0'], {}), 0);
      assert.equal(readFileSync(join(folder, 'out0'), 'utf8'), '');
    }),
    { numRuns: 40 },
  );
});

test('what is not sent again is what it was: from task to task, from job to job, from command to command', async () => {
  const task = fc.record(
    {
      WRIT_JOB: fc.constantFrom('a', 'b', '$(id)'),
      WRIT_TASK: fc.constantFrom('a.1', 'b.2', 'x'),
      WRIT_INDEX: fc.constantFrom('1', '2', '03', '-1', '1; exit', '', '\n1'),
      WRIT_VALUE: fc.constantFrom('1', '2', '03', 'v', '\n'),
      OTHER: fc.constantFrom('1', 'a\nb'),
    },
    { requiredKeys: [] },
  );
  const said = (): string[] => readFileSync(join(folder, 'out0'), 'utf8').split('\0').slice(0, -1);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(task, fc.boolean()), { maxLength: 5 }), async (runs) => {
      for (const [variables, isDirect] of runs) {
        const env = new Map(Object.entries(variables));
        const about = { how: 'bare', env, fileSet: 0, fileSizeBytes: 1e6, nofile: 64, isDirect } as const;
        const args = ['', ...env.values()];
        for (const _ of ['once', 'and the same again']) {
          assert.equal(await start({ ...about, argv: ['/usr/bin/env', '-0'] }), 0);
          assert.deepEqual(said().sort(), [...env].map(([name, value]) => `${name}=${value}`).sort());
        }
        for (const _ of ['once', 'and the same again']) {
          assert.equal(await start({ ...about, argv: [...printArguments, ...args] }), 0);
          assert.deepEqual(said(), args);
        }
      }
    }),
    { numRuns: 25 },
  );
});

test('exit codes, limits and sets of files are those of the run', async () => {
  assert.equal(await run(['/bin/sh', '-c', 'exit 7']), 7);
  assert.equal(await run(['/no/such/file']), 127);
  assert.equal(await run(['/bin/sh', '-c', 'ulimit -n; ulimit -c; ulimit -f; pwd'], {}, 1), 0);
  assert.equal(readFileSync(join(folder, 'out1'), 'utf8'), `64\n0\n1954\n${join(folder, 'work')}\n`);
});

test('what a job writes after it emptied its own log follows without a hole', async () => {
  const argv = ['/bin/sh', '-c', 'echo a long first line >&2; echo second > /dev/stderr; echo third >&2'];
  const about = { how: 'bare', argv, env: new Map(), fileSet: 0, fileSizeBytes: 1e6, nofile: 64 } as const;
  for (const isDirect of [false, true]) {
    assert.equal(await start({ ...about, isDirect }), 0);
    assert.equal(readFileSync(join(folder, 'err0'), 'utf8'), 'second\nthird\n');
  }
});

test("a direct run is the same to the job, and a name that the shell knows never becomes the shell's", async () => {
  const direct = (argv: readonly string[], nofile = 64): Promise<number | null> =>
    start({
      how: 'bare',
      argv,
      env: new Map([['WRIT_A', 'b c']]),
      fileSet: 0,
      fileSizeBytes: 1e6,
      nofile,
      isDirect: true,
    });
  assert.equal(await direct(['/usr/bin/env', '-0']), 0);
  assert.equal(readFileSync(join(folder, 'out0'), 'utf8'), 'WRIT_A=b c\0');
  const args = ['', '-n', '$(id)', 'a\nb', '\\', "'", 'é'];
  assert.equal(await direct([...printArguments, ...args]), 0);
  assert.deepEqual(readFileSync(join(folder, 'out0'), 'utf8').split('\0').slice(0, -1), args);
  assert.equal(await direct(['/bin/sh', '-c', 'ulimit -H -n; ulimit -n 40; pwd; echo /proc/self/fd/*']), 0);
  const told = readFileSync(join(folder, 'out0'), 'utf8');
  assert.match(
    told,
    /^64\n.*work\n\/proc\/self\/fd\/0 \/proc\/self\/fd\/1 \/proc\/self\/fd\/2( \/proc\/self\/fd\/3)?\n$/,
  );
  for (const name of ['exit', 'eval', '.', 'exec', 'cd', 'limit', 'return', 'break', 'set'])
    assert.notEqual(await direct([name, 'touch evil']), null, name);
  assert.equal(await direct(['/bin/true']), 0, 'the loop goes on');
  assert.equal(loop.canGive(65), false);
  assert.equal(existsSync(join(folder, 'work/evil')), false);
});

test('a killed loop answers null, to the running run and to later ones', async () => {
  const running = run(['/bin/sleep', '30']);
  setTimeout(() => loop.kill(), 20);
  assert.equal(await running, null);
  assert.equal(await run(['/bin/true']), null);
});
