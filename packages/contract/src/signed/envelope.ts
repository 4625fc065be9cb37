import { type Static, Type } from '../type.ts';
import { check, shape } from '../shape.ts';

const Base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$' });

/** DSSE v1 in its JSON form. `keyid` is a hint: what must have signed is named inside the payload. */
export const Envelope = shape({
  payloadType: Type.String({ maxLength: 100 }),
  payload: Base64,
  signatures: Type.Array(shape({ keyid: Type.Optional(Type.String({ maxLength: 200 })), sig: Base64 }), {
    minItems: 1,
    maxItems: 129,
  }),
});
/** Signed bytes: a payload, its type, and signatures over both (DSSE). */
export type Envelope = Static<typeof Envelope>;
export const envelopeCheck = check(Envelope);
