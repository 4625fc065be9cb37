import type { Machine } from './measure-machine.ts';
import type { Offer, Wall } from './messages.ts';
import type { OwnerFile } from './owner-file.ts';

/**
 * What jobs are given here, in each profile that the owner allows and this machine can make.
 *
 * @param probe what a job that tries to get out finds of each wall of its sandbox; nothing when it could not run.
 */
export async function measureOffers(
  owner: OwnerFile,
  machine: Machine,
  hasCgroups: boolean,
  probe: (profile: 'strict' | 'user') => Promise<readonly Wall[]>,
): Promise<Offer[]> {
  const offers: Offer[] = [];
  const held = hasCgroups ? 'cgroup' : 'sampled';
  for (const profile of owner.profiles) {
    if (profile !== 'bare' && machine.bwrap === null) continue;
    if (profile === 'strict' && !(machine.hasOwnMounts && hasCgroups)) continue;
    const walls = profile === 'bare' ? [] : await probe(profile);
    const down = walls.flatMap((wall) => (wall.is === 'open' ? [wall.name] : []));
    offers.push({
      profile,
      measured: profile === 'bare' || (walls.length > 0 && down.length === 0),
      walls,
      down,
      memory: held,
      pids: hasCgroups ? 'cgroup' : profile === 'bare' ? 'none' : 'rlimit',
      cpu: held,
      disk: machine.hasOwnMounts ? 'mount' : profile === 'bare' ? 'none' : 'sampled',
      accountPerSlot: machine.isRoot,
      network: owner.network,
    });
  }
  return offers;
}
