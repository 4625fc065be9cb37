import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

export interface ProgramWish {
  readonly address: string;
  readonly slots: number;
  /** A module of the peers' own `node_modules`. */
  load(name: string): Promise<unknown>;
}

export interface OpenedProgram {
  run(jobs: number): Promise<void>;
  close(): Promise<void>;
}

/** The other end of `start-peer-program.ts`: FOLDER INSTALLED ADDRESS SLOTS, then a number of jobs on each line. */
export async function serveRuns(open: (wish: ProgramWish) => Promise<OpenedProgram>): Promise<void> {
  const [, installed = '', address = '', slots = ''] = process.argv.slice(2);
  const { resolve } = createRequire(join(installed, 'package.json'));
  const load = (name: string): Promise<unknown> => import(pathToFileURL(resolve(name)).href);
  const opened = await open({ address, slots: Number(slots), load });
  process.stdout.write('ready\n');
  for await (const line of createInterface({ input: process.stdin })) {
    await opened.run(Number(line));
    process.stdout.write(`done ${line}\n`);
  }
  await opened.close();
}

export function startTrue(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/true', { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`/bin/true ended with ${code}`)),
    );
  });
}

/** How many are submitted at once. */
export const PER_SUBMIT = 500;

export function* inParts(jobs: number): Generator<number> {
  for (let left = jobs; left > 0; left -= PER_SUBMIT) yield Math.min(left, PER_SUBMIT);
}
