import { check, decodeBase64Url, Ed25519Key, Id, Type } from '@writ/contract';
import { type Signer, signerFromSeed } from '@writ/trust';
import { ClientError } from './client-error.ts';

const keyCheck = check(
  Type.Object(
    {
      format: Type.Literal(1),
      person: Id,
      name: Type.String(),
      key: Ed25519Key,
      seed: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
    },
    { additionalProperties: false },
  ),
);

/** A person's signing key. */
export interface PersonKey {
  /** Id of the person. */
  readonly person: string;
  /** `ana@ana-pc`. */
  readonly name: string;
  /** Signs. The key's bytes are not shown. */
  readonly signer: Signer;
}

/**
 * Opens a person's key as `writ` keeps it, in `keys` of the person's folder.
 *
 * @param file the JSON document, parsed.
 * @throws {@link ClientError} `key.malformed`
 *
 * @example
 * ```ts
 * const { person, signer } = openKey(JSON.parse(text));
 * ```
 */
export function openKey(file: unknown): PersonKey {
  if (!keyCheck.is(file))
    throw new ClientError('key.malformed', 'This is no signing key as this program writes them.');
  const signer = signerFromSeed(decodeBase64Url(file.seed) ?? new Uint8Array());
  if (signer.key !== file.key)
    throw new ClientError('key.malformed', 'The parts of this signing key do not belong together.');
  return { person: file.person, name: file.name, signer };
}
