import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { collectCommand } from '../launcher/job-commands.ts';
import { IsolateError } from './isolation.ts';
import { readOutputs } from './read-outputs.ts';
import type { OutputRules } from './read-outputs.ts';

const folder = mkdtempSync(join(tmpdir(), 'writ-outputs-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const usual: OutputRules = { patterns: ['**'], inputs: new Set(), maxBytes: 1_000_000, maxFiles: 100 };

async function read(tar: Buffer, rules: Partial<OutputRules> = {}): Promise<string[]> {
  const file = join(folder, 'tar');
  writeFileSync(file, tar);
  const found: string[] = [];
  for await (const output of readOutputs(file, { ...usual, ...rules })) {
    let bytes = 0;
    for await (const chunk of output.content) bytes += chunk.length;
    assert.equal(bytes, output.bytes);
    found.push(output.path);
  }
  return found;
}

interface Member {
  readonly name: string;
  readonly type?: string;
  readonly content?: string;
  readonly size?: string;
  readonly link?: string;
}

/** A tar written by hand, because no program would write these. */
function tarOf(...members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ name, type = '0', content = '', size, link = '' }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100, 'latin1');
    header.write('0000644\0', 100);
    header.write('0000000\0', 108);
    header.write('0000000\0', 116);
    header.write(size ?? `${Buffer.byteLength(content).toString(8).padStart(11, '0')}\0`, 124, 'latin1');
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(link, 157);
    header.write('ustar\u000000', 257, 'latin1');
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(content) / 512) * 512);
    body.write(content);
    return [header, body];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const pax = (record: string): Member => ({
  name: 'pax',
  type: 'x',
  content: `${record.length + 4} ${record}\n`,
});

const hostile: ReadonlyArray<readonly [what: string, tar: Buffer, code: string]> = [
  ['a parent folder', tarOf({ name: '../x', content: 'x' }), 'outputs.path'],
  ['a parent folder within', tarOf({ name: 'a/../../x', content: 'x' }), 'outputs.path'],
  ['an absolute name', tarOf({ name: '/etc/passwd', content: 'x' }), 'outputs.path'],
  ['an empty part', tarOf({ name: 'a//b', content: 'x' }), 'outputs.path'],
  ['a dot part', tarOf({ name: 'a/./b', content: 'x' }), 'outputs.path'],
  ['bytes that are no UTF-8', tarOf({ name: 'a\u00ff', content: 'x' }), 'outputs.path'],
  [
    'a parent folder in an extended header',
    tarOf(pax('path=../../x'), { name: 'x', content: 'x' }),
    'outputs.path',
  ],
  ['a symbolic link', tarOf({ name: 'l', type: '2', link: '/etc' }), 'outputs.kind'],
  [
    'a write through a link',
    tarOf({ name: 'l', type: '2', link: '/etc' }, { name: 'l/x', content: 'x' }),
    'outputs.kind',
  ],
  ['a hard link', tarOf({ name: 'l', type: '1', link: 'x' }), 'outputs.kind'],
  ['a character device', tarOf({ name: 'd', type: '3' }), 'outputs.kind'],
  ['a block device', tarOf({ name: 'd', type: '4' }), 'outputs.kind'],
  ['a pipe', tarOf({ name: 'p', type: '6' }), 'outputs.kind'],
  ['an unknown kind', tarOf({ name: 'p', type: 'Z' }), 'outputs.kind'],
  ['a sparse file', tarOf(pax('GNU.sparse.major=1'), { name: 's', content: 'x' }), 'outputs.kind'],
  ['one name twice', tarOf({ name: 'a', content: 'x' }, { name: './a', content: 'y' }), 'outputs.duplicate'],
  [
    'a file below a file',
    tarOf({ name: 'a', content: 'x' }, { name: 'a/b', content: 'y' }),
    'outputs.duplicate',
  ],
  [
    'a file above a file',
    tarOf({ name: 'a/b', content: 'x' }, { name: 'a', content: 'y' }),
    'outputs.duplicate',
  ],
  [
    'too many bytes',
    tarOf({ name: 'a', content: 'x'.repeat(600_000) }, { name: 'b', content: 'x'.repeat(600_000) }),
    'outputs.too_large',
  ],
  ['a claim of many bytes', tarOf({ name: 'a', size: '77777777777\0', content: 'x' }), 'outputs.too_large'],
  [
    'a negative size',
    tarOf({ name: 'a', size: `\u00ff${'\u00ff'.repeat(10)}\u00fe`, content: 'x' }),
    'outputs.malformed',
  ],
  [
    'too many files',
    tarOf(...Array.from({ length: 101 }, (_, n) => ({ name: `f${n}` }))),
    'outputs.too_many',
  ],
  [
    'an extended header of 100 MiB',
    tarOf({ name: 'pax', type: 'x', size: '00620000000\0', content: 'x' }),
    'outputs.malformed',
  ],
  ['no archive', Buffer.from('nothing like it'.repeat(100)), 'outputs.malformed'],
  ['half an archive', tarOf({ name: 'a', content: 'x'.repeat(2000) }).subarray(0, 1200), 'outputs.malformed'],
];

for (const [what, tar, code] of hostile)
  test(`an archive with ${what} is refused as ${code}`, { timeout: 5000 }, async () => {
    await assert.rejects(read(tar), (error) => error instanceof IsolateError && error.code === code);
  });

test('what no pattern wants is skipped, whatever it is; inputs are no outputs', async () => {
  const tar = tarOf(
    { name: 'l', type: '2', link: '/etc' },
    { name: 'in.csv', content: 'x' },
    { name: 'r/ok', content: 'x' },
  );
  assert.deepEqual(await read(tar, { patterns: ['r/*', '*.csv'], inputs: new Set(['in.csv']) }), ['r/ok']);
});

test('random bytes neither crash nor hang the reader', async () => {
  const valid = tarOf({ name: 'a/b', content: 'hello' }, pax('path=c'), { name: 'x', content: 'y' });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 12 }),
      async (flips) => {
        const bytes = Buffer.from(valid);
        for (const [at, value] of flips) bytes[at] = value;
        try {
          for (const path of await read(bytes))
            assert.ok(!path.startsWith('/') && !path.split('/').includes('..'));
        } catch (error) {
          assert.ok(error instanceof IsolateError, String(error));
        }
      },
    ),
    { numRuns: 400 },
  );
});

test('the collecting command takes what the patterns can match and opens nothing else', async () => {
  const job = join(folder, 'job');
  mkdirSync(join(job, 'r/deep'), { recursive: true });
  for (const name of ['r/deep/x', 'r/-C', 'r/new\nline', 'top.csv', 'scratch'])
    writeFileSync(join(job, name), name);
  symlinkSync('/etc', join(job, 'r/link'));
  execFileSync('mkfifo', [join(job, 'r/pipe')]);
  const collect = (...patterns: string[]): Buffer => {
    const [program, ...args] = collectCommand(patterns);
    return execFileSync(program ?? '', args, {
      cwd: job,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5000,
    });
  };
  assert.deepEqual(
    (
      await read(collect('r/deep/*', 'r/-C', 'r/new*', '*.csv'), {
        patterns: ['r/deep/*', 'r/-C', 'r/new*', '*.csv'],
      })
    ).sort(),
    ['r/-C', 'r/deep/x', 'r/new\nline', 'top.csv'],
  );
  assert.ok(!collect('r/deep/*').includes('scratch'));
  await assert.rejects(read(collect('r/**'), { patterns: ['r/**'] }), { code: 'outputs.kind' });
});
