import {
  BOUNDS,
  type Counter,
  DEFAULTS,
  faultOfInputs,
  type Inputs,
  type Order,
  orderCheck,
  type SetRef,
  readOutputPatterns,
  taskCount,
  type Variant,
} from '@writ/contract';
import { ClientError } from './client-error.ts';

/** One of several ways to do the same. */
export interface VariantWish {
  /** As Node names it: `linux`, `darwin`, `win32`. Any. */
  readonly os?: Variant['platform']['os'] | undefined;
  /** As Node names it: `x64`, `arm64`. Any. */
  readonly arch?: Variant['platform']['arch'] | undefined;
  /** The command, word by word. */
  readonly argv: readonly string[];
  /** As those of {@link OrderWish}. */
  readonly variables?: readonly { readonly name: string; readonly value: string }[] | undefined;
  /** As those of {@link OrderWish}. */
  readonly inputs?: Inputs | undefined;
}

/** What a person asks for. What is left out takes the program's defaults: nothing comes from a server. */
export interface OrderWish {
  /** The command, word by word: no shell reads it. */
  readonly argv?: readonly string[] | undefined;
  /** Instead of `argv`, `variables` and `inputs`: each agent takes the first that fits its system, and fetches its inputs only. */
  readonly variants?: readonly VariantWish[] | undefined;
  /** Besides `WRIT_…`, PATH, HOME, LANG and TMPDIR nothing else is set. */
  readonly variables?: readonly { readonly name: string; readonly value: string }[] | undefined;
  /** Files by path, digest and size: `collectInputs` of `@writ/client/node` makes them. None. */
  readonly inputs?: Inputs | undefined;
  /** Patterns of files to bring back: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}`, and `**` over folders. None. */
  readonly outputs?: readonly string[] | undefined;
  /** Fail the job when an output pattern matches nothing. */
  readonly outputsRequired?: boolean | undefined;
  /** `default`. */
  readonly queue?: string | undefined;
  /** `default`. */
  readonly project?: string | undefined;
  /** `value` null: any. */
  readonly labels?: readonly { readonly name: string; readonly value: string | null }[] | undefined;
  /** Identity keys, taken from verified admissions. None: any agent. */
  readonly agents?: readonly string[] | undefined;
  /** One task for each number or value. One task. */
  readonly array?: Order['array'] | undefined;
  /** How often a task may start, lost starts included. 3. */
  readonly maxAttempts?: number | undefined;
  /** Use the attempts also when the job itself fails. No. */
  readonly retryOnFailure?: boolean | undefined;
  /** The least isolation. `user`; agents give the most that they can. */
  readonly profile?: Order['profile'] | undefined;
  /** Use the network where the machine's owner allows it. No. */
  readonly network?: boolean | undefined;
  /** Limit of one attempt. An hour. */
  readonly timeSeconds?: number | undefined;
  /** 1 GiB. */
  readonly memoryBytes?: number | undefined;
  /** Whole cores; more are not given. */
  readonly cpus?: number | undefined;
  /** What a task takes of what machines' owners count. */
  readonly counters?: readonly Counter[] | undefined;
  /** Processes and threads at once. 256. */
  readonly pids?: number | undefined;
  /** What the job may write. 256 MiB, or an eighth more than `outputBytes`. */
  readonly diskBytes?: number | undefined;
  /** What the files that are brought back may have together. 1 GiB. */
  readonly outputBytes?: number | undefined;
  /** How long after `issued` it may still start. */
  readonly notAfterSeconds?: number | undefined;
}

/** Who orders: all of it from this side's own pins and randomness. */
export interface OrderedBy {
  /** Cluster id. */
  readonly cluster: string;
  /** The newest signer set that the orderer knows. */
  readonly set: SetRef;
  /** Id of the person. */
  readonly person: string;
  /** The public key that will sign. */
  readonly key: string;
  /** 128 random bits (`newId`): the job's id and idempotency key. */
  readonly job: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Writes the order that a person asks for. It never copies anything that a server said.
 * Refuses (`order.invalid`, with the fields) what no agent would take.
 *
 * @example
 * ```ts
 * const order = buildOrder({ argv: ['uname', '-a'] }, { cluster, set: held.newest, person, key, job, now });
 * ```
 */
export function buildOrder(wish: OrderWish, by: OrderedBy): Order {
  const order = {
    format: 1,
    cluster: by.cluster,
    job: by.job,
    person: by.person,
    key: by.key,
    cosigners: [],
    set: { version: by.set.version, digest: by.set.digest },
    queue: wish.queue ?? DEFAULTS.queue,
    project: wish.project ?? DEFAULTS.project,
    runs: {
      is: 'command',
      variants: variantsOf(wish).map(variantOf),
    },
    outputs: { patterns: [...(wish.outputs ?? [])], required: wish.outputsRequired ?? false },
    limits: {
      timeSeconds: wish.timeSeconds ?? DEFAULTS.timeLimitSeconds,
      cpuSeconds: null,
      cpus: wish.cpus ?? null,
      memoryBytes: wish.memoryBytes ?? DEFAULTS.memoryBytes,
      pids: wish.pids ?? DEFAULTS.pids,
      diskBytes: wish.diskBytes ?? diskFor(wish.outputBytes),
      outputBytes: wish.outputBytes ?? DEFAULTS.outputBytes,
      logBytes: DEFAULTS.logBytes,
      logRate: null,
      cancelGraceSeconds: DEFAULTS.cancelGraceSeconds,
      counters: (wish.counters ?? []).map(({ name, amount }) => ({ name, amount })),
    },
    profile: wish.profile ?? DEFAULTS.profile,
    network: wish.network ?? false,
    runAs: null,
    machine: {
      facts: [],
      labels: (wish.labels ?? []).map(({ name, value }) => ({ name, value })),
      agents: [...(wish.agents ?? [])],
      excluded: [],
      notAdmitted: [],
    },
    array: wish.array ?? { is: 'one' },
    maxAttempts: wish.maxAttempts ?? DEFAULTS.maxAttempts,
    retryOnFailure: wish.retryOnFailure ?? false,
    children: null,
    issued: by.now,
    notBefore: null,
    notAfter: by.now + (wish.notAfterSeconds ?? DEFAULTS.submitNotAfterSeconds) * 1000,
  };
  if (!orderCheck.is(order)) {
    const errors = orderCheck.faults(order);
    const list = errors.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
    throw new ClientError('order.invalid', `No agent would read this order: ${list}.`, { errors });
  }
  refuseWhatAgentsRefuse(order, wish);
  return order;
}

/** What is brought back has to lie there first, and its file system takes a part. */
const diskFor = (outputBytes = 0): number =>
  Math.max(DEFAULTS.diskBytes, outputBytes + Math.ceil(outputBytes / 8));

function variantsOf({ argv, variants, variables, inputs }: OrderWish): readonly VariantWish[] {
  if ((argv === undefined) === (variants === undefined))
    throw invalid('/runs', 'a command or variants are wanted, and not both');
  return variants ?? [{ argv: argv ?? [], variables, inputs }];
}

const variantOf = ({ os, arch, argv, variables, inputs }: VariantWish): Variant => ({
  platform: { os: os ?? null, arch: arch ?? null },
  command: {
    argv: [...argv],
    variables: (variables ?? []).map(({ name, value }) => ({ name, value })),
    inputs: inputs ?? { is: 'list', files: [] },
    secrets: [],
  },
});

function refuseWhatAgentsRefuse(order: Order, wish: OrderWish): void {
  const tasks = taskCount(order.array);
  if (tasks < 1 || tasks > BOUNDS.arraySize) {
    throw invalid('/array', `an array has 1 to ${BOUNDS.arraySize} tasks, this one ${tasks}`);
  }
  if (order.notAfter - order.issued > BOUNDS.orderSeconds * 1000) {
    throw invalid('/notAfter', 'an order may be startable for 31 days at most');
  }
  const patterns = readOutputPatterns(order.outputs.patterns);
  if ('fault' in patterns) throw invalid('/outputs/patterns', patterns.fault);
  for (const [at, { variables = [], inputs }] of variantsOf(wish).entries()) {
    const fault = inputs && faultOfInputs(inputs);
    if (fault !== undefined) throw invalid(`/runs/variants/${at}/command/inputs`, fault);
    const names = variables.map(({ name }) => name);
    const pointer = `/runs/variants/${at}/command/variables`;
    const twice = names.find((name, n) => names.indexOf(name) !== n);
    if (twice !== undefined) throw invalid(pointer, `the variable ${twice} is given twice`);
    const reserved = names.find((name) => name.startsWith('WRIT_'));
    if (reserved !== undefined)
      throw invalid(pointer, `${reserved}: names that begin with WRIT_ are the agent's`);
  }
  const bytes = new TextEncoder().encode(JSON.stringify(order)).length;
  if (bytes > BOUNDS.orderBytes) {
    throw invalid(
      '',
      `the order is ${bytes} bytes long, at most ${BOUNDS.orderBytes} are taken: send long values as an input file`,
    );
  }
}

const invalid = (pointer: string, detail: string): ClientError =>
  new ClientError('order.invalid', `This order cannot be written: ${detail}.`, {
    errors: [{ pointer, detail }],
  });
