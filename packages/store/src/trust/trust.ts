import type { Envelope } from '@writ/contract';
import type { By } from '../by.ts';
import type { Page, PageAsked } from '../page.ts';

export interface ClusterRecord {
  readonly cluster: string;
  readonly serverName: string;
  readonly epoch: number;
  readonly claimed: number;
}
export interface NewSet {
  readonly version: number;
  readonly digest: string;
  readonly envelope: Envelope;
}
export interface SetRecord extends NewSet {
  /** The how many-th set that this server took. */
  readonly place: number;
  /** When this server took it. */
  readonly added: number;
}
export interface FreshnessRecord {
  readonly setVersion: number;
  readonly setDigest: string;
  readonly time: number;
  readonly envelope: Envelope;
}
export interface NewInvite {
  readonly digest: string;
  readonly inviteKey: string;
  readonly role: string;
  readonly name: string | null;
  readonly until: number;
  readonly envelope: Envelope;
}
export interface InviteRecord extends NewInvite {
  readonly created: number;
  readonly revoked: number | null;
  /** The admission that used it. */
  readonly admission: string | null;
}
export interface NewAdmission {
  readonly digest: string;
  readonly identity: string;
  readonly name: string;
  /** Digest of the invite that it uses up; null when admitted by hand or by network. */
  readonly invite: string | null;
  readonly supersedes: string | null;
  readonly envelope: Envelope;
}
export interface AdmissionRecord extends NewAdmission {
  readonly admitted: number;
  readonly supersededBy: string | null;
  readonly inviteEnvelope: Envelope | null;
}
export type AdmitAnswer =
  | { readonly is: 'admitted' | 'same'; readonly admission: AdmissionRecord }
  /** `invite_used`: another key came under this invite; an alarm stands in the audit trail. */
  | {
      readonly is:
        | 'invite_unknown'
        | 'invite_used'
        | 'invite_revoked'
        | 'invite_over'
        | 'name_taken'
        | 'identity_taken'
        | 'supersedes_unknown';
    };

export type AgentState = 'active' | 'banned' | 'evicted';
export interface AgentRecord {
  readonly identity: string;
  readonly name: string;
  /** Digest of its present admission. */
  readonly admission: string;
  readonly state: AgentState;
  readonly reason: string | null;
  readonly description: Envelope | null;
  readonly lastSeen: number | null;
  /** Number of the highest receipt of its chain that is stored here. */
  readonly receiptSeq: number;
  readonly tasksDone: number;
  /** Gets nothing new. */
  readonly isDrained: boolean;
}
export type LeafState = 'active' | 'replaced' | 'revoked';
export interface NewLeaf {
  readonly serial: string;
  readonly identity: string;
  readonly tlsKeyDigest: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Serial that it follows; null for the first of an identity, or after an expired one. */
  readonly previous: string | null;
  /** Leaf first, then the issuing certificate: DER in base64. */
  readonly chain: readonly string[];
}
export interface LeafRecord extends NewLeaf {
  readonly state: LeafState;
}

export interface TrustStore {
  readCluster(): Promise<ClusterRecord | null>;
  /** Makes the cluster with its set 1. The same again is `same`; another one is `claimed_already`. */
  claimCluster(asked: {
    readonly cluster: string;
    readonly serverName: string;
    readonly setDigest: string;
    readonly set: Envelope;
    readonly by: By;
  }): Promise<{ readonly is: 'claimed' | 'same' | 'claimed_already'; readonly cluster: ClusterRecord }>;
  /** After a restore: tokens of the epoch before count for nothing. */
  beginEpoch(by: By): Promise<number>;

  /** `conflict` unless `after` is the digest of the newest one held; `same` when `newest` is held already. */
  addSets(asked: {
    readonly after: string;
    readonly newest: NewSet;
    /** Taken with it: of a branch that it ends. */
    readonly before?: readonly NewSet[];
    readonly by: By;
  }): Promise<'added' | 'same' | 'conflict'>;
  newestSet(): Promise<SetRecord | null>;
  /** In the order in which they came, at most `limit` (1000). */
  listSets(afterPlace: number, limit?: number): Promise<readonly SetRecord[]>;
  /** Only the newest time counts. */
  leaveFreshness(asked: FreshnessRecord & { readonly by: By }): Promise<'newer' | 'older'>;
  readFreshness(): Promise<FreshnessRecord | null>;

  addInvite(invite: NewInvite, by: By): Promise<'added' | 'same' | 'conflict'>;
  readInvite(digest: string): Promise<InviteRecord | null>;
  findInvite(inviteKey: string): Promise<InviteRecord | null>;
  listInvites(page: PageAsked): Promise<Page<InviteRecord>>;
  /** False when there is no such open invite. */
  revokeInvite(digest: string, by: By): Promise<boolean>;

  /** Uses the invite up, makes or renames the agent, supersedes what `supersedes` names: all or nothing, and repeatable. */
  admit(admission: NewAdmission, by: By): Promise<AdmitAnswer>;
  readAdmission(digest: string): Promise<AdmissionRecord | null>;
  /** The present one of an identity. */
  findAdmission(identity: string): Promise<AdmissionRecord | null>;
  /** The present one of that name. */
  findAdmissionOf(name: string): Promise<AdmissionRecord | null>;
  /** Superseded ones too: what verifies a receipt must stay readable. */
  listAdmissions(page: PageAsked): Promise<Page<AdmissionRecord>>;
  readAdmissions(digests: readonly string[]): Promise<readonly AdmissionRecord[]>;

  readAgent(identity: string): Promise<AgentRecord | null>;
  findAgent(name: string): Promise<AgentRecord | null>;
  listAgents(page: PageAsked): Promise<Page<AgentRecord>>;
  describeAgent(identity: string, description: Envelope, by: By): Promise<boolean>;
  /** Many agents at once; not audited. */
  markSeen(identities: readonly string[], now: number): Promise<void>;
  /** `evicted` is for ever and frees the name. False when there is no such agent or it is evicted. */
  setAgentState(identity: string, state: AgentState, reason: string | null, by: By): Promise<boolean>;
  drainAgent(identity: string, isDrained: boolean, by: By): Promise<void>;
  /** Identity keys. */
  listDrained(): Promise<readonly string[]>;
  /** Identities that may not act now: feeds the check on each request. */
  listStopped(): Promise<readonly { readonly identity: string; readonly state: AgentState }[]>;

  /** The same identity, TLS key and previous serial again gives the leaf made the first time. `stale`: `previous` is not its active leaf. */
  addLeaf(
    leaf: NewLeaf,
    by: By,
  ): Promise<{ readonly is: 'added' | 'same'; readonly leaf: LeafRecord } | { readonly is: 'stale' }>;
  readLeaf(serial: string): Promise<LeafRecord | null>;
  findLeaf(asked: {
    readonly identity: string;
    readonly tlsKeyDigest: string;
    readonly previous: string | null;
  }): Promise<LeafRecord | null>;
  activeLeaf(identity: string): Promise<LeafRecord | null>;
  revokeLeaf(serial: string, by: By): Promise<boolean>;
}
