import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CliError } from '../cli-error.ts';
import type { Call } from '../command-spec.ts';
import { textOption } from '../read/read-options.ts';

/** What `--database` names. A file keeps its password out of the lists of processes and commands. */
export function readDatabase({ options, surroundings }: Call): string | undefined {
  const given = textOption(options, 'database');
  if (given === undefined) return undefined;
  const url = given.startsWith('@') ? readNamed(path.resolve(surroundings.cwd, given.slice(1))) : given;
  if (/^postgres(ql)?:\/\/\S+$/.test(url)) return url;
  throw new CliError(
    'usage.option',
    'What --database names is no address of a PostgreSQL.',
    'Write --database postgres://USER@HOST/DATABASE, or @FILE with that in it.',
  );
}

function readNamed(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new CliError(
      'usage.option',
      `--database: ${file} cannot be read.`,
      'Name a file that has postgres://… in it.',
      { cause },
    );
  }
}
