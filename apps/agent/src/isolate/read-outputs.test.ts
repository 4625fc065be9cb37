import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ReceiptPredicate } from '@writ/contract';
import { makeReceipt, openReceipt, signerFromSeed } from '@writ/trust';
import type { Admitted } from '@writ/trust';
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

const nothing = { digest: `sha256:${'0'.repeat(64)}`, size: 0 };
const predicate: Omit<ReceiptPredicate, 'identity' | 'outputs'> = {
  format: 1,
  cluster: 'a'.repeat(52),
  admission: `sha256:${'1'.repeat(64)}`,
  kind: 'ended',
  person: 'a'.repeat(26),
  order: `sha256:${'2'.repeat(64)}`,
  job: 'a'.repeat(26),
  index: 0,
  attempt: 1,
  token: { epoch: 1, n: 1 },
  set: { version: 1, digest: `sha256:${'3'.repeat(64)}` },
  adopts: null,
  because: 'exit',
  detail: '\u0001'.repeat(1000),
  exit: { code: 0 },
  variant: 0,
  profile: 'bare',
  started: 1,
  ended: 2,
  stdout: nothing,
  stderr: nothing,
  resources: { wallMs: 1, cpuMs: null, memoryPeakBytes: null },
  auditHead: null,
  seq: 1,
  previous: null,
};

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
  content: `${Buffer.byteLength(record) + (Buffer.byteLength(record) > 990 ? 6 : 4)} ${record}\n`,
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
  ['a name that is not in NFC', tarOf(pax('path=e\u0301'), { name: 'x', content: 'x' }), 'outputs.path'],
  [
    'a name that no JSON text can hold',
    tarOf(pax('path=a\n\u0301'), { name: 'x', content: 'x' }),
    'outputs.path',
  ],
  ['no archive', Buffer.from('nothing like it'.repeat(100)), 'outputs.malformed'],
  ['half an archive', tarOf({ name: 'a', content: 'x'.repeat(2000) }).subarray(0, 1200), 'outputs.malformed'],
];

for (const [what, tar, code] of hostile)
  test(`an archive with ${what} is refused as ${code}`, { timeout: 5000 }, async () => {
    await assert.rejects(read(tar), (error) => error instanceof IsolateError && error.code === code);
  });

const named = (count: number, more: string): Member[] =>
  Array.from({ length: count }, (_, n) => ({ name: `${String(n).padStart(5, '0')}${more}` }));

test(
  'as many outputs as are taken fit a receipt, whatever their names are',
  { timeout: 60_000 },
  async () => {
    const identity = signerFromSeed(new Uint8Array(32).fill(5));
    const digest = `sha256:${'0'.repeat(64)}`;
    // A control character is six in JSON.
    for (const more of ['x'.repeat(90), '\u0001'.repeat(90)]) {
      const taken: string[] = [];
      const file = join(folder, 'many');
      writeFileSync(file, tarOf(...named(10_000, more)));
      const refusal = await (async () => {
        for await (const { path } of readOutputs(file, { ...usual, maxFiles: 10_000 })) taken.push(path);
      })().catch((error: unknown) => error);
      assert.ok(refusal instanceof IsolateError && refusal.code === 'outputs.too_many', String(refusal));
      assert.match(refusal.message, /^[ -~]*$/);
      const outputs = taken.map((path) => ({ path, mode: 'executable' as const, digest, size: 2 ** 53 - 1 }));
      const { envelope } = makeReceipt({ ...predicate, identity: identity.key, outputs }, identity);
      const admitted = { identity: identity.key, digest: predicate.admission } as Admitted;
      assert.equal(openReceipt(envelope, predicate.cluster, admitted).predicate.outputs.length, taken.length);
      assert.ok(taken.length > 2000);
    }
  },
);

test('ten thousand outputs with names of sixty characters are taken', { timeout: 60_000 }, async () => {
  assert.equal((await read(tarOf(...named(10_000, 'x'.repeat(55))), { maxFiles: 10_000 })).length, 10_000);
});

test('what is wrong with a name is said in ASCII', async () => {
  const tar = tarOf(pax('path=e\u0301'), { name: 'x', content: 'x' });
  await assert.rejects(read(tar), /"e\\u0301"/);
  assert.deepEqual(await read(tar, { patterns: ['r/*'] }), [], 'nobody asks what the others are called');
});

test('no pattern and no name keep the agent from its other work', { timeout: 120_000 }, async () => {
  const tar = tarOf({ name: 'a'.repeat(28), content: 'x' });
  await assert.rejects(read(tar, { patterns: ['+(+(a)|a)b'] }), { code: 'outputs.pattern' });
  assert.deepEqual(await read(tar, { patterns: ['*a*a*a*a*a*a*a*a*a*a*b', '**/{*a,a*}{*a,a*}b'] }), []);
  const long = `path=${'a'.repeat(4000)}`;
  const many = tarOf(...Array.from({ length: 40 }, () => [pax(long), { name: 'x' }]).flat());
  await assert.rejects(read(many, { patterns: [`*${'a'.repeat(2000)}b`] }), { code: 'outputs.too_many' });
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
