import { type Static, Type } from '../type.ts';
import { Digest, Id, Text } from '../names.ts';
import { oneOf, orNull, shape, whole } from '../shape.ts';
import { Envelope } from '../signed/envelope.ts';
import { KeepSeconds, Priority } from './views.ts';

/** Bodies of the API of people. */
export const SetUp = shape({ set: Envelope });
/** Signer sets, each after the one that it follows. The last one is the newest then. */
export const ChangeSet = shape({ sets: Type.Array(Envelope, { minItems: 1, maxItems: 64 }) });
export type ChangeSet = Static<typeof ChangeSet>;
export const SubmitJob = shape({
  order: Envelope,
  /** As its queue has it, when left out. */
  priority: Type.Optional(Priority),
  /** Nothing of it starts before it is released. */
  isHeld: Type.Optional(Type.Boolean()),
});
export const SetPriority = shape({ priority: Priority });
/** How a queue is set. */
export const SetQueue = shape({
  isPaused: Type.Boolean(),
  maxRunning: orNull(whole(1, 1_000_000)),
  priority: Priority,
  /** Ids of persons; null: everybody whom the signer set lets. */
  people: orNull(Type.Array(Id, { maxItems: 1000 })),
  /** How long its jobs are kept after their end; null, or left out: as the server keeps all. */
  keepSeconds: Type.Optional(orNull(KeepSeconds)),
});
/** How a queue is set. */
export type SetQueue = Static<typeof SetQueue>;
/** How a job or some of its tasks are ended, and the signed word that they may not start any more. */
export const CancelJob = shape({
  indexes: orNull(Type.Array(whole(), { minItems: 1, maxItems: 10_000 })),
  how: oneOf('terminate', 'kill'),
  /** Signed by the submitter; agents keep it, so that a cancelled order cannot start later. */
  withdrawal: orNull(Envelope),
});
/** What is to be removed. */
export const Prune = shape({
  isDryRun: Type.Boolean(),
  /** Jobs that ended longer ago, of every queue; null: as each queue keeps them. */
  olderThanSeconds: orNull(KeepSeconds),
});
/** What is to be removed. */
export type Prune = Static<typeof Prune>;
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
/** How a job or some of its tasks are ended, and the signed word that they may not start any more. */
export type CancelJob = Static<typeof CancelJob>;
