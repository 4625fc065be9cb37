import type { Options } from '../command-spec.ts';
import { isGiven, listOption } from './read-options.ts';

/** `--keep-agent`, `--keep-agents` */
export const readKept = (options: Options) => ({
  named: listOption(options, 'keepAgent'),
  isAll: isGiven(options, 'keepAgents'),
});
