import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CollectedInputs, collectInputs, uploadFiles, writeOutputs } from '@writ/client/node';
import { cpuOf, readProcesses } from '@writ/testkit';
import { cpuOfEndedChildren } from '../cpu-of-ended-children.ts';
import type { Submitter } from '../run-jobs.ts';
import { runProgram } from '../run-program.ts';
import { type Contestant, runRounds } from '../run-rounds.ts';
import { changeFiles, makeFiles } from './make-files.ts';
import type { Nginx } from './start-nginx.ts';
import { MIB, PEER, WRIT } from './words.ts';

export interface FilesRound {
  readonly upMibPerSecond: number;
  readonly downMibPerSecond: number;
  /** Of both sides, there and back. */
  readonly cpuMsPerMib: number;
}

export interface FilesOfSize {
  readonly name: string;
  readonly rounds: ReadonlyMap<string, readonly FilesRound[]>;
}

export interface Size {
  readonly name: string;
  readonly count: number;
  readonly bytes: number;
  readonly rounds: number;
}

const never = new AbortController().signal;
const wait = (milliseconds: number): Promise<void> => sleep(milliseconds);

/** G8: files to the server and back, digests compared on both sides, on the disk before it counts. */
export async function measureFiles(wish: {
  readonly sizes: readonly Size[];
  readonly folder: string;
  readonly submitter: Submitter;
  /** Undefined where it is not to be had. */
  readonly nginx: Nginx | undefined;
  readonly say: (line: string) => void;
}): Promise<FilesOfSize[]> {
  const measured: FilesOfSize[] = [];
  for (const { name, count, bytes, rounds } of wish.sizes) {
    const place: Place = { folder: join(wish.folder, 'sent'), back: join(wish.folder, 'back'), names: [] };
    const files = { ...place, names: makeFiles(place.folder, count, bytes) };
    const { submitter, nginx } = wish;
    const contestants: Contestant<FilesRound>[] = [
      { name: WRIT, run: () => passThroughWrit(files, submitter) },
      { name: PEER, run: nginx && (() => passThroughNginx(files, nginx)) },
    ];
    if (measured.length === 0) {
      wish.say('  warming up');
      for (const contestant of contestants) await contestant.run?.();
    }
    measured.push({
      name,
      rounds: await runRounds(contestants, rounds, (line) => wish.say(`  ${name}, ${line}`)),
    });
    rmSync(place.folder, { recursive: true });
  }
  return measured;
}

interface Place {
  readonly folder: string;
  readonly back: string;
  readonly names: readonly string[];
}

async function passThroughWrit(place: Place, { client, cluster }: Submitter): Promise<FilesRound> {
  const { folder, back, names } = place;
  const spent = (): number => {
    const { user, system } = process.cpuUsage();
    return cpuOf(cluster.server.processes()) + (user + system) / 1000 + cpuOfEndedChildren();
  };
  const sending = { signal: never, wait };
  let collected: CollectedInputs = { inputs: { is: 'list', files: [] }, sources: [] };
  const round = await timeBoth(place, spent, {
    async up() {
      collected = await collectInputs(folder, names);
      const { bytes } = await uploadFiles(client, collected.sources, sending);
      if (bytes !== sizeOf(place)) throw new Error(`${bytes} of ${sizeOf(place)} bytes were sent`);
    },
    async down() {
      const { inputs } = collected;
      if (inputs.is !== 'list') throw new Error('there are too many files for a list');
      const start = performance.now();
      await writeOutputs(client, inputs.files, back, { ...sending, tag: 'bench' });
      await runProgram(['sync', ...names.map((name) => join(back, name))] as [string, ...string[]]);
      return performance.now() - start;
    },
  });
  const again = await uploadFiles(client, collected.sources, sending);
  if (again.bytes > 0) throw new Error(`${again.bytes} bytes were sent that the server has`);
  return round;
}

async function passThroughNginx(place: Place, nginx: Nginx): Promise<FilesRound> {
  const { folder, back, names } = place;
  const spent = (): number => cpuOf(readProcesses(nginx.folder)) + cpuOfEndedChildren();
  const curl = [
    'curl',
    '-sS',
    '--fail',
    '--tlsv1.3',
    '--cacert',
    nginx.certificate,
    '-H',
    'Expect:',
  ] as const;
  const listed = `{${names.join(',')}}`;
  const sums = (where: string): Promise<string> => runProgram(['env', '-C', where, 'sha256sum', ...names]);
  const sync = (where: string): Promise<string> => runProgram(['env', '-C', where, 'sync', ...names]);
  let digests = '';
  const round = await timeBoth(place, spent, {
    async up() {
      digests = await sums(folder);
      await runProgram([...curl, '-o', '/dev/null', '-T', `${folder}/${listed}`, `${nginx.url}/`]);
      if ((await sums(nginx.files)) !== digests) throw new Error('nginx has other bytes');
      await sync(nginx.files);
    },
    async down() {
      const start = performance.now();
      await runProgram([...curl, '--output-dir', back, '--remote-name-all', `${nginx.url}/${listed}`]);
      if ((await sums(back)) !== digests) throw new Error('other bytes came back');
      await sync(back);
      return performance.now() - start;
    },
  });
  for (const name of names) rmSync(join(nginx.files, name));
  return round;
}

const sizeOf = ({ folder, names }: Place): number =>
  names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

/** With files that nobody has seen yet. */
async function timeBoth(
  place: Place,
  spent: () => number,
  pass: { up(): Promise<void>; down(): Promise<number> },
): Promise<FilesRound> {
  changeFiles(place.folder, place.names);
  mkdirSync(place.back);
  try {
    const mib = sizeOf(place) / MIB;
    const before = spent();
    const start = performance.now();
    await pass.up();
    const upMs = performance.now() - start;
    const downMs = await pass.down();
    return {
      upMibPerSecond: (mib * 1000) / upMs,
      downMibPerSecond: (mib * 1000) / downMs,
      cpuMsPerMib: (spent() - before) / mib,
    };
  } finally {
    rmSync(place.back, { recursive: true });
  }
}
