import { type Static, Type } from '../type.ts';
import {
  ClusterId,
  Digest,
  Ed25519Key,
  Id,
  Instant,
  LabelName,
  LabelValue,
  Name,
  Text,
  PersonKey,
} from '../names.ts';
import { check, oneOf, orNull, shape, whole } from '../shape.ts';
import { BOUNDS } from '../defaults.ts';
import { Counters } from './counter.ts';
import { Profile, SetRef } from './signer-set.ts';
import { Signatory } from './admission.ts';

/** A path below the job's folder: relative, no empty, `.` or `..` part, no NUL; at most 4096 characters. `[^]`, because `.` stops at a newline. */
export const JobPath = Type.String({
  minLength: 1,
  maxLength: 4096,
  pattern: '^(?!/)(?![^]*//)(?!(?:[^]*/)?\\.{1,2}(?:/|$))[^\\u0000]*[^/\\u0000]$',
});
const Argument = Type.String({ maxLength: 131_071, pattern: '^[^\\u0000]*$' });

export const InputFile = shape({
  path: JobPath,
  mode: oneOf('file', 'executable'),
  digest: Digest,
  size: whole(),
});
export type InputFile = Static<typeof InputFile>;
/** More than `BOUNDS` files travel as a manifest: a file that holds the list, named by its digest. */
export const Inputs = Type.Union([
  shape({ is: Type.Literal('list'), files: Type.Array(InputFile, { maxItems: BOUNDS.inlineInputs }) }),
  shape({
    is: Type.Literal('manifest'),
    digest: Digest,
    size: whole(),
    files: whole(1, 1_000_000),
    bytes: whole(),
  }),
]);
/** The files of a job, by path, digest and size: a list, or a file that holds the list. */
export type Inputs = Static<typeof Inputs>;
/** Why a job cannot have them, or nothing. What a manifest lists is not known before it is read. */
export function faultOfInputs(inputs: Inputs): string | undefined {
  if (inputs.is === 'list') return undefined;
  if (inputs.files > BOUNDS.inputFiles)
    return `a job has ${BOUNDS.inputFiles} input files at most, this one ${inputs.files}: pack them into an archive`;
  if (inputs.size > BOUNDS.inputListBytes)
    return `the list of input files has ${BOUNDS.inputListBytes} bytes at most, this one ${inputs.size}: pack them into an archive`;
  return undefined;
}
export const InputManifest = Type.Array(InputFile, { maxItems: 1_000_000 });
export const inputManifestCheck = check(InputManifest);

export const SecretUse = shape({
  name: Name,
  minVersion: whole(1),
  setters: Type.Array(Id, { minItems: 1, maxItems: 64 }),
});

const Platform = shape({
  os: orNull(oneOf('linux', 'darwin', 'win32')),
  arch: orNull(oneOf('x64', 'arm64')),
});

export const Command = shape({
  argv: Type.Array(Argument, { minItems: 1, maxItems: 10_000 }),
  variables: Type.Array(
    shape({ name: Type.String({ maxLength: 256, pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), value: Argument }),
    { maxItems: 1000 },
  ),
  inputs: Inputs,
  secrets: Type.Array(SecretUse, { maxItems: 64 }),
});
export type Command = Static<typeof Command>;

/** The agent takes the first variant that its measured facts match; nothing else chooses. */
export const Variant = shape({ platform: Platform, command: Command });
/** One of an order's commands, and the systems that it is for. */
export type Variant = Static<typeof Variant>;

export const Parameter = shape({ name: Name, value: Type.Union([Argument, whole(), Type.Boolean()]) });

export const Limits = shape({
  timeSeconds: whole(1, 31 * 86_400),
  cpuSeconds: orNull(whole(1)),
  cpus: orNull(whole(1, 1024)),
  memoryBytes: whole(1024 * 1024),
  pids: whole(1, 1_000_000),
  diskBytes: whole(),
  outputBytes: whole(),
  logBytes: whole(),
  /** Bytes a second, kept up for 5 s. */
  logRate: orNull(whole(1)),
  cancelGraceSeconds: whole(0, 3600),
  /** Taken from what the machine has for as long as an attempt runs. */
  counters: Counters,
});
export type Limits = Static<typeof Limits>;

export const MachineClause = shape({
  /** Facts that the agent measured about itself. */
  facts: Type.Array(shape({ fact: oneOf('os', 'arch', 'host'), is: Text(253) }), { maxItems: 16 }),
  /** `value` null: any. */
  labels: Type.Array(shape({ name: LabelName, value: orNull(LabelValue) }), { maxItems: 64 }),
  /** Empty: any agent. */
  agents: Type.Array(Ed25519Key, { maxItems: 1000 }),
  excluded: Type.Array(Ed25519Key, { maxItems: 1000 }),
  /** Ways of admission that do not count for this order. */
  notAdmitted: Type.Array(oneOf('invite', 'by_hand', 'by_network'), { maxItems: 3 }),
});
export type MachineClause = Static<typeof MachineClause>;

export const ArrayClause = Type.Union([
  shape({ is: Type.Literal('one') }),
  shape({ is: Type.Literal('range'), from: whole(), to: whole() }),
  shape({ is: Type.Literal('values'), values: Type.Array(Argument, { minItems: 1, maxItems: 100_000 }) }),
  /** One task per due instant: index = that instant in seconds, `window` seconds late at most. */
  shape({
    is: Type.Literal('schedule'),
    rule: Text(200),
    zone: Text(64),
    until: Instant,
    windowSeconds: whole(1),
  }),
]);
export type ArrayClause = Static<typeof ArrayClause>;

export const Children = shape({
  definitions: Type.Array(Digest, { minItems: 1, maxItems: 64 }),
  count: whole(1, 1_000_000),
  until: Instant,
});

/** The signed form of a job: everything that decides what runs, where and how often. */
export const Order = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  /** Made by the submitter; also the idempotency key. */
  job: Id,
  person: Id,
  key: PersonKey,
  cosigners: Type.Array(Signatory, { maxItems: 8 }),
  set: SetRef,
  queue: Name,
  project: Name,
  runs: Type.Union([
    shape({ is: Type.Literal('command'), variants: Type.Array(Variant, { minItems: 1, maxItems: 16 }) }),
    shape({
      is: Type.Literal('definition'),
      digest: Digest,
      parameters: Type.Array(Parameter, { maxItems: 256 }),
    }),
  ]),
  outputs: shape({ patterns: Type.Array(JobPath, { maxItems: 64 }), required: Type.Boolean() }),
  limits: Limits,
  /** A floor: no agent runs it less isolated. */
  profile: Profile,
  network: Type.Boolean(),
  runAs: orNull(Name),
  machine: MachineClause,
  array: ArrayClause,
  maxAttempts: whole(1, 100),
  retryOnFailure: Type.Boolean(),
  children: orNull(Children),
  issued: Instant,
  notBefore: orNull(Instant),
  notAfter: Instant,
});
/** What a person orders to be run: it holds everything that decides what will happen. */
export type Order = Static<typeof Order>;
export const orderCheck = check(Order);

/** The submitter's word that an order, or some of its tasks, may not start any more. */
export const Withdrawal = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  order: Digest,
  indexes: orNull(Type.Array(whole(), { minItems: 1, maxItems: 10_000 })),
  by: Signatory,
  time: Instant,
});
export type Withdrawal = Static<typeof Withdrawal>;
export const withdrawalCheck = check(Withdrawal);

/** How many tasks an order has; indexes are `firstIndex … firstIndex + taskCount − 1`. A schedule has no fixed number. */
export function taskCount(array: ArrayClause): number {
  switch (array.is) {
    case 'one':
      return 1;
    case 'range':
      return Math.max(0, array.to - array.from + 1);
    case 'values':
      return array.values.length;
    case 'schedule':
      return 0;
  }
}

export function firstIndex(array: ArrayClause): number {
  return array.is === 'range' ? array.from : 0;
}

export function isIndexOf(array: ArrayClause, index: number): boolean {
  const first = firstIndex(array);
  return Number.isSafeInteger(index) && index >= first && index < first + taskCount(array);
}
