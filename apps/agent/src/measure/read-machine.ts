import { readFileSync } from 'node:fs';
import { arch, availableParallelism, hostname, platform, totalmem } from 'node:os';
import type { Admission } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';

/** What this machine is, as its own system says. */
export interface MachineMeasured {
  readonly os: string;
  readonly arch: string;
  readonly host: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Digest of the machine's id, so that the id itself is not told. */
  readonly machineId: string | null;
  /** Names this boot; null where it cannot be known. */
  readonly bootId: string | null;
}

export function readMachine(): MachineMeasured {
  const id = readFirst('/etc/machine-id', '/var/lib/dbus/machine-id');
  return {
    os: platform(),
    arch: arch(),
    host: hostname().slice(0, 253),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    machineId: id === null ? null : digestOf(`writ machine ${id}`),
    bootId: readFirst('/proc/sys/kernel/random/boot_id'),
  };
}

export const asAdmitted = ({
  host,
  os,
  arch: processor,
  machineId,
}: MachineMeasured): Admission['machine'] => ({
  host,
  os,
  arch: processor,
  machineId,
});

function readFirst(...paths: string[]): string | null {
  for (const path of paths) {
    try {
      const text = readFileSync(path, 'utf8').trim();
      if (text !== '') return text;
    } catch {
      // Not on this system.
    }
  }
  return null;
}
