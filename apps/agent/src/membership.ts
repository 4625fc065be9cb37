import { judgeAdmission } from '@writ/trust';
import type { Admitted, HeldSets, Signer } from '@writ/trust';
import { AgentError } from './agent-error.ts';
import { readMachineFile } from './config/machine-file.ts';
import type { MachineFile } from './config/machine-file.ts';
import { placesOf, readAdmission, readIdentity } from './state-folder.ts';

/** Who this agent is: what its owner decided, its identity key, and the admission that makes it a member. */
export interface Membership {
  readonly machineFile: MachineFile;
  readonly identity: Signer;
  /** What its admission says under these sets; throws where it does not count, or no longer. */
  judge(sets: HeldSets): Admitted;
}

/** @param machineId of the machine that it runs on: a folder is of use on one only. */
export async function readMembership(folder: string, machineId: string | null): Promise<Membership> {
  const places = placesOf(folder);
  const machineFile = await readMachineFile(folder);
  if (machineFile.machineId !== machineId)
    throw new AgentError(
      'agent.moved',
      `${folder} was made on another machine: a copy does not start. Remove the folder and join this machine by itself: writ join.`,
    );
  const identity = await readIdentity(folder);
  if (!identity)
    throw new AgentError(
      'agent.state_missing',
      `${places.identity} is not there. Join a cluster first: writ join.`,
    );
  const paper = await readAdmission(folder);

  return {
    machineFile,
    identity,
    judge(sets) {
      const admitted = judgeAdmission(paper.admission, paper.invite, sets);
      if (admitted.identity !== identity.key)
        throw new AgentError(
          'agent.state_damaged',
          `${places.admission} admits another identity key than the one in ${places.identity}. Join again.`,
        );
      return admitted;
    },
  };
}
