import { parseArgs } from 'node:util';
import { AgentError } from '../agent-error.ts';

export interface Config {
  readonly folder: string;
  readonly descriptor: number;
  readonly slotsFolder?: string;
  readonly cacheFolder?: string;
}

/** What the starter says on the command line; the environment is not asked for anything. */
export function readConfig(args: readonly string[] = process.argv.slice(2)): Config {
  let values: { folder?: string | undefined; slots?: string | undefined; cache?: string | undefined };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { folder: { type: 'string' }, slots: { type: 'string' }, cache: { type: 'string' } },
      strict: true,
    }));
  } catch (cause) {
    throw new AgentError(
      'config.bad',
      `The agent program takes --folder, --slots and --cache: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  const { folder, slots, cache } = values;
  if (folder === undefined)
    throw new AgentError(
      'config.bad',
      'The agent program is started by “writ agent run”, which says --folder.',
    );
  return {
    folder,
    descriptor: 3,
    ...(slots === undefined ? {} : { slotsFolder: slots }),
    ...(cache === undefined ? {} : { cacheFolder: cache }),
  };
}
