import { type Static, Type } from '../type.ts';
import { ClusterId, Digest, Ed25519Key, Id, Instant, Name, Text, PersonKey } from '../names.ts';
import { check, oneOf, orNull, shape, whole } from '../shape.ts';

/** `*` stands for all. An empty list for none. */
const Names = Type.Array(Type.Union([Name, Type.Literal('*')]), { maxItems: 256 });
export const Profile = oneOf('strict', 'user', 'bare');
export type Profile = Static<typeof Profile>;

/** How the key signs: `dsse` the pre-authentication encoding itself, `sshsig` and `x509` in those formats' own way. */
export const KeyForm = oneOf('dsse', 'sshsig', 'x509', 'webauthn');
/** Who can reach the private key: its person's own device, a page that a server served, or the server. */
export const Custody = oneOf('own', 'browser', 'server');

/** What orders may ask for. `profile` is the loosest one allowed. */
export const OrderGrant = shape({
  queues: Names,
  projects: Names,
  profile: Profile,
  network: Type.Boolean(),
  runAs: Names,
  raw: Type.Boolean(),
  definitions: Type.Array(Type.Union([Digest, Type.Literal('*')]), { maxItems: 1000 }),
});

/** A key that may sign in the name of a person, and from when to when. */
export const SignerKey = shape({
  key: PersonKey,
  name: Text(100),
  form: KeyForm,
  custody: Custody,
  until: orNull(Instant),
  /** Narrows what its person's grant allows, for orders by this key; null: all of that. */
  order: orNull(OrderGrant),
  /** `retired`: orders that name an older set still run. `compromised`: nothing that it signed since then counts. */
  ended: orNull(
    Type.Union([
      shape({ is: Type.Literal('retired'), since: Instant }),
      shape({
        is: Type.Literal('compromised'),
        since: Instant,
        kept: Type.Array(Digest, { maxItems: 1000 }),
        /** What becomes of attempts of its orders that have started. */
        running: oneOf('finish', 'stop'),
      }),
    ]),
  ),
});

export const Grants = shape({
  /** Null: may not submit. */
  order: orNull(OrderGrant),
  admit: Type.Boolean(),
  author: Type.Boolean(),
  secrets: Type.Boolean(),
  withdraw: Type.Boolean(),
  /** Whatever this person signs counts only with a touch of a security key. */
  touch: Type.Boolean(),
});

/** A person, their keys, and what they may do. */
export const Person = shape({
  id: Id,
  name: Name,
  kind: oneOf('person', 'service', 'on-behalf'),
  keys: Type.Array(SignerKey, { maxItems: 64 }),
  grants: Grants,
});

const fields = {
  format: Type.Literal(1),
  version: whole(1),
  time: Instant,
  /** Digests of the losing branches that this version supersedes. */
  supersedes: Type.Array(Digest, { maxItems: 16 }),
  persons: Type.Array(Person, { minItems: 1, maxItems: 10_000 }),
  groups: Type.Array(shape({ name: Name, persons: Type.Array(Id, { maxItems: 10_000 }) }), {
    maxItems: 1000,
  }),
  changers: Type.Array(Id, { minItems: 1, maxItems: 64 }),
  /** How many persons among the changers a change needs. */
  threshold: whole(1, 64),
  recovery: orNull(Ed25519Key),
  /** Root certificates, DER in base64: whose word on connections counts. */
  authorities: Type.Array(Type.String({ maxLength: 4096, pattern: '^[A-Za-z0-9+/]+={0,2}$' }), {
    minItems: 1,
    maxItems: 8,
  }),
  freshnessSeconds: whole(60, 366 * 86_400),
  agentsRemoved: Type.Array(
    shape({ identity: Ed25519Key, is: oneOf('retired', 'compromised'), since: Instant }),
    { maxItems: 100_000 },
  ),
  invitesRevoked: Type.Array(Digest, { maxItems: 10_000 }),
  definitionsWithdrawn: Type.Array(Digest, { maxItems: 10_000 }),
  /** How many persons an order for this queue needs. */
  queueRules: Type.Array(shape({ queue: Name, persons: whole(1, 8) }), { maxItems: 1000 }),
};

/** Version 1 holds random bits where every other signed object holds the cluster id: its digest is the cluster id. */
export const FirstSignerSet = shape({
  ...fields,
  version: Type.Literal(1),
  nonce: Id,
  previous: Type.Null(),
});
export const LaterSignerSet = shape({ ...fields, version: whole(2), cluster: ClusterId, previous: Digest });
/** Who may order and who may change that: version 1, or the one that follows another. */
export const SignerSet = Type.Union([FirstSignerSet, LaterSignerSet]);
/** Who may order and who may change that: version 1, or the one that follows another. */
export type SignerSet = Static<typeof SignerSet>;
export type FirstSignerSet = Static<typeof FirstSignerSet>;
/** A person, their keys, and what they may do. */
export type Person = Static<typeof Person>;
/** A key that may sign in the name of a person, and from when to when. */
export type SignerKey = Static<typeof SignerKey>;
export type Grants = Static<typeof Grants>;
export const signerSetCheck = check(SignerSet);

/** The newest set that whoever writes this knows. */
export const SetRef = shape({ version: whole(1), digest: Digest });
/** A version of the signer set, and its digest. */
export type SetRef = Static<typeof SetRef>;

export const Freshness = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  set: SetRef,
  time: Instant,
  person: Id,
  key: PersonKey,
});
export type Freshness = Static<typeof Freshness>;
export const freshnessCheck = check(Freshness);
