import { join } from 'node:path';
import { runProgram } from '../run-program.ts';
import type { Peer } from './peer.ts';

export const gnuParallel: Peer = {
  name: 'GNU parallel',
  how: "each job's output is kept apart, and each is recorded with `--joblog`",
  part: 0.06,
  programs: [{ program: 'parallel', package: 'parallel' }],
  open: async ({ folder, slots }) => ({
    folders: [],
    run: async (jobs) => {
      const input = Array.from({ length: jobs }, (_, at) => `${at}\n`).join('');
      const record = ['--joblog', join(folder, 'record'), '--tmpdir', folder];
      await runProgram(['parallel', '--will-cite', ...record, '-j', String(slots), '/bin/true'], input);
    },
    [Symbol.asyncDispose]: async () => {},
  }),
};
