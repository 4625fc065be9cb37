import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { OrderWish, Steering } from '@writ/client';
import { CliError } from '../cli-error.ts';
import type { Call, Options } from '../command-spec.ts';
import { readVariants, type VariantFile } from './read-variants.ts';
import { isName } from '../read/is-name.ts';
import { readCounter } from '../read/read-counter.ts';
import { readPriority } from '../read/read-priority.ts';
import { isGiven, listOption, textOption } from '../read/read-options.ts';
import { whyUnread } from '../read/why-unread.ts';
import { parseBytes, parseSeconds, parseWhole } from '../show/quantities.ts';

export interface JobWish {
  readonly order: OrderWish;
  readonly inputs: readonly string[];
  /** Each with inputs of its own beside those of all; null: one command for every machine. */
  readonly variants: readonly VariantFile[] | null;
  readonly agents: readonly string[];
  readonly isOnce: boolean;
  readonly steering: Steering;
}

/** As agents bound an order; below these no sandbox starts. */
const MOST_DAYS = 31;
const LEAST_MEMORY = 4 * 2 ** 20;
const LEAST_DISK = 64 * 2 ** 10;

/** Judges every option of `run` and `submit`, before anything is read or sent. */
export async function readWish(call: Call, notAfterSeconds: number): Promise<JobWish> {
  const { options } = call;
  const argv = [...call.args, ...call.rest];
  const variants = await readVariants(call, textOption(options, 'variants'));
  if (variants !== null && argv.length > 0)
    throw new CliError(
      'usage.argument',
      'A command and --variants contradict each other: each variant has its own command.',
      'writ submit --variants FILE',
    );
  if (variants === null && argv.length === 0)
    throw new CliError('usage.argument', 'The command to run is missing.', 'writ run -- uname -a');
  if (argv[0] === '')
    throw new CliError(
      'usage.argument',
      'The command to run is an empty word.',
      'Is a variable of your shell empty? writ run -- uname -a',
    );
  const isOnce = isGiven(options, 'once');
  const agents = listOption(options, 'agent');
  if (isOnce && (options['attempts'] !== undefined || isGiven(options, 'retryOnFailure'))) {
    throw new CliError(
      'usage.option',
      '--once means one attempt: --attempts and --retry-on-failure contradict it.',
    );
  }
  if (isOnce && agents.length > 1)
    throw new CliError('usage.option', '--once means one agent: name one with --agent, or none.');
  const number = <T>(name: string, read: (text: string, option: string) => T): T | undefined => {
    const text = textOption(
      options,
      name.replace(/-(.)/, (_dash, letter: string) => letter.toUpperCase()),
    );
    return text === undefined ? undefined : read(text, `--${name}`);
  };
  return {
    inputs: listOption(options, 'in').map(readInput),
    agents,
    variants,
    isOnce,
    steering: {
      priority: number('priority', readPriority),
      isHeld: isGiven(options, 'hold') ? true : undefined,
    },
    order: {
      argv: variants === null ? argv : undefined,
      variables: listOption(options, 'env').map(readVariable),
      outputs: listOption(options, 'out').map(readPattern),
      outputsRequired: isGiven(options, 'outRequired'),
      queue: readQueue(options),
      labels: listOption(options, 'label').map(readLabel),
      array: await readArray(call, textOption(options, 'array')),
      maxAttempts: isOnce ? 1 : number('attempts', (text, option) => parseWhole(text, option, 1, 100)),
      retryOnFailure: isGiven(options, 'retryOnFailure'),
      profile: readProfile(options),
      network: isGiven(options, 'network'),
      timeSeconds: number('timeout', (text, option) => parseSeconds(text, option, MOST_DAYS)),
      cpus: number('cpus', (text, option) => parseWhole(text, option, 1, 1024)),
      counters: listOption(options, 'counter').map((text) => readCounter(text, '--counter')),
      memoryBytes: number('memory', (text, option) => parseBytes(text, option, LEAST_MEMORY)),
      pids: number('pids', (text, option) => parseWhole(text, option, 1, 1_000_000)),
      diskBytes: number('disk', (text, option) => parseBytes(text, option, LEAST_DISK)),
      outputBytes: number('out-limit', (text, option) => parseBytes(text, option, 1)),
      notAfterSeconds:
        number('not-after', (text, option) => parseSeconds(text, option, MOST_DAYS)) ?? notAfterSeconds,
    },
  };
}

/** An empty name would mean the whole folder, and stands there when a variable of the shell is empty. */
function readInput(text: string): string {
  if (text !== '') return text;
  throw new CliError('usage.option', '--in is empty.', 'Write --in names.txt; the whole folder is --in .');
}

function readQueue(options: Options): string | undefined {
  const text = textOption(options, 'queue');
  if (text === undefined || isName(text)) return text;
  throw new CliError(
    'usage.option',
    `--queue ${text} is not the name of a queue.`,
    'Use small letters, digits and -.',
  );
}

function readVariable(text: string): { name: string; value: string } {
  const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return { name, value };
  throw new CliError(
    'usage.option',
    text.includes('=')
      ? `--env ${text}: that cannot be the name of a variable.`
      : `--env ${text} has no value.`,
    'Write --env NAME=value. Values of this shell are not taken over.',
  );
}

export function readLabel(text: string): { name: string; value: string | null } {
  const [, name, value] =
    /^([a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?)(?:=([A-Za-z0-9._-]{0,63}))?$/.exec(text) ?? [];
  if (name !== undefined) return { name, value: value ?? null };
  throw new CliError(
    'usage.option',
    `--label ${text} is not a label.`,
    'Write --label gpu or --label site=lab-1: small letters, digits and . _ / - in the name.',
  );
}

/** A whole folder is meant when a pattern ends with a slash. */
function readPattern(text: string): string {
  const pattern = text.replace(/^\.\//, '');
  const full = pattern.endsWith('/') ? `${pattern}**` : pattern;
  if (full !== '' && !path.posix.isAbsolute(full) && !full.split('/').includes('..') && !full.includes('//'))
    return full;
  throw new CliError(
    'usage.option',
    `--out ${text} does not lie below the job's folder.`,
    "Write --out result.csv or --out 'result/**'.",
  );
}

function readProfile(options: Options): 'strict' | 'user' | 'bare' | undefined {
  const text = textOption(options, 'profile');
  if (text === undefined || text === 'strict' || text === 'user' || text === 'bare') return text;
  throw new CliError('usage.option', `--profile ${text} is none.`, 'Write strict, user or bare.');
}

async function readArray({ surroundings }: Call, text: string | undefined): Promise<OrderWish['array']> {
  if (text === undefined) return undefined;
  if (text.startsWith('@')) {
    const file = path.resolve(surroundings.cwd, text.slice(1));
    const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new CliError(
        'usage.option',
        `--array ${text}: ${whyUnread(error)}.`,
        'Write @ and a file with one value a line, or a range: 1-1000.',
        { cause: error },
      );
    });
    const values = content.replace(/\r?\n$/, '').split(/\r?\n/);
    if (content === '')
      throw new CliError('usage.option', `--array ${text}: the file is empty.`, 'Write one value a line.');
    return { is: 'values', values };
  }
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (from === undefined || Number(to) < Number(from)) {
    throw new CliError(
      'usage.option',
      `--array ${text} is no range.`,
      'Write --array 1-1000, or --array @values.txt.',
    );
  }
  return { is: 'range', from: Number(from), to: Number(to) };
}
