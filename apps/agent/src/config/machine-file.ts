import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import { check, Counters } from '@writ/contract';
import type { Counter, Label, Profile } from '@writ/contract';
import { AgentError } from '../agent-error.ts';
import { readIfThere } from '../read-if-there.ts';
import { writePrivateFile } from '@writ/trust/node';

/** What the owner of this machine decided: `machine.json` in the agent's folder. No server can change it. */
export interface MachineFile {
  readonly format: 1;
  readonly name: string;
  readonly cluster: string;
  /** `host:port` of the servers that the owner or the invite named: the agent connects to no others. */
  readonly servers: readonly string[];
  /** Where a server may dial this agent; null: nowhere. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  readonly slots: number;
  /** Profiles that the owner offers, if they are measured. */
  readonly profiles: readonly Profile[];
  readonly network: 'asked' | 'never';
  /** For people to see; an order is compared with the labels of the admission only. */
  readonly labels: readonly Label[];
  /** Whose orders run: everyone in the signer set. */
  readonly policy: 'everyone';
  readonly cacheBytes: number;
  /** What jobs share: an order takes some of it for as long as it runs. */
  readonly counters?: readonly Counter[];
  /** Digest of the machine id at the time of the join: a copy of this folder elsewhere does not start. */
  readonly machineId: string | null;
}

export const machineFileOf = (folder: string): string => join(folder, 'machine.json');

const GIB = 1024 ** 3;

export function defaultMachine(
  given: Pick<MachineFile, 'name' | 'cluster' | 'servers' | 'machineId'> & Partial<MachineFile>,
): MachineFile {
  return {
    format: 1,
    listen: null,
    slots: Math.min(62, availableParallelism()),
    profiles: ['strict', 'user'],
    network: 'asked',
    labels: [],
    policy: 'everyone',
    cacheBytes: 10 * GIB,
    ...given,
  };
}

export async function writeMachineFile(folder: string, file: MachineFile): Promise<void> {
  await writePrivateFile(machineFileOf(folder), `${JSON.stringify(file, null, 2)}\n`);
}

export async function readMachineFile(folder: string): Promise<MachineFile> {
  const path = machineFileOf(folder);
  const text = await readIfThere(path);
  if (text === undefined)
    throw new AgentError(
      'agent.state_missing',
      `${path} is not there: this machine has joined no cluster. Join one with “writ join”.`,
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AgentError('config.bad', `${path} is not JSON. Correct it as its owner.`, { cause });
  }
  const faults = faultsOf(value);
  if (faults.length > 0)
    throw new AgentError('config.bad', `${path} is refused: ${faults.join('; ')}. Correct it as its owner.`);
  return value as MachineFile;
}

/** All faults at once. */
function faultsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return ['it is not a JSON object'];
  const file = value as Record<string, unknown>;
  const isText = (one: unknown): one is string => typeof one === 'string';
  const rules: Record<keyof MachineFile, (field: unknown) => boolean> = {
    format: (field) => field === 1,
    name: (field) => isText(field) && /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(field),
    cluster: (field) => isText(field) && /^[a-z2-7]{52}$/.test(field),
    servers: (field) => Array.isArray(field) && field.every((one) => isText(one) && isAddress(one)),
    listen: (field) => field === null || isListen(field),
    slots: (field) => isWhole(field, 1, 62),
    profiles: (field) =>
      Array.isArray(field) && field.every((one) => one === 'strict' || one === 'user' || one === 'bare'),
    network: (field) => field === 'asked' || field === 'never',
    labels: (field) => Array.isArray(field) && field.every(isLabel),
    policy: (field) => field === 'everyone',
    counters: (field) => field === undefined || isCounters(field),
    cacheBytes: (field) => isWhole(field, 0, Number.MAX_SAFE_INTEGER),
    machineId: (field) => field === null || (isText(field) && field.startsWith('sha256:')),
  };
  const known = Object.entries(rules)
    .filter(([name, rule]) => !rule(file[name]))
    .map(([name]) => `“${name}” is missing or wrong`);
  const unknown = Object.keys(file)
    .filter((name) => !(name in rules))
    .map((name) => `“${name}” is not a field of it`);
  return [...known, ...unknown];
}

const countersCheck = check(Counters);
const isCounters = (value: unknown): boolean =>
  countersCheck.is(value) && new Set(value.map(({ name }) => name)).size === value.length;

const isWhole = (value: unknown, least: number, most: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;

function isListen(value: unknown): boolean {
  const listen = value as { host?: unknown; port?: unknown } | undefined;
  return typeof listen?.host === 'string' && isWhole(listen.port, 0, 65_535);
}

function isLabel(value: unknown): boolean {
  const label = value as { name?: unknown; value?: unknown } | null;
  return typeof label?.name === 'string' && typeof label.value === 'string';
}

const isAddress = (text: string): boolean => /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(text);

/** Splits `host:port` or `[v6]:port`. */
export function addressOf(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}
