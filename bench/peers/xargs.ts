import { runProgram } from '../run-program.ts';
import type { Peer } from './peer.ts';

export const xargs: Peer = {
  name: 'xargs -P',
  how: 'nothing is recorded, output goes nowhere',
  part: 0.4,
  programs: [{ program: 'xargs', package: 'findutils' }],
  open: async ({ slots }) => ({
    folders: [],
    run: async (jobs) => {
      const input = Array.from({ length: jobs }, (_, at) => `${at}\n`).join('');
      await runProgram(['xargs', '-P', String(slots), '-n', '1', '/bin/true'], input);
    },
    [Symbol.asyncDispose]: async () => {},
  }),
};
