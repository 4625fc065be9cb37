import type { TrustView } from '@writ/contract';
import { verifyAdmissions } from '@writ/client';
import type { HeldSets } from '@writ/trust';
import { CliError } from '../cli-error.ts';

export interface KeepWish {
  readonly named: readonly string[];
  readonly isAll: boolean;
}

export interface KeptAgents {
  /** What these keys signed that goes on counting. */
  readonly kept: string[];
  /** Names of the agents that are out otherwise. */
  readonly lost: readonly string[];
}

/**
 * Whom a compromised key let in is out with it, because a thief would let in his own machines: except those that somebody
 * names who knows them.
 */
export function keepAgents(
  sets: HeldSets,
  trust: TrustView,
  keys: ReadonlySet<string>,
  { named, isAll }: KeepWish,
): KeptAgents {
  const verified = [...verifyAdmissions(sets, trust.admissions).values()];
  const admittedBy = verified.map(({ admitted }) => admitted).filter(({ admitter }) => keys.has(admitter));
  const unknown = named.find((name) => !admittedBy.some((agent) => agent.name === name));
  if (unknown !== undefined)
    throw new CliError(
      'selector.none',
      `No agent ${unknown} was let in by this key.`,
      `There are: ${[...new Set(admittedBy.map(({ name }) => name))].join(', ') || 'none'}.`,
    );
  const isKept = (name: string): boolean => isAll || named.includes(name);
  return {
    kept: admittedBy.filter(({ name }) => isKept(name)).map(({ invite, digest }) => invite ?? digest),
    lost: [...new Set(admittedBy.filter(({ name }) => !isKept(name)).map(({ name }) => name))],
  };
}

export const sayLost = (names: readonly string[]): string =>
  names.length === 0
    ? ''
    : ` So are the agents that they let in: ${names.join(', ')}. Keep those that you know to be yours: --keep-agent NAME, or --keep-agents for all.`;
