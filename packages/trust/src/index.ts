export * from './admission/admission.ts';
export * from './admission/certificate-request.ts';
export * from './admission/description.ts';
export * from './admission/invite.ts';
export { parseInvite, writeInvite } from './admission/invite-text.ts';
export type { InviteText } from './admission/invite-text.ts';
export * from './bundle/verify-bundle.ts';
export { preAuthenticationEncoding } from './envelope/encode.ts';
export * from './envelope/open.ts';
export * from './envelope/seal.ts';
export * from './keys.ts';
export * from './order/check-order.ts';
export * from './order/judge-replay.ts';
export * from './order/open-order.ts';
export * from './order/withdrawal.ts';
export * from './receipt/receipt.ts';
export * from './signer-set/freshness.ts';
export * from './signer-set/change-set.ts';
export { allKeys, findKey } from './signer-set/find-key.ts';
export { allSets, followSet, gatherSets, meetSet, startSets, walkSets } from './signer-set/follow-sets.ts';
export type { MetSet } from './signer-set/follow-sets.ts';
export {
  anySetAt,
  allKeysEver,
  clusterIdOf,
  findKeyEver,
  findRemoval,
  firstSetDigestOf,
  heldSetAt,
  setRef,
} from './signer-set/held-sets.ts';
export type { HeldSet } from './signer-set/held-set.ts';
export type { HeldSets } from './signer-set/held-sets.ts';
export * from './signer-set/make-set.ts';
export { TrustError } from './trust-error.ts';
