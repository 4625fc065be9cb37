import { type Static, Type } from '../type.ts';
import { ClusterId } from '../names.ts';
import { check, orNull, shape } from '../shape.ts';
import { Envelope } from './envelope.ts';

/** Everything that is needed to verify results years later, offline, from the cluster id alone. */
export const Bundle = shape({
  bundle: Type.Literal(1),
  cluster: ClusterId,
  order: Envelope,
  definition: orNull(Envelope),
  /** From version 1 to the newest known, oldest first. */
  sets: Type.Array(Envelope, { minItems: 1, maxItems: 10_000 }),
  admissions: Type.Array(shape({ admission: Envelope, invite: orNull(Envelope) }), { maxItems: 10_000 }),
  receipts: Type.Array(shape({ receipt: Envelope, received: orNull(Envelope) }), { maxItems: 1_000_000 }),
});
export type Bundle = Static<typeof Bundle>;
export const bundleCheck = check(Bundle);
