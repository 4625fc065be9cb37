import type { Output } from './show/output.ts';
import type { Surroundings } from './surroundings.ts';

/** Values as they stand on the command line. */
export type Options = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export interface Call {
  readonly args: readonly string[];
  readonly options: Options;
  /** What stands after `--`, word for word. */
  readonly rest: readonly string[];
  readonly output: Output;
  readonly surroundings: Surroundings;
}

/** @returns the exit code. */
export type Verb = (call: Call) => Promise<number>;

export interface CommandSpec {
  /** `agent list` */
  readonly name: string;
  readonly summary: string;
  /** As commander writes them: `<job>`, `[tasks]`, `[words...]`. */
  readonly args: string;
  /** `[flags, help]` as commander writes them. A flag whose help ends with `(repeatable)` may be given several times. */
  readonly options: readonly (readonly [string, string])[];
  readonly example: string;
  /** Fails with 125 where others fail with 1 to 6: its exit code is the job's. */
  readonly isJobsCode?: boolean;
  /** Talks to a server through a context. */
  readonly isRemote?: boolean;
  /** Prints no document of its own. */
  readonly hasNoJson?: boolean;
  readonly load: () => Promise<Verb>;
}

const DIR: readonly [string, string] = ['--dir <folder>', 'state folder, instead of the usual one'];
const JOB_OPTIONS = [
  ['--in <path>', 'input file, folder or pattern below the current folder (repeatable)'],
  [
    '--out <pattern>',
    "which files to bring back, below the job's folder, as path.matchesGlob has it (repeatable)",
  ],
  ['--out-required', 'fail the job when a pattern of --out matches nothing'],
  ['--label <name[=value]>', 'only agents admitted with this label (repeatable)'],
  [
    '--agent <name>',
    'only this agent, resolved to its identity key through verified admissions (repeatable)',
  ],
  ['--queue <name>', 'queue (default)'],
  ['--timeout <duration>', 'time limit of one attempt (1h)'],
  ['--memory <size>', 'memory limit (1G)'],
  ['--pids <number>', 'limit of processes (256)'],
  ['--disk <size>', 'limit of what the job writes (256M)'],
  ['--env <name=value>', 'variable for the job (repeatable)'],
  ['--array <range>', 'one task for each number of 1-1000, or each line of @values.txt'],
  ['--attempts <number>', 'how often a task may start, lost starts included (3)'],
  ['--retry-on-failure', 'use the attempts also when the job itself fails'],
  ['--once', 'one attempt on one agent, named by its key: starts at most once under any server'],
  ['--profile <profile>', 'least isolation: strict, user or bare (strict)'],
  ['--network', "let the job use the network where the machine's owner allows it"],
  ['--not-after <duration>', 'how long the job may still start (run: 24h, submit: 7d)'],
] as const;

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'up',
    summary: 'start a server and an agent here; again: show what runs',
    args: '',
    options: [
      DIR,
      ['--port <number>', 'port for people (7410; 0: any free one)'],
      ['--agent-port <number>', 'port for agents (7411; 0: any free one)'],
      ['--host <address>', 'address to listen on (all of them)'],
      ['--name <name>', "name of server and agent (the host's name)"],
      ['--slots <number>', 'how many jobs the agent runs at once (one for each core)'],
      ['--no-agent', 'a server only'],
      ['--bare', 'also offer jobs no isolation: only for machines that run nothing but your own orders'],
      ['--foreground', 'stay until Ctrl-C, then stop'],
    ],
    example: 'writ up',
    load: async () => (await import('./verbs/up.ts')).up,
  },
  {
    name: 'down',
    summary: 'stop the server and the agent of this state folder',
    args: '',
    options: [DIR],
    example: 'writ down',
    load: async () => (await import('./verbs/down.ts')).down,
  },
  {
    name: 'invite',
    summary: 'make an invite for another machine; it works once, for 15 minutes',
    args: '',
    isRemote: true,
    options: [
      ['--name <name>', "what the machine will be called (its host's name)"],
      ['--label <name[=value]>', 'label that it is admitted with (repeatable)'],
      ['--queue <name>', 'queue that it serves (all) (repeatable)'],
      ['--address <host:port>', 'where it finds this server (as the server says) (repeatable)'],
    ],
    example: 'writ invite --label gpu',
    load: async () => (await import('./verbs/invite.ts')).invite,
  },
  {
    name: 'join',
    summary: 'make this machine an agent, with an invite',
    args: '[invite]',
    options: [
      DIR,
      ['--name <name>', "what this machine is called (its host's name)"],
      ['--slots <number>', 'how many jobs it runs at once (one for each core)'],
      ['--no-start', 'join, and start nothing'],
      ['--bare', 'also offer jobs no isolation: only for machines that run nothing but your own orders'],
    ],
    example: 'writ join -',
    load: async () => (await import('./verbs/join.ts')).join,
  },
  {
    name: 'run',
    summary: 'run a command as a job, show what it writes, bring back its outputs',
    args: '[command...]',
    isRemote: true,
    isJobsCode: true,
    options: [
      ...JOB_OPTIONS,
      ['--dir <folder>', 'where outputs are written (the current folder)'],
      ['--detach', 'submit, print the id, and leave'],
      ['--verified', 'show nothing that is not verified: holds the streams back to the end'],
    ],
    example: "writ run --in data.csv --out 'result/**' --timeout 10m -- python3 analyse.py data.csv",
    load: async () => (await import('./verbs/run.ts')).run,
  },
  {
    name: 'submit',
    summary: 'order a job and leave; prints its id',
    args: '[command...]',
    isRemote: true,
    options: JOB_OPTIONS,
    example: 'writ submit --array 1-1000 -- ./simulate',
    load: async () => (await import('./verbs/submit.ts')).submit,
  },
  {
    name: 'status',
    summary: 'show a job and its tasks, or the cluster',
    args: '[job] [tasks]',
    isRemote: true,
    options: [],
    example: 'writ status last',
    load: async () => (await import('./verbs/status.ts')).status,
  },
  {
    name: 'logs',
    summary: 'show what a job wrote',
    args: '[job] [tasks]',
    isRemote: true,
    options: [
      ['-f, --follow', 'go on until the job has ended'],
      ['--raw', 'show lines of progress reports (::writ::) too'],
    ],
    example: 'writ logs -f last',
    load: async () => (await import('./verbs/logs.ts')).logs,
  },
  {
    name: 'cancel',
    summary: 'end a job or some of its tasks, and sign that they may not start any more',
    args: '<job> [tasks]',
    isRemote: true,
    options: [['--kill', 'end it at once, without time to tidy up']],
    example: 'writ cancel last',
    load: async () => (await import('./verbs/cancel.ts')).cancel,
  },
  {
    name: 'wait',
    summary: 'wait for the end of a job; ends with its exit code',
    args: '[job]',
    isRemote: true,
    isJobsCode: true,
    options: [['--timeout <duration>', 'how long to wait (for ever)']],
    example: 'writ wait last',
    load: async () => (await import('./verbs/wait.ts')).wait,
  },
  {
    name: 'get',
    summary: 'bring back verified outputs, and a bundle that proves them',
    args: '[job] [tasks]',
    isRemote: true,
    options: [
      ['--dir <folder>', 'where outputs are written (the current folder)'],
      ['--bundle-only', 'the bundle, and no outputs'],
    ],
    example: 'writ get last --dir results',
    load: async () => (await import('./verbs/get.ts')).get,
  },
  {
    name: 'verify',
    summary: 'check a bundle, offline',
    args: '<file>',
    options: [
      ['--cluster <id>', 'the cluster id that you know from elsewhere'],
      ['--files <folder>', 'compare the outputs there, too'],
    ],
    example: 'writ verify 7f3k….writ.json',
    load: async () => (await import('./verbs/verify.ts')).verify,
  },
  {
    name: 'agent list',
    summary: 'show the agents',
    args: '',
    isRemote: true,
    options: [],
    example: 'writ agent list',
    load: async () => (await import('./verbs/agent-list.ts')).agentList,
  },
  {
    name: 'agent ban',
    summary: 'shut an agent out: its connection ends at once',
    args: '<name>',
    isRemote: true,
    options: [['--reason <text>', 'for the record']],
    example: 'writ agent ban lab-02',
    load: async () => (await import('./verbs/agent-ban.ts')).agentBan,
  },
  {
    name: 'agent run',
    summary: 'run the agent of this machine in the foreground',
    args: '',
    hasNoJson: true,
    options: [DIR],
    example: 'writ agent run',
    load: async () => (await import('./verbs/agent-run.ts')).agentRun,
  },
  {
    name: 'server run',
    summary: 'run a server in the foreground',
    args: '',
    hasNoJson: true,
    options: [
      DIR,
      ['--port <number>', 'port for people (7410; 0: any free one)'],
      ['--agent-port <number>', 'port for agents (7411; 0: any free one)'],
      ['--host <address>', 'address to listen on (all of them)'],
      ['--name <name>', "name of the server (the host's name)"],
    ],
    example: 'writ server run',
    load: async () => (await import('./verbs/server-run.ts')).serverRun,
  },
  {
    name: 'token create',
    summary: 'make a token for the API over the network; shown once',
    args: '<name>',
    isRemote: true,
    options: [
      ['--role <role>', 'administrator or member (member)'],
      ['--expires <duration>', 'how long it holds (30d)'],
    ],
    example: 'writ token create ci --expires 7d',
    load: async () => (await import('./verbs/token-create.ts')).tokenCreate,
  },
  {
    name: 'token list',
    summary: 'show the tokens, without their text',
    args: '',
    isRemote: true,
    options: [],
    example: 'writ token list',
    load: async () => (await import('./verbs/token-list.ts')).tokenList,
  },
  {
    name: 'token revoke',
    summary: 'end a token at once',
    args: '<id>',
    isRemote: true,
    options: [],
    example: 'writ token revoke 4fq2…',
    load: async () => (await import('./verbs/token-revoke.ts')).tokenRevoke,
  },
  {
    name: 'context list',
    summary: 'show the clusters known here, and as whom',
    args: '',
    options: [],
    example: 'writ context list',
    load: async () => (await import('./verbs/context-list.ts')).contextList,
  },
  {
    name: 'context use',
    summary: 'choose the cluster that commands are meant for',
    args: '<name>',
    options: [],
    example: 'writ context use lab',
    load: async () => (await import('./verbs/context-use.ts')).contextUse,
  },
  {
    name: 'context add',
    summary: 'add a cluster that is reached over the network',
    args: '<name>',
    options: [
      ['--url <url>', 'address of its server: https://host:7410'],
      ['--trust <file>', 'its signer sets: what “writ context export” printed there, or a bundle'],
      ['--cluster <id>', 'the cluster id that you know from elsewhere: the file must begin it'],
      ['--token-file <file>', 'file that holds a token (- for stdin)'],
    ],
    example: 'writ context add lab --url https://lab-01:7410 --trust lab.json --token-file -',
    load: async () => (await import('./verbs/context-add.ts')).contextAdd,
  },
  {
    name: 'context export',
    summary: 'print the pinned signer sets of a cluster: public, for “context add” elsewhere',
    args: '',
    isRemote: true,
    options: [],
    example: 'writ context export > lab.json',
    load: async () => (await import('./verbs/context-export.ts')).contextExport,
  },
  {
    name: 'job list',
    summary: 'show the jobs, newest first',
    args: '',
    isRemote: true,
    options: [
      ['--state <state>', 'only jobs in this state'],
      ['--limit <number>', 'how many (50)'],
    ],
    example: 'writ job list --state running',
    load: async () => (await import('./verbs/job-list.ts')).jobList,
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell: bash, zsh or fish',
    args: '<shell>',
    hasNoJson: true,
    options: [],
    example: 'source <(writ completion bash)',
    load: async () => (await import('./verbs/completion.ts')).completion,
  },
];

/** What every command takes. */
export const EVERYWHERE: readonly (readonly [string, string])[] = [
  ['--json', 'print one JSON document, or one a line for streams; shapes in docs/schemas'],
  ['-q, --quiet', 'print ids only'],
  ['--no-input', 'never ask: a question becomes an error'],
  ['-y, --yes', 'answer yes where a command would ask whether to go on'],
];
export const REMOTE: readonly (readonly [string, string])[] = [
  ['--context <name>', 'which cluster (the one chosen with “context use”)'],
];
