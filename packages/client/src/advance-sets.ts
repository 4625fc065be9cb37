import { type Envelope, type TrustView } from '@writ/contract';
import { type Admitted, type HeldSets, findRemoval, judgeAdmission, meetSet, TrustError } from '@writ/trust';
import { ClientError } from './client-error.ts';

/**
 * Walks from the pinned sets to the newest version shown, each step judged. What is shown may be shorter than what is
 * held (a server that withholds). Where it is another line, rightly signed, both are held from then on: `rivals` of the
 * answer names the other one, and nothing counts that either has removed.
 *
 * @throws ClientError `set.unverified`
 */
export function advanceSets(held: HeldSets, shown: readonly Envelope[]): HeldSets {
  try {
    return shown.reduce((sets, envelope) => meetSet(sets, envelope).sets, held);
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new ClientError(
      'set.unverified',
      `The signer sets that the server shows are refused (${error.code}): ${error.message}.`,
      { cause: error },
    );
  }
}

/** A word that a machine is an agent, as a server shows it. */
export interface ShownAdmission {
  /** The signed admission. */
  readonly admission: Envelope;
  /** The signed invite on which it rests, if it rests on one. */
  readonly invite: Envelope | null;
}

/** The same, judged. */
export interface VerifiedAdmission extends ShownAdmission {
  /** What it says about the agent. */
  readonly admitted: Admitted;
}

/** The admissions that are the word of a signer with the grant `admit`, by their digests. The others are left out. */
export function verifyAdmissions(
  sets: HeldSets,
  shown: readonly ShownAdmission[],
): Map<string, VerifiedAdmission> {
  const verified = new Map<string, VerifiedAdmission>();
  for (const { admission, invite } of shown) {
    try {
      const admitted = judgeAdmission(admission, invite, sets);
      verified.set(admitted.digest, { admission, invite, admitted });
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
    }
  }
  return verified;
}

/**
 * Finds an agent by its name among verified admissions.
 *
 * @returns the admission of that name that nothing supersedes and no signer set removed.
 * @throws {@link ClientError} `agent.unknown`
 */
export function findAgent(sets: HeldSets, trust: TrustView, name: string): Admitted {
  const admissions = [...verifyAdmissions(sets, trust.admissions).values()].map(({ admitted }) => admitted);
  const named = admissions.filter((agent) => agent.name === name);
  // Under another name an admission takes nobody's place, whatever a server made a joining machine write.
  const superseded = new Set(named.map(({ supersedes }) => supersedes));
  const [found, ...others] = named.filter(
    (agent) => !superseded.has(agent.digest) && findRemoval(sets, agent.identity) === undefined,
  );
  if (found === undefined) {
    const names = [...new Set(admissions.map((agent) => agent.name))].join(', ');
    throw new ClientError(
      'agent.unknown',
      `No agent that a signer admitted is called ${name}. Admitted: ${names || 'none'}.`,
    );
  }
  if (others.some(({ identity }) => identity !== found.identity)) {
    throw new ClientError(
      'agent.unknown',
      `Two machines were admitted as ${name}, and nobody said which one replaces the other.`,
    );
  }
  return found;
}
