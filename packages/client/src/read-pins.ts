import { check, ClusterId, Envelope, Type } from '@writ/contract';
import { type HeldSets, TrustError, walkSets } from '@writ/trust';
import { ClientError } from './client-error.ts';

const exportedCheck = check(Type.Object({ cluster: ClusterId, sets: Type.Array(Envelope, { minItems: 1 }) }));

/**
 * Reads the pins that `writ context export` prints: the chain of a cluster's signer sets, each version checked. Take
 * them from somebody you trust, never from the server that they are to judge.
 *
 * @param exported the JSON document, parsed.
 * @param cluster the cluster id where it is known from elsewhere: the chain must begin it.
 * @throws {@link ClientError} `set.unverified`
 *
 * @example
 * ```ts
 * const sets = readPins(JSON.parse(text));
 * ```
 */
export function readPins(exported: unknown, cluster?: string): HeldSets {
  if (!exportedCheck.is(exported))
    throw new ClientError('set.unverified', 'These are no signer sets as “writ context export” prints them.');
  try {
    return walkSets(exported.sets, cluster ?? exported.cluster);
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new ClientError(
      'set.unverified',
      `These signer sets are refused (${error.code}): ${error.message}.`,
      {
        cause: error,
      },
    );
  }
}
