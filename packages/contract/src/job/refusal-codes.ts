/** Why an agent refuses an order, in the order of its checks. Each reaches the submitter in a signed receipt. */
export const REFUSAL_CODES = [
  // 1 the lease
  'lease.not_mine',
  'lease.order_mismatch',
  'lease.stale',
  // 2 the envelope
  'order.envelope_bad',
  'order.type_wrong',
  'order.cluster_other',
  'order.format_unknown',
  'order.malformed',
  // 3 the signer
  'order.signer_unknown',
  'order.key_compromised',
  'order.key_retired',
  'order.key_expired',
  'order.form_wrong',
  'order.signature_bad',
  'order.signature_unexpected',
  'order.cosigner_missing',
  // 4 the signer set it names
  'order.set_fork',
  'order.set_unknown',
  // 5 freshness
  'set.stale',
  // 6 grants
  'grant.order',
  'grant.queue',
  'grant.project',
  'grant.profile',
  'grant.network',
  'grant.run_as',
  'grant.definition',
  'grant.custody',
  // 7 times
  'order.not_yet',
  'order.expired',
  'order.too_long',
  'order.purged',
  'order.before_witnessed',
  // 8 the machine
  'machine.fact',
  'machine.label',
  'machine.not_named',
  'machine.excluded',
  'machine.profile',
  'machine.network',
  'machine.platform',
  'machine.queue',
  'machine.resources',
  'agent.rejoined',
  // 9 its owner
  'owner.refuses',
  // 10
  'order.withdrawn',
  // 11 replay
  'order.index_out_of_range',
  'replay.other_order',
  'replay.attempt_out_of_range',
  'replay.attempt_used',
  'replay.succeeded',
  'replay.running',
  // 12 inputs
  'input.unavailable',
  'input.digest_wrong',
  'input.malformed',
  'secret.unavailable',
  'definition.unavailable',
  // 13
  'replay.not_durable',
] as const;
/** Why an agent refused to start an order. */
export type RefusalCode = (typeof REFUSAL_CODES)[number];
