import type { Admitted, MachineFacts } from '@writ/trust';
import type { MachineFile } from './config/machine-file.ts';
import type { Profile, ProfileMeasured } from './isolate/isolation.ts';
import type { MachineMeasured } from './measure/read-machine.ts';

const STRICTEST_FIRST: readonly Profile[] = ['strict', 'user', 'bare'];

/** The profiles that hold on this machine and that its owner wants to offer. */
export const offersOf = (
  measured: readonly ProfileMeasured[],
  { profiles }: Pick<MachineFile, 'profiles'>,
): readonly ProfileMeasured[] =>
  measured.filter((offer) => offer.measured && profiles.includes(offer.profile));

/** What this machine is; orders are compared with this and nothing else. */
export function machineFacts(given: {
  readonly machine: MachineMeasured;
  readonly machineFile: Pick<MachineFile, 'counters' | 'network'>;
  readonly admitted: Admitted;
  readonly offers: readonly ProfileMeasured[];
}): MachineFacts {
  const { machine, machineFile, admitted, offers } = given;
  return {
    os: machine.os,
    arch: machine.arch,
    host: machine.host,
    cores: machine.cores,
    memoryBytes: machine.memoryBytes,
    counters: machineFile.counters ?? [],
    admitted,
    profiles: offers
      .toSorted((a, b) => STRICTEST_FIRST.indexOf(a.profile) - STRICTEST_FIRST.indexOf(b.profile))
      .map(({ profile, network }) => ({
        profile,
        network: network === 'asked' && machineFile.network === 'asked',
      })),
  };
}
