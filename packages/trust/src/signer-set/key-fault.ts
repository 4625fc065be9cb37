import type { Person, SignerKey } from '@writ/contract';

export type KeyFault = 'key_compromised' | 'key_retired' | 'key_expired' | 'form_wrong' | 'custody';

/**
 * Why a signature that says it was made `at` does not count, whatever was signed. Only orders may be signed by a key
 * that a server or its pages can use.
 */
export function keyFault(
  { person, entry }: { readonly person: Person; readonly entry: SignerKey },
  signed: { readonly at: number; readonly digest: string; readonly isOrder?: boolean },
): { readonly is: KeyFault; readonly why: string } | undefined {
  const { ended, until } = entry;
  if (ended?.is === 'compromised' && (signed.isOrder === true || !ended.kept.includes(signed.digest)))
    return { is: 'key_compromised', why: 'is compromised' };
  if (ended?.is === 'retired' && signed.at > ended.since)
    return { is: 'key_retired', why: 'was retired before this was signed' };
  if (until !== null && signed.at > until)
    return { is: 'key_expired', why: 'had expired when this was signed' };
  if (entry.form !== 'dsse') return { is: 'form_wrong', why: `signs in the form ${entry.form}` };
  if (person.grants.touch && !entry.key.startsWith('sk-'))
    return { is: 'form_wrong', why: 'cannot be touched, and whatever this person signs counts only so' };
  if (entry.custody !== 'own' && signed.isOrder !== true)
    return { is: 'custody', why: 'can be used by a server, so it signs nothing but orders' };
  return undefined;
}
