import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readProcesses } from '@writ/testkit';
import { findProgram } from '../bring-program.ts';
import { runProgram } from '../run-program.ts';
import type { Peer } from './peer.ts';

/** Each job is submitted by a process of its own: more of them than cores only stand in each other's way. */
const SUBMITTERS = 2;

export const taskSpooler: Peer = {
  name: 'task-spooler',
  how: `\`tsp -n\`: in memory only, no output kept; submitted by ${SUBMITTERS} at a time, as it has no way to submit many at once`,
  part: 0.2,
  programs: [{ program: 'tsp', package: 'task-spooler' }],
  async open({ folder, slots }) {
    // Named so, its server is known by its folder.
    const tsp = join(folder, 'tsp');
    symlinkSync(findProgram('tsp') ?? 'tsp', tsp);
    const own = ['env', `TS_SOCKET=${join(folder, 'socket')}`, `TMPDIR=${folder}`] as const;
    await runProgram([...own, tsp, '-S', String(slots)]);
    let next = 0;
    return {
      folders: [folder],
      async run(jobs) {
        const input = Array.from({ length: jobs }, (_, at) => `${at}\n`).join('');
        const submitters = ['xargs', '-P', String(SUBMITTERS), '-n', '1'] as const;
        await runProgram([...own, ...submitters, tsp, '-n', '/bin/true'], input);
        next += jobs;
        // Started in the order of their numbers: when the last ones have ended, all have.
        for (let id = next - Math.min(slots, jobs); id < next; id += 1) {
          await runProgram([...own, tsp, '-w', String(id)]);
        }
        await runProgram([...own, tsp, '-C']);
      },
      async [Symbol.asyncDispose]() {
        await runProgram([...own, tsp, '-K']);
        while (readProcesses(folder).length > 0) await sleep(20);
      },
    };
  },
};
