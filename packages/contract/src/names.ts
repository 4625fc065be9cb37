import { Type } from './type.ts';

/** 128 random bits as 26 letters of base32: job ids, person ids, token ids. The last letter has two free bits, which are zero. */
export const Id = Type.String({ pattern: '^[a-z2-7]{25}[aeimquy4]$' });
/** Digest of signer set version 1: 256 bits as 52 letters of base32. */
export const ClusterId = Type.String({ pattern: '^[a-z2-7]{51}[aq]$' });
export const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });
/** What a machine, person, queue or project is called. A name is unique in its cluster and never decides anything signed alone. */
export const Name = Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' });
/** Ed25519 public key: its 32 bytes in base64url. */
export const Ed25519Key = Type.String({ pattern: '^ed25519:[A-Za-z0-9_-]{43}$' });
/**
 * P-256 public key: SubjectPublicKeyInfo, 91 bytes of DER in base64url. The beginning is fixed: a point in hybrid form
 * would be a second spelling of one key.
 */
export const P256Key = Type.String({
  pattern: '^p256:MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE[A-Za-z0-9_-]{86}$',
});
/** Key of an X.509 signer, RSA with PSS: SubjectPublicKeyInfo in base64url. */
export const RsaKey = Type.String({ pattern: '^rsa:[A-Za-z0-9_-]{360,1500}$' });
/** Ed25519 key in a security key, as OpenSSH knows it: it signs in SSHSIG form, when it is touched. */
export const SecurityKey = Type.String({ pattern: '^sk-ed25519:[A-Za-z0-9_-]{43}$' });
/** Whatever a person may sign with. A key of a kind that a program cannot verify yet has signed nothing. */
export const PersonKey = Type.Union([Ed25519Key, P256Key, RsaKey, SecurityKey]);
/** Instants are whole milliseconds since 1970 in UTC. */
export const Instant = Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 });
export const LabelName = Type.String({ pattern: '^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$' });
export const LabelValue = Type.String({ maxLength: 63, pattern: '^[A-Za-z0-9._-]*$' });
/** Labels are a list, sorted by name: a list has one spelling and no inherited keys. A label without a value has the empty one. */
export const Labels = Type.Array(
  Type.Object({ name: LabelName, value: LabelValue }, { additionalProperties: false }),
  { maxItems: 64 },
);
export const Text = (maxLength: number) => Type.String({ maxLength });

/** A word that an agent is admitted with, and its value. */
export type Label = { name: string; value: string };
