import { type Static, Type } from '../type.ts';
import {
  ClusterId,
  Digest,
  Ed25519Key,
  Id,
  Instant,
  Labels,
  Name,
  P256Key,
  Text,
  PersonKey,
} from '../names.ts';
import { check, oneOf, orNull, shape, whole } from '../shape.ts';
import { SetRef } from './signer-set.ts';
import { Counters } from './counter.ts';

const Queues = Type.Array(Type.Union([Name, Type.Literal('*')]), { minItems: 1, maxItems: 256 });

export const Signatory = shape({ person: Id, key: PersonKey });

/** A signer's word that whoever can use `inviteKey` may become a member. Made by the inviter's own program. */
export const Invite = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  inviteKey: Ed25519Key,
  role: oneOf('agent', 'gateway', 'person'),
  /** null: the joining machine says its own. */
  name: orNull(Name),
  labels: Labels,
  queues: Queues,
  until: Instant,
  set: SetRef,
  by: Signatory,
  issued: Instant,
});
export type Invite = Static<typeof Invite>;
export const inviteCheck = check(Invite);

export const Machine = shape({ host: Text(253), os: Text(32), arch: Text(32), machineId: orNull(Digest) });

/** A signer's word that an identity key is an agent of this cluster. */
export const Admission = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  identity: Ed25519Key,
  role: oneOf('agent', 'gateway'),
  name: Name,
  machine: Machine,
  /** With an invite its name, labels and queues hold; otherwise these, and `by` signs instead of the invite key. */
  how: Type.Union([
    shape({ is: Type.Literal('invite'), invite: Digest, inviteKey: Ed25519Key }),
    /** `set`: the newest that the admitter knew. */
    shape({
      is: oneOf('by_hand', 'by_network'),
      labels: Labels,
      queues: Queues,
      set: SetRef,
      by: Signatory,
    }),
  ]),
  /** The admission of the same name that this one replaces: only by hand, or by an invite that names the machine. */
  supersedes: orNull(Digest),
  time: Instant,
});
/** A signer's word that an identity key is an agent of this cluster. */
export type Admission = Static<typeof Admission>;
export const admissionCheck = check(Admission);

/** What an agent asks its TLS certificate with: signed by the identity key and, as proof of possession, by the TLS key. */
export const CertificateRequest = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  identity: Ed25519Key,
  tlsKey: P256Key,
  /** Serial of the leaf that this one follows; null for the first. */
  previous: orNull(Type.String({ pattern: '^[0-9a-f]{2,40}$' })),
  time: Instant,
});
export type CertificateRequest = Static<typeof CertificateRequest>;
export const certificateRequestCheck = check(CertificateRequest);

export const Probe = shape({ name: Text(100), is: oneOf('denied', 'open') });
/** What an agent measured about itself. */
export const Description = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  identity: Ed25519Key,
  time: Instant,
  writ: Text(32),
  node: Text(32),
  os: Text(32),
  arch: Text(32),
  host: Text(253),
  cores: whole(1),
  memoryBytes: whole(),
  slots: whole(1, 1024),
  /** What its owner lets jobs share. */
  counters: Counters,
  /** Thousandths of a GFLOPS, best of several. */
  megaflops: whole(),
  profiles: Type.Array(
    shape({
      profile: oneOf('strict', 'user', 'bare'),
      memory: oneOf('cgroup', 'sampled', 'none'),
      network: Type.Boolean(),
      probes: Type.Array(Probe, { maxItems: 200 }),
    }),
    { maxItems: 3 },
  ),
  labels: Labels,
  /** The owner's policy as far as the owner tells it. */
  policy: Text(2000),
});
export type Description = Static<typeof Description>;
export const descriptionCheck = check(Description);
