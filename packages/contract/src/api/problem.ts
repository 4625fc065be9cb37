import { type Static, Type } from '../type.ts';
import { check } from '../shape.ts';

/** RFC 9457. `code` is stable and has its page in docs/errors.md. */
export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String(),
  detail: Type.String(),
  errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }))),
  requestId: Type.String(),
});
export type Problem = Static<typeof Problem>;
export const problemCheck = check(Problem);

/** Every code an API answer can carry, with its status and what it says in general. */
export const API_CODES = {
  'request.malformed': [400, 'The request does not have the shape that this route takes'],
  'request.too_large': [413, 'The request is larger than this route takes'],
  'request.media_type': [415, 'This route takes another content type'],
  'request.rate': [429, 'Too many requests'],
  'auth.required': [401, 'Sign in first'],
  'auth.refused': [401, 'This token is unknown, expired or revoked'],
  'auth.forbidden': [403, 'You may not do this'],
  not_found: [404, 'There is no such thing, or it is not yours to see'],
  'conflict.job_id': [409, 'This job id was used for another order'],
  'job.removed': [410, 'This job was removed after its time of keeping'],
  'conflict.set': [409, 'Another signer set of this version came first'],
  'conflict.name': [409, 'This name is taken'],
  'conflict.state': [409, 'That cannot be done in the present state'],
  'cluster.unclaimed': [409, 'This server has no cluster yet'],
  'cluster.claimed': [409, 'This server has a cluster already'],
  'queue.unknown': [422, 'There is no such queue'],
  'queue.forbidden': [403, 'You may not use this queue'],
  'order.refused': [422, 'Agents would refuse this order'],
  'set.refused': [422, 'This signer set does not follow from the one before'],
  'invite.refused': [422, 'This invite does not count'],
  'admission.refused': [422, 'This admission does not count'],
  'file.missing': [422, 'Files that the order names were not sent'],
  'file.digest_wrong': [422, 'The bytes do not have the digest they were sent under'],
  'quota.exceeded': [429, 'A limit is reached'],
  'storage.full': [507, 'The disk is too full to take more'],
  'server.failed': [500, 'The server failed'],
  'server.unavailable': [503, 'The server does not reach its database at the moment'],
} as const satisfies Record<string, readonly [number, string]>;
/** A code of a refusal by the server. */
export type ApiCode = keyof typeof API_CODES;
