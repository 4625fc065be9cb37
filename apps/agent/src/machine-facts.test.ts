import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Admitted } from '@writ/trust';
import type { ProfileMeasured } from './isolate/isolation.ts';
import { machineFacts, offersOf } from './machine-facts.ts';
import type { MachineMeasured } from './measure/read-machine.ts';

const measured = (
  profile: ProfileMeasured['profile'],
  network: ProfileMeasured['network'],
  isMeasured = true,
) => ({ profile, network, measured: isMeasured }) as ProfileMeasured;
const machine = { os: 'linux', arch: 'x64', host: 'lab', cores: 4, memoryBytes: 8 } as MachineMeasured;
const admitted = { name: 'lab-1' } as Admitted;

it('a machine offers what holds on it and what its owner wants, the strictest first', () => {
  const all = [measured('bare', 'asked'), measured('user', 'asked', false), measured('strict', 'asked')];
  const offers = offersOf(all, { profiles: ['bare', 'user', 'strict'] });
  const { profiles } = machineFacts({ machine, machineFile: { network: 'asked' }, admitted, offers });
  assert.deepEqual(
    profiles.map(({ profile }) => profile),
    ['strict', 'bare'],
  );
  assert.deepEqual(offersOf(all, { profiles: ['user'] }), []);
});

it('a profile has a network where it was measured with one and the owner gives one', () => {
  const networkOf = (offered: ProfileMeasured['network'], network: 'asked' | 'never') =>
    machineFacts({ machine, machineFile: { network }, admitted, offers: [measured('strict', offered)] })
      .profiles[0]?.network;
  assert.equal(networkOf('asked', 'asked'), true);
  assert.equal(networkOf('never', 'asked'), false);
  assert.equal(networkOf('asked', 'never'), false);
});
