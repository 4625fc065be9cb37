import { hostname, networkInterfaces } from 'node:os';

/** What this machine calls itself, and where it is reached. */
export interface MachineNames {
  readonly host: string;
  /** Addresses that other machines may reach, then link-local ones; loopback is left out. */
  readonly addresses: readonly string[];
}

export function readMachine(): MachineNames {
  const addresses = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter((address) => !address.internal)
    .map((address) => address.address);
  return { host: hostname(), addresses };
}
