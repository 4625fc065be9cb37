import { type Static, Type } from '../type.ts';
import { ClusterId, Digest, Ed25519Key, Id, Instant, Name, Text } from '../names.ts';
import { check, oneOf, orNull, shape, whole } from '../shape.ts';
import { Signatory } from './admission.ts';
import { Children, Command, Limits, MachineClause } from './order.ts';
import { Profile } from './signer-set.ts';

/** A hole in a definition: a value replaces one whole argument of the declared type, never part of one. */
export const Hole = shape({
  name: Name,
  type: oneOf('text', 'number', 'flag'),
  pattern: orNull(Text(1000)),
  choices: orNull(Type.Array(Text(1000), { maxItems: 1000 })),
  default: orNull(Type.Union([Text(131_071), whole(), Type.Boolean()])),
});

const { argv: _argv, ...beside } = Command.properties;

export const Definition = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  name: Name,
  version: whole(1),
  by: Signatory,
  holes: Type.Array(Hole, { maxItems: 256 }),
  /** An argument is a text, or the name of the hole whose value replaces it. */
  argv: Type.Array(Type.Union([shape({ text: Text(131_071) }), shape({ hole: Name })]), {
    minItems: 1,
    maxItems: 10_000,
  }),
  command: shape(beside),
  outputs: shape({ patterns: Type.Array(Text(4096), { maxItems: 64 }), required: Type.Boolean() }),
  limits: Limits,
  profile: Profile,
  network: Type.Boolean(),
  runAs: orNull(Name),
  machine: MachineClause,
  children: orNull(Children),
  /** Persons or groups of the signer set who may run it; empty: its author alone. */
  mayRun: Type.Array(Type.Union([shape({ person: Id }), shape({ group: Name })]), { maxItems: 1000 }),
  issued: Instant,
  until: Instant,
});
export type Definition = Static<typeof Definition>;
export const definitionCheck = check(Definition);

/** Signed by the identity key of the agent that runs the parent; valid only under the parent's `children` clause. */
export const ChildOrder = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  identity: Ed25519Key,
  parent: Digest,
  index: whole(),
  number: whole(),
  definition: Digest,
  parameters: Type.Array(shape({ name: Name, value: Type.Union([Text(131_071), whole(), Type.Boolean()]) }), {
    maxItems: 256,
  }),
  issued: Instant,
});
export type ChildOrder = Static<typeof ChildOrder>;
export const childOrderCheck = check(ChildOrder);

/** Commitment to a secret's value: SHA-256 of a salt of exactly 32 bytes, then the value; both travel apart. Of another length, the salt could take in the beginning of the value. */
export const Secret = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  name: Name,
  version: whole(1),
  commitment: Digest,
  by: Signatory,
  time: Instant,
});
export type Secret = Static<typeof Secret>;
export const secretCheck = check(Secret);
