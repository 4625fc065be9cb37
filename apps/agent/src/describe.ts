import type { Counter, Envelope, Label } from '@writ/contract';
import { makeDescription } from '@writ/trust';
import type { Signer } from '@writ/trust';
import manifest from '../package.json' with { type: 'json' };
import type { ProfileMeasured } from './isolate/isolation.ts';
import type { MachineMeasured } from './measure/read-machine.ts';

export const WRIT = manifest.version;

export interface Described {
  readonly cluster: string;
  readonly identity: Signer;
  readonly now: number;
  readonly node: string;
  readonly machine: MachineMeasured;
  readonly slots: number;
  readonly counters: readonly Counter[];
  readonly megaflops: number;
  readonly offers: readonly ProfileMeasured[];
  readonly labels: readonly Label[];
}

/** What this agent measured about itself, signed. A server uses it to choose; an order is compared with the measures themselves. */
export function describe(given: Described): Envelope {
  const { machine } = given;
  return makeDescription(
    {
      format: 1,
      cluster: given.cluster,
      identity: given.identity.key,
      time: given.now,
      writ: WRIT,
      node: given.node,
      os: machine.os,
      arch: machine.arch,
      host: machine.host,
      cores: machine.cores,
      memoryBytes: machine.memoryBytes,
      slots: given.slots,
      counters: [...given.counters],
      megaflops: given.megaflops,
      profiles: given.offers.map(({ profile, memory, network, walls }) => ({
        profile,
        memory,
        network: network === 'asked',
        probes: walls
          .slice(0, 200)
          .map(({ name, is }) => ({ name: name.normalize('NFC').slice(0, 100), is })),
      })),
      labels: [...given.labels],
      policy: 'everyone in the signer set',
    },
    given.identity,
  ).envelope;
}
