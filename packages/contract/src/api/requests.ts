import { type Static, Type } from '../type.ts';
import { Digest, Text } from '../names.ts';
import { oneOf, orNull, shape, whole } from '../shape.ts';
import { Envelope } from '../signed/envelope.ts';

/** Bodies of the API of people. */
export const SetUp = shape({ set: Envelope });
export const SubmitJob = shape({ order: Envelope });
export const CancelJob = shape({
  indexes: orNull(Type.Array(whole(), { minItems: 1, maxItems: 10_000 })),
  how: oneOf('terminate', 'kill'),
  /** Signed by the submitter; agents keep it, so that a cancelled order cannot start later. */
  withdrawal: orNull(Envelope),
});
export const FilesAsked = shape({
  files: Type.Array(shape({ digest: Digest, size: whole() }), { minItems: 1, maxItems: 10_000 }),
});
export const FilesMissing = shape({ missing: Type.Array(Digest) });
export const MakeInvite = shape({ invite: Envelope });
export const MakeAdmission = shape({ admission: Envelope });
export const BanAgent = shape({ reason: Text(500) });
export const MakeToken = shape({
  name: Text(100),
  role: oneOf('administrator', 'member'),
  expiresSeconds: whole(60, 366 * 86_400),
});
export const LeaveFreshness = shape({ freshness: Envelope });
export type CancelJob = Static<typeof CancelJob>;
