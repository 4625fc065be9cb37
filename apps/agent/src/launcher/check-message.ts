import { LauncherError } from './launcher-error.ts';
import { runsPerSlot } from './messages.ts';
import type { RunLimits, RunMessage, ToLauncher } from './messages.ts';
import type { OwnerFile } from './owner-file.ts';

/** What the agent sent, or an error that names the field. The agent may be taken over: nothing here is believed. */
export function checkMessage(line: string, owner: OwnerFile): ToLauncher {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw refuse('the line', 'is not JSON');
  }
  const message = record(value, 'the line');
  switch (message['do']) {
    case 'run':
      return checkRun(message, owner);
    case 'cancel':
      fields(message, ['do', 'id', 'how'], 'cancel');
      return {
        do: 'cancel',
        id: whole(message['id'], 'id', 0, Number.MAX_SAFE_INTEGER),
        how: oneOf(message['how'], 'how', ['terminate', 'kill']),
      };
    case 'close':
      fields(message, ['do'], 'close');
      return { do: 'close' };
    default:
      throw refuse('do', 'is not run, cancel or close');
  }
}

const runFields = [
  'do',
  'id',
  'slot',
  'set',
  'profile',
  'argv',
  'env',
  'inputs',
  'limits',
  'network',
  'outputs',
];

function checkRun(run: Record<string, unknown>, owner: OwnerFile): RunMessage {
  fields(run, runFields, 'run');
  const profile = oneOf(run['profile'], 'profile', ['strict', 'user', 'bare']);
  if (!owner.profiles.includes(profile))
    throw refuse('profile', `${profile} is not allowed by the machine's owner`);
  const network = run['network'];
  if (typeof network !== 'boolean') throw refuse('network', 'is not true or false');
  if (network && owner.network === 'never') throw refuse('network', "is not allowed by the machine's owner");
  return {
    do: 'run',
    id: whole(run['id'], 'id', 0, Number.MAX_SAFE_INTEGER),
    slot: whole(run['slot'], 'slot', 0, owner.slots - 1),
    set: whole(run['set'], 'set', 0, runsPerSlot - 1),
    profile,
    argv: checkArgv(run['argv']),
    env: checkEnv(run['env']),
    inputs: checkInputs(run['inputs']),
    limits: checkLimits(run['limits'], owner),
    network,
    outputs: checkOutputs(run['outputs'], owner),
  };
}

function checkArgv(value: unknown): readonly string[] {
  const argv = list(value, 'argv', 1, 4096).map((each, n) => text(each, `argv[${n}]`, 131_072));
  if (argv[0] === '') throw refuse('argv[0]', 'is empty');
  return argv;
}

function checkEnv(value: unknown): RunMessage['env'] {
  const names = new Set<string>();
  return list(value, 'env', 0, 1024).map((each, n) => {
    const [name, content] = list(each, `env[${n}]`, 2, 2);
    if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(name))
      throw refuse(`env[${n}]`, 'has a name that is none');
    if (names.has(name)) throw refuse(`env[${n}]`, `sets ${name} twice`);
    names.add(name);
    return [name, text(content, `env[${n}]`, 131_072)] as const;
  });
}

function checkInputs(value: unknown): RunMessage['inputs'] {
  const paths = new Set<string>();
  const inputs = list(value, 'inputs', 0, 4096).map((each, n) => {
    const [path, digestHex, executable] = list(each, `inputs[${n}]`, 3, 3);
    const checked = jobPath(path, `inputs[${n}]`);
    if (paths.has(checked)) throw refuse(`inputs[${n}]`, 'names a path twice');
    paths.add(checked);
    if (typeof digestHex !== 'string' || !/^[0-9a-f]{64}$/.test(digestHex))
      throw refuse(`inputs[${n}]`, 'has no SHA-256 in lower-case hex');
    if (typeof executable !== 'boolean')
      throw refuse(`inputs[${n}]`, 'does not say whether it is executable');
    return [checked, digestHex, executable] as const;
  });
  for (const path of paths)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      if (paths.has(path.slice(0, end))) throw refuse('inputs', `${path} lies below another input`);
  return inputs;
}

/** A path below the job's folder: no `..`, no empty part, not absolute. */
function jobPath(value: unknown, field: string): string {
  const path = text(value, field, 4096);
  const parts = path.split('/');
  if (parts.length > 64) throw refuse(field, 'is deeper than 64 folders');
  for (const part of parts)
    if (part === '' || part === '.' || part === '..' || Buffer.byteLength(part) > 255)
      throw refuse(field, 'is not a plain path below the job folder');
  return path;
}

function checkLimits(value: unknown, owner: OwnerFile): RunLimits {
  const limits = record(value, 'limits');
  const names = [
    'wallMs',
    'memoryBytes',
    'pids',
    'cpuMs',
    'cpuPercent',
    'diskBytes',
    'nofile',
    'logBytes',
    'logBytesPerSecond',
    'graceMs',
  ];
  fields(limits, names, 'limits');
  const { most } = owner;
  const limit = (name: string, least: number, greatest: number): number =>
    whole(limits[name], `limits.${name}`, least, greatest);
  return {
    wallMs: limit('wallMs', 1, most.wallMs),
    memoryBytes: limit('memoryBytes', 4_194_304, most.memoryBytes),
    pids: limit('pids', 1, most.pids),
    cpuMs: limits['cpuMs'] === null ? null : limit('cpuMs', 1, Number.MAX_SAFE_INTEGER),
    cpuPercent: limits['cpuPercent'] === null ? null : limit('cpuPercent', 1, 100_000),
    diskBytes: limit('diskBytes', 65_536, most.diskBytes),
    nofile: limit('nofile', 32, most.nofile),
    logBytes: limit('logBytes', 1, most.logBytes),
    logBytesPerSecond: limit('logBytesPerSecond', 1, Number.MAX_SAFE_INTEGER),
    graceMs: limit('graceMs', 0, 600_000),
  };
}

function checkOutputs(value: unknown, owner: OwnerFile): RunMessage['outputs'] {
  if (value === null) return null;
  const outputs = record(value, 'outputs');
  fields(outputs, ['patterns', 'maxBytes'], 'outputs');
  return {
    patterns: list(outputs['patterns'], 'outputs.patterns', 1, 256).map((each, n) =>
      jobPath(each, `outputs.patterns[${n}]`),
    ),
    maxBytes: whole(outputs['maxBytes'], 'outputs.maxBytes', 1, owner.most.outputsBytes),
  };
}

function record(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refuse(field, 'is not an object');
  return value as Record<string, unknown>;
}

function fields(value: Record<string, unknown>, names: readonly string[], field: string): void {
  for (const name of Object.keys(value))
    if (!names.includes(name)) throw refuse(field, `has the unknown field ${JSON.stringify(name)}`);
  for (const name of names) if (!Object.hasOwn(value, name)) throw refuse(field, `lacks ${name}`);
}

function list(value: unknown, field: string, least: number, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length < least || value.length > most)
    throw refuse(field, `is not a list of ${least} to ${most}`);
  return value;
}

function text(value: unknown, field: string, mostBytes: number): string {
  if (typeof value !== 'string') throw refuse(field, 'is not text');
  if (value.includes('\0') || !value.isWellFormed()) throw refuse(field, 'holds a NUL or half a character');
  if (value.length > mostBytes || Buffer.byteLength(value) > mostBytes)
    throw refuse(field, `is longer than ${mostBytes} bytes`);
  return value;
}

function whole(value: unknown, field: string, least: number, most: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw refuse(field, 'is not a whole number');
  if (value < least || value > most) throw refuse(field, `is not within ${least} … ${most}`);
  return value;
}

function oneOf<const Name extends string>(value: unknown, field: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === value);
  if (found === undefined) throw refuse(field, `is not one of ${names.join(', ')}`);
  return found;
}

function refuse(field: string, why: string): LauncherError {
  return new LauncherError('launcher.message', `${field} ${why}`);
}
