import type { MayActNow, PeerIdentity } from '@writ/trust/certificates';
import { type Admitted, type HeldSets, judgeAdmission } from '@writ/trust';
import type { LeafRecord, Store } from '@writ/store';
import type { Cluster } from './cluster.ts';

/** Who may act now. Asked at each handshake and on each request, so it is answered from memory; the store feeds it. */
export interface Members {
  /** For the handshake: names that may not act. Serials are looked up after it, by {@link Members.memberOf}. */
  readonly mayActNow: MayActNow;
  /** The agent behind a certificate, or why there is none. */
  memberOf(peer: PeerIdentity): Promise<Member | 'revoked' | 'superseded' | 'banned' | 'unknown'>;
  /** Still the same as at the beginning of the connection? */
  mayStillAct(member: Member): true | 'revoked' | 'banned';
  stop(identity: string, name: string): void;
  /** Its machine has joined again under another identity key, perhaps with the same name. */
  evict(identity: string): void;
  isStopped(identity: string): boolean;
  revoke(serial: string): void;
  /** Told at once, so that open connections can be closed. */
  onStopped(listener: (identity: string) => void): void;
}

/** An agent as its admission has it. */
export interface Member {
  readonly identity: string;
  readonly name: string;
  readonly serial: string;
  readonly admitted: Admitted;
}

export async function openMembers(store: Store, cluster: Cluster): Promise<Members> {
  const stopped = new Set<string>();
  const stoppedNames = new Set<string>();
  const revoked = new Set<string>();
  const listeners: ((identity: string) => void)[] = [];

  for (const { identity } of await store.trust.listStopped()) {
    stopped.add(identity);
    const agent = await store.trust.readAgent(identity);
    if (agent && agent.state !== 'evicted') stoppedNames.add(agent.name);
  }

  let seen: HeldSets | null = null;
  let removed: ReadonlySet<string> = new Set();
  /** Whom the signers have removed, in any version: no word of this server lets them act again. */
  const removedNow = (): ReadonlySet<string> => {
    const sets = cluster.sets();
    if (sets !== seen) {
      seen = sets;
      removed = new Set(
        [sets.current, ...sets.chain.map((held) => held.set)].flatMap(({ agentsRemoved }) =>
          agentsRemoved.map((agent) => agent.identity),
        ),
      );
    }
    return removed;
  };
  const isStopped = (identity: string): boolean => stopped.has(identity) || removedNow().has(identity);
  const tell = (identity: string): void => {
    for (const listener of listeners) listener(identity);
  };
  cluster.onSet(() => {
    for (const identity of removedNow()) tell(identity);
  });

  const leafAnswer = (leaf: LeafRecord): true | 'revoked' | 'superseded' | 'banned' => {
    if (isStopped(leaf.identity)) return 'banned';
    if (leaf.state === 'revoked' || revoked.has(leaf.serial)) return 'revoked';
    return leaf.state === 'replaced' ? 'superseded' : true;
  };

  return {
    mayActNow: (serial, peer) => {
      if (revoked.has(serial)) return 'revoked';
      return stoppedNames.has(peer.name) && peer.role === 'agent' ? 'banned' : true;
    },

    async memberOf(peer) {
      const leaf = await store.trust.readLeaf(peer.serial);
      if (!leaf) return 'unknown';
      const answer = leafAnswer(leaf);
      if (answer !== true) return answer;
      const admission = await store.trust.findAdmission(leaf.identity);
      if (!admission || admission.name !== peer.name) return 'unknown';
      const admitted = judgeAdmission(admission.envelope, admission.inviteEnvelope, cluster.sets());
      return { identity: leaf.identity, name: admission.name, serial: leaf.serial, admitted };
    },

    mayStillAct: ({ identity, serial }) => {
      if (isStopped(identity)) return 'banned';
      return revoked.has(serial) ? 'revoked' : true;
    },

    stop(identity, name) {
      stopped.add(identity);
      stoppedNames.add(name);
      tell(identity);
    },
    evict(identity) {
      stopped.add(identity);
      tell(identity);
    },
    isStopped,
    revoke: (serial) => void revoked.add(serial),
    onStopped: (listener) => void listeners.push(listener),
  };
}
