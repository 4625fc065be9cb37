import { API_CODES, type ApiCode, END_REASONS, REFUSAL_CODES } from '@writ/contract';
import { CLIENT_CODES, type ClientCode } from '@writ/client';
import { CLI_CODES } from './cli-error.ts';
import { type CommandSpec, EVERYWHERE, REMOTE } from './command-spec.ts';
import { COMMANDS } from './commands.ts';
import { CODE_FAMILIES } from './explain/code-families.ts';
import { ENDS } from './explain/explain-end.ts';
import { API_NEXT, CLIENT_NEXT, JOINS } from './explain/explain-error.ts';
import { REFUSALS } from './explain/explain-refusal.ts';

const CLI_HEAD = `# The command line

\`writ <command>\`. In a checkout: \`npm run writ -- <command>\`, or \`node scripts/with-node.mjs apps/cli/src/main.ts <command>\`.

**Output.** A table on a terminal, tab-separated values without a head when piped, one JSON document with \`--json\` (one a
line for the streams of \`run\` and \`logs\`; shapes in [schemas](schemas)), ids only with \`-q\`. Data goes to stdout, everything
else to stderr. \`NO_COLOR\` is honoured.

**Where options stand.** Behind the command of \`writ\`; with \`run\` and \`submit\` before the job's own command: what stands behind
that is the job's, with \`--\` or without (\`writ run -q grep -q x names.txt\`: the first \`-q\` is Writ's).

**Exit codes.** \`run\` and \`wait\` end with the job's own exit code, from its verified receipt; 128 + n when signal n ended the
job, 124 when it ran into its time limit, and 125 for everything that is Writ's, wrong flags included. All other commands:
0 done, 1 failed, 2 wrong usage, 3 not found, 4 not signed in or not allowed, 5 the time to wait is over, 6 the server does not
answer, 7 the agent's disk did not take what it recorded (\`agent run\`). 130: interrupted.

**Which job.** A whole id, its beginning where that is unique, or \`last\` (the one submitted last from here; also when nothing
is named). Tasks of an array as a second word or behind a dot: \`writ logs last 1,3,5-8\`, \`writ logs 7f3k.3\`.

**Questions.** \`cancel\` and \`agent ban\` ask first; without a terminal, with \`--no-input\`, or with \`WRIT_NO_INPUT\` or \`CI\` set,
they need \`--yes\`.

**Environment.** \`WRIT_CONTEXT\` names the context, \`WRIT_TOKEN\` holds the token, \`XDG_CONFIG_HOME\` is where a person's contexts,
keys and pins are kept (\`writ/\` in it), \`XDG_STATE_HOME\` where servers and agents keep their state (root: \`/var/lib/writ\`).

**Trust.** Exit codes, outputs and refusals come from receipts that were verified here, or the end is 125. Text of a server or an
agent is shown in quotes, and no command is ever suggested by the other side. \`status\`, \`job list\` and \`agent list\` show what
the server says.
`;

/** docs/cli.md */
export function cliReference(): string {
  const everywhere = [...EVERYWHERE, ...REMOTE].map(optionLine).join('\n');
  return `${CLI_HEAD}
## Everywhere

${everywhere}

\`--context\` with the commands that speak with a server; the others with every command that prints a document.

${COMMANDS.map(commandSection).join('\n')}`;
}

function commandSection(spec: CommandSpec): string {
  const options = spec.options.map(optionLine).join('\n');
  const own = options === '' ? '' : `\n${options}\n`;
  return `## writ ${spec.name}${spec.args === '' ? '' : ` ${spec.args}`}

${spec.summary.charAt(0).toUpperCase()}${spec.summary.slice(1)}.
${own}
    ${spec.example}
`;
}

const optionLine = ([flags, help]: readonly [string, string]): string => `- \`${flags}\`: ${help}`;

const ERRORS_HEAD = `# Errors

Every error says what happened, why, and what to do next, and has a stable code. With \`--json\` it is one document on stderr.
`;

/** docs/errors.md */
export function errorReference(): string {
  const explained = (
    codes: readonly string[],
    texts: Record<string, { what: string; why: string; next: string } | undefined>,
  ): string[] =>
    codes.map((code) => `- \`${code}\`: ${texts[code]?.what} ${texts[code]?.why} → ${texts[code]?.next}`);
  const sections: [string, string[]][] = [
    [
      'Why an agent refuses to start an order\n\nIn the order of its checks. Each reaches the submitter in a receipt that the agent signed.',
      explained(REFUSAL_CODES, REFUSALS),
    ],
    ['Why a job that was allowed to start ended', explained(END_REASONS, ENDS)],
    [
      'What a server answers',
      Object.entries(API_CODES).map(
        ([code, [status, what]]) => `- \`${code}\` (${status}): ${what}. → ${API_NEXT[code as ApiCode]}`,
      ),
    ],
    [
      'What your own program finds',
      Object.entries(CLIENT_CODES).map(
        ([code, what]) => `- \`${code}\`: ${what}. → ${CLIENT_NEXT[code as ClientCode]}`,
      ),
    ],
    [
      'When a machine joins',
      Object.entries(JOINS).map(([code, { what, next }]) => `- \`${code}\`: ${what} → ${next}`),
    ],
    [
      'What else is refused\n\nThese codes name one check each and come with words of their own. By their beginning:',
      Object.entries(CODE_FAMILIES).map(([family, { what, next }]) => `- \`${family}.…\`: ${what} → ${next}`),
    ],
    ['The command line', Object.entries(CLI_CODES).map(([code, what]) => `- \`${code}\`: ${what}.`)],
  ];
  return `${ERRORS_HEAD}${sections.map(([title, lines]) => `\n## ${title}\n\n${lines.join('\n')}\n`).join('')}`;
}
