import { Command, CommanderError, type Option } from 'commander';
import { type CommandSpec, type Options, optionsOf } from './command-spec.ts';
import { COMMANDS } from './commands.ts';
import { CliError } from './cli-error.ts';
import { EXIT } from './exit-codes.ts';
import { Output } from './show/output.ts';
import type { Surroundings } from './surroundings.ts';
import { VERSION } from './version.ts';

const NOUNS: Record<string, string> = {
  agent: 'machines that run jobs',
  server: 'the server of this machine',
  token: 'tokens for the API over the network',
  context: 'the clusters known here',
  job: 'jobs',
};

/** @param args what stands after the program's name. @returns the exit code. */
export async function runProgram(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const named = findSpec(args);
  let isJson = args.slice(0, endOfOptions(args)).includes('--json');
  let exit: number = EXIT.ok;
  const program = makeProgram(surroundings, async (spec, options, words) => {
    isJson = options['json'] === true;
    exit = await runVerb(spec, options, words, args, surroundings);
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const { showError } = await import('./show/show-error.ts');
    const code = showError(
      error instanceof CommanderError ? usageOf(error, args) : error,
      surroundings,
      isJson,
    );
    return named?.isJobsCode === true && code !== EXIT.interrupted ? EXIT.writ : code;
  }
}

/** The whole command line as commander knows it; the documents are compared with it. */
export function makeProgram(
  surroundings: Surroundings,
  run: (spec: CommandSpec, options: Options, words: readonly string[]) => Promise<void>,
): Command {
  const program = prepare(new Command('writ'), surroundings)
    .enablePositionalOptions()
    .description('a secure distributed job server: signed orders, sandboxed jobs, signed results')
    .version(VERSION)
    .addHelpText('after', '\nStart with: writ up, then writ run -- uname -a');
  const nouns = new Map<string, Command>();
  for (const spec of COMMANDS) {
    const [first = '', second] = spec.name.split(' ');
    let parent = program;
    if (second !== undefined) {
      const noun =
        nouns.get(first) ?? prepare(program.command(first).description(NOUNS[first] ?? ''), surroundings);
      nouns.set(first, noun);
      parent = noun;
    }
    const command = prepare(parent.command(`${second ?? first} ${spec.args}`.trim()), surroundings);
    // What stands behind a job's command is the command's own: `writ run grep -q x`.
    if (spec.args === '[command...]') command.passThroughOptions();
    command.description(spec.summary).addHelpText('after', `\nExample: ${spec.example}`);
    for (const [flags, help] of optionsOf(spec)) addOption(command, flags, help);
    command.action(async (...given: unknown[]) => {
      await run(
        spec,
        command.opts(),
        given
          .slice(0, -2)
          .flat()
          .filter((word) => typeof word === 'string'),
      );
    });
  }
  return program;
}

function prepare(command: Command, { stdout, stderr }: Surroundings): Command {
  return command
    .exitOverride()
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: () => undefined, // shown by showError, with its code
    })
    .allowExcessArguments(false);
}

function addOption(command: Command, flags: string, help: string): void {
  const option: Option = command.createOption(flags, help);
  if (help.includes('(repeatable)'))
    option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
  command.addOption(option);
}

async function runVerb(
  spec: CommandSpec,
  options: Options,
  words: readonly string[],
  args: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const output = new Output(surroundings, {
    json: options['json'] === true,
    quiet: options['quiet'] === true,
  });
  const at = endOfOptions(args);
  const rest = at < args.length ? args.slice(at + 1) : [];
  const verb = await spec.load();
  return await verb({
    args: words.slice(0, words.length - rest.length),
    rest,
    options,
    output,
    surroundings,
    commands: COMMANDS,
  });
}

/** Where `--` stands, or the end. */
function endOfOptions(args: readonly string[]): number {
  const at = args.indexOf('--');
  return at < 0 ? args.length : at;
}

/** The command that a line names, before anything is judged about it. */
function findSpec(args: readonly string[]): CommandSpec | undefined {
  const words = args.filter((word) => !word.startsWith('-')).slice(0, 2);
  return COMMANDS.find(({ name }) => name === words.join(' ') || name === words[0]);
}

function usageOf(error: CommanderError, args: readonly string[]): CliError {
  const text = error.message.replace(/^error: /, '');
  const [what = text, suggestion] = text.split('\n');
  const message = `${what.charAt(0).toUpperCase()}${what.slice(1)}${/[.?!]$/.test(what) ? '' : '.'}`;
  const hint = suggestion?.replace(/^\((.*)\)$/, '$1');
  const next = hint ?? nextOf(error, args);
  if (error.code === 'commander.help') return new CliError('usage', 'A command is missing.', next);
  if (error.code === 'commander.unknownCommand') return new CliError('usage.command', message, next);
  if (error.code.includes('rgument'))
    return new CliError(
      error.code.includes('ptionMissing') ? 'usage.option' : 'usage.argument',
      message,
      next,
    );
  return new CliError('usage.option', message, next);
}

/** The help that fits, or where an option belongs that stands before its command. */
function nextOf(error: CommanderError, args: readonly string[]): string {
  const [first = ''] = args;
  const spec = findSpec(args);
  if (
    error.code === 'commander.unknownOption' &&
    first.startsWith('-') &&
    args.some((word) => !word.startsWith('-'))
  )
    return `Options stand behind the command: writ ${spec?.name ?? 'COMMAND'} ${first}`;
  const noun = Object.hasOwn(NOUNS, first) ? `${first} ` : '';
  return `See: writ ${spec ? `${spec.name} ` : noun}--help`;
}
