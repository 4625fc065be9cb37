import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { OutputFile } from '@writ/contract';
import { newSeed } from '@writ/trust';
import { digestOf } from '@writ/trust/digest';
import type { Client } from '../connect.ts';
import { connect } from '../connect.ts';
import { collectInputs } from './collect-inputs.ts';
import { PeopleFolder } from './people-folder.ts';
import { readPrivateFile } from './private-file.ts';
import { writePrivateFile } from '@writ/trust/node';
import { writeOutputs } from './write-outputs.ts';

const root = mkdtempSync(join(tmpdir(), 'writ-client-'));
after(() => rmSync(root, { recursive: true, force: true }));
let number = 0;
const fresh = (): string => {
  const folder = join(root, String((number += 1)));
  mkdirSync(folder);
  return folder;
};
const refusedWith = (code: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, code, String(error));
  return true;
};

describe('inputs', () => {
  test('are files, folders and patterns below the folder, each once, with mode, digest and size', async () => {
    const folder = fresh();
    mkdirSync(join(folder, 'model/deep'), { recursive: true });
    writeFileSync(join(folder, 'data.csv'), '1,2\n');
    writeFileSync(join(folder, 'model/deep/a'), 'a');
    writeFileSync(join(folder, 'go.sh'), '#!/bin/sh\n');
    chmodSync(join(folder, 'go.sh'), 0o755);
    const { inputs, sources } = await collectInputs(folder, ['data.csv', './model/', '*.sh', 'model']);
    assert.ok(inputs.is === 'list');
    assert.deepEqual(
      inputs.files.map(({ path, mode, size }) => [path, mode, size]),
      [
        ['data.csv', 'file', 4],
        ['go.sh', 'executable', 10],
        ['model/deep/a', 'file', 1],
      ],
    );
    assert.equal(inputs.files[0]?.digest, digestOf('1,2\n'));
    assert.equal(sources.length, 3);
  });

  test('more than 256 travel as one list, named by its digest', async () => {
    const folder = fresh();
    mkdirSync(join(folder, 'many'));
    for (let at = 0; at < 257; at += 1) writeFileSync(join(folder, 'many', String(at)), String(at));
    const { inputs, sources } = await collectInputs(folder, ['many']);
    assert.ok(inputs.is === 'manifest');
    assert.equal(inputs.files, 257);
    const list = sources.find(({ digest }) => digest === inputs.digest);
    assert.ok(list && 'bytes' in list.from);
    assert.equal(digestOf(list.from.bytes), inputs.digest);
  });

  for (const [what, name, code, make] of [
    ['that are not there', 'nothing', 'input.missing', () => undefined],
    ['whose pattern matches nothing', '*.zip', 'input.missing', () => undefined],
    ['with .. in the name', 'a/../../b', 'input.outside', () => undefined],
    ['outside the folder', '/etc/hostname', 'input.outside', () => undefined],
    [
      'that lead out through a link',
      'out',
      'input.outside',
      (folder: string) => symlinkSync('/etc/hostname', join(folder, 'out')),
    ],
    [
      'that lead out through a link to a folder',
      'out/hostname',
      'input.outside',
      (folder: string) => symlinkSync('/etc', join(folder, 'out')),
    ],
    [
      'that are a link to nothing',
      'gone',
      'input.missing',
      (folder: string) => symlinkSync('nowhere', join(folder, 'gone')),
    ],
    [
      'that have no end',
      'loop',
      'input.kind',
      (folder: string) => {
        mkdirSync(join(folder, 'loop'));
        symlinkSync('.', join(folder, 'loop/again'));
      },
    ],
    [
      'whose name is not in NFC',
      'e\u0301',
      'input.name',
      (folder: string) => writeFileSync(join(folder, 'e\u0301'), ''),
    ],
  ] as const) {
    test(`${what} are refused before anything is sent`, async () => {
      const folder = fresh();
      make(folder);
      await assert.rejects(collectInputs(folder, [name]), refusedWith(code));
    });
  }
});

describe('outputs', () => {
  const bytes = Buffer.from('made\n');
  const output = (path: string, changes: Partial<OutputFile> = {}): OutputFile => ({
    path,
    mode: 'file',
    digest: digestOf(bytes),
    size: bytes.length,
    ...changes,
  });
  const serving = (body: Buffer): Client =>
    connect({ url: 'http://x', fetch: async () => new Response(new Uint8Array(body)) });
  const writing = {
    signal: new AbortController().signal,
    wait: async () => undefined,
    tag: 'test',
    umask: 0o022,
  };

  test('get their names and modes', async () => {
    const folder = fresh();
    await writeOutputs(
      serving(bytes),
      [output('a/b.txt'), output('go', { mode: 'executable' })],
      folder,
      writing,
    );
    assert.equal(readFileSync(join(folder, 'a/b.txt'), 'utf8'), 'made\n');
    assert.equal(statSync(join(folder, 'a/b.txt')).mode & 0o777, 0o644);
    assert.equal(statSync(join(folder, 'go')).mode & 0o777, 0o755);
    assert.equal(existsSync(join(folder, '.writ-test')), false);
  });

  test('with other bytes get no name, nor do those beside them', async () => {
    for (const body of ['evil\n', 'made\nmore', 'mad']) {
      const folder = fresh();
      const outputs = [output('good', { digest: digestOf(body), size: body.length }), output('bad')];
      await assert.rejects(
        writeOutputs(serving(Buffer.from(body)), outputs, folder, writing),
        refusedWith('output.digest_wrong'),
      );
      assert.deepEqual(
        [
          existsSync(join(folder, 'good')),
          existsSync(join(folder, 'bad')),
          existsSync(join(folder, '.writ-test')),
        ],
        [false, false, false],
      );
    }
  });

  test('outside the folder are refused', async () => {
    for (const path of ['../up', '/abs', 'a/../../b', 'a//b', '']) {
      await assert.rejects(
        writeOutputs(serving(bytes), [output(path)], fresh(), writing),
        refusedWith('output.outside'),
      );
    }
  });

  test('do not go through a link in the folder', async () => {
    const folder = fresh();
    const elsewhere = fresh();
    symlinkSync(elsewhere, join(folder, 'a'));
    await assert.rejects(
      writeOutputs(serving(bytes), [output('a/b')], folder, writing),
      refusedWith('output.outside'),
    );
    assert.equal(existsSync(join(elsewhere, 'b')), false);
  });

  test('replace a link of their name instead of writing through it', async () => {
    const folder = fresh();
    const victim = join(fresh(), 'victim');
    writeFileSync(victim, 'mine');
    symlinkSync(victim, join(folder, 'b'));
    await writeOutputs(serving(bytes), [output('b')], folder, writing);
    assert.equal(readFileSync(victim, 'utf8'), 'mine');
    assert.equal(readFileSync(join(folder, 'b'), 'utf8'), 'made\n');
  });
});

describe("a person's folder", () => {
  test('is closed to others, file by file', async () => {
    const people = new PeopleFolder(join(fresh(), 'writ'));
    const person = 'aaaaaaaaaaaaaaaaaaaaaaaaae';
    const made = await people.writeKey({
      person,
      name: 'ana@desk',
      seed: newSeed((bytes) => crypto.getRandomValues(bytes)),
    });
    const file = join(people.folder, 'keys', `${person}.json`);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(join(people.folder, 'keys')).mode & 0o777, 0o700);
    assert.equal((await people.readKey(person)).signer.key, made.signer.key);
    chmodSync(file, 0o640);
    await assert.rejects(people.readKey(person), refusedWith('file.mode'));
  });

  test('is said to be of another account where that is why it cannot be read', async () => {
    const folder = fresh();
    const file = join(folder, 'contexts.json');
    writeFileSync(file, '{}', { mode: 0o000 });
    chmodSync(folder, 0o755);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534); // root reads everything
    try {
      await assert.rejects(readPrivateFile(file), /This account may not read .*contexts\.json/);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  test('refuses a key whose parts do not belong together', async () => {
    const people = new PeopleFolder(join(fresh(), 'writ'));
    const random = (bytes: Uint8Array<ArrayBuffer>): unknown => crypto.getRandomValues(bytes);
    const [ana, bob] = ['aaaaaaaaaaaaaaaaaaaaaaaaae', 'aaaaaaaaaaaaaaaaaaaaaaaaai'] as const;
    await people.writeKey({ person: ana, name: 'ana', seed: newSeed(random) });
    await people.writeKey({ person: bob, name: 'bob', seed: newSeed(random) });
    const files = [ana, bob].map(
      (person) =>
        JSON.parse(readFileSync(join(people.folder, 'keys', `${person}.json`), 'utf8')) as Record<
          string,
          unknown
        >,
    );
    await writePrivateFile(
      join(people.folder, 'keys', `${ana}.json`),
      JSON.stringify({ ...files[0], seed: files[1]?.['seed'] }),
    );
    await assert.rejects(people.readKey(ana), refusedWith('key.malformed'));
    await assert.rejects(people.readKey('aaaaaaaaaaaaaaaaaaaaaaaaam'), refusedWith('key.missing'));
  });

  test('does not follow a link in place of a file', async () => {
    const folder = fresh();
    writeFileSync(join(folder, 'real'), '{}', { mode: 0o600 });
    symlinkSync(join(folder, 'real'), join(folder, 'contexts.json'));
    await assert.rejects(readPrivateFile(join(folder, 'contexts.json')), refusedWith('file.malformed'));
  });
});
