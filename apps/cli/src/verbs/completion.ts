import { type Call, type CommandSpec, optionsOf } from '../command-spec.ts';
import { CliError } from '../cli-error.ts';
import { EXIT } from '../exit-codes.ts';

const SCRIPTS: Record<string, (commands: readonly CommandSpec[]) => string> = { bash, zsh, fish };

export async function completion({ args, surroundings, commands }: Call): Promise<number> {
  const [shell = ''] = args;
  const script = SCRIPTS[shell];
  if (script === undefined)
    throw new CliError('usage.argument', `There is no completion for ${shell}.`, 'Write bash, zsh or fish.');
  surroundings.stdout.write(script(commands));
  return EXIT.ok;
}

/** Flags of each command, without their values. */
function flagsOf(commands: readonly CommandSpec[], name: string): string[] {
  const spec = commands.find((candidate) => candidate.name === name);
  return spec === undefined
    ? []
    : optionsOf(spec)
        .flatMap(([flags]) => flags.replaceAll(/<[^>]*>/g, '').split(/[, ]+/))
        .filter(Boolean);
}

const verbs = (commands: readonly CommandSpec[]): string[] => [
  ...new Set(commands.map(({ name }) => name.split(' ')[0] ?? '')),
];
const secondWords = (commands: readonly CommandSpec[], noun: string): string[] =>
  commands.filter(({ name }) => name.startsWith(`${noun} `)).map(({ name }) => name.slice(noun.length + 1));
const nouns = (commands: readonly CommandSpec[]): string[] =>
  verbs(commands).filter((verb) => secondWords(commands, verb).length > 0);

function bash(commands: readonly CommandSpec[]): string {
  const cases = nouns(commands).map(
    (noun) => `    ${noun}) words="${secondWords(commands, noun).join(' ')}" ;;`,
  );
  const flags = commands.map(({ name }) => `    "${name}") words="${flagsOf(commands, name).join(' ')}" ;;`);
  return `# writ: completion for bash
_writ() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words="" command="\${COMP_WORDS[1]}" i
  for ((i = 1; i < COMP_CWORD; i++)); do [[ "\${COMP_WORDS[i]}" == "--" ]] && return; done
  if ((COMP_CWORD == 1)); then
    words="${verbs(commands).join(' ')}"
  elif [[ "$current" == -* ]]; then
    case "$command" in ${nouns(commands).join('|')}) command="$command \${COMP_WORDS[2]}" ;; esac
    case "$command" in
${flags.join('\n')}
    esac
  elif ((COMP_CWORD == 2)); then
    case "$command" in
${cases.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _writ writ
`;
}

function zsh(commands: readonly CommandSpec[]): string {
  return `#compdef writ
# writ: completion for zsh
autoload -U +X bashcompinit && bashcompinit
${bash(commands)}`;
}

function fish(commands: readonly CommandSpec[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const lines = ['# writ: completion for fish', 'complete -c writ -f'];
  for (const verb of verbs(commands)) {
    const summary = commands.find(({ name }) => name === verb)?.summary ?? '';
    lines.push(`complete -c writ -n __fish_use_subcommand -a ${verb} -d ${quote(summary)}`);
  }
  for (const noun of nouns(commands)) {
    for (const word of secondWords(commands, noun)) {
      const summary = commands.find(({ name }) => name === `${noun} ${word}`)?.summary ?? '';
      lines.push(`complete -c writ -n '__fish_seen_subcommand_from ${noun}' -a ${word} -d ${quote(summary)}`);
    }
  }
  for (const spec of commands) {
    const [first = '', second] = spec.name.split(' ');
    const seen = `__fish_seen_subcommand_from ${second ?? first}`;
    for (const [flags, help] of optionsOf(spec)) {
      const long = /--([a-z-]+)/.exec(flags)?.[1];
      if (long !== undefined)
        lines.push(
          `complete -c writ -n '${seen}' -l ${long}${flags.includes('<') ? ' -r' : ''} -d ${quote(help)}`,
        );
    }
  }
  return `${lines.join('\n')}\n`;
}
