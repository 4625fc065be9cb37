export * from './advance-sets.ts';
export * from './build-order.ts';
export * from './cancel-job.ts';
export * from './client-error.ts';
export * from './connect.ts';
export * from './exit-code.ts';
export * from './follow-job.ts';
export * from './open-key.ts';
export * from './read-pins.ts';
export * from './read-results.ts';
export * from './read-verified-log.ts';
export * from './submit-job.ts';
export * from './submitter.ts';
export { bodyOf, type Fetch, type Server } from './send-request.ts';
export * from './verify-results.ts';

// What the signatures above are about.
export type {
  Counter,
  Admission,
  AgentView,
  API_CODES,
  ApiCode,
  CancelJob,
  ClusterView,
  Envelope,
  Inputs,
  InviteView,
  JobEvent,
  JobView,
  Label,
  Order,
  OutputFile,
  Person,
  Prune,
  PruneView,
  QueueView,
  ReceiptPredicate,
  ReceiptView,
  REFUSAL_CODES,
  RefusalCode,
  ServerView,
  SetQueue,
  SetRef,
  SignerKey,
  SignerSet,
  TaskView,
  TokenMade,
  TokenView,
  TrustView,
  Variant,
  WhyView,
} from '@writ/contract';
export type { Admitted, FillRandom, HeldSet, HeldSets, OpenedOrder, Signer } from '@writ/trust';
