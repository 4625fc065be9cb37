import { decodeBase64, type Envelope, type SetRef } from '@writ/contract';
import type { By, ClusterRecord, NewSet, SetRecord, Store } from '@writ/store';
import {
  gatherSets,
  type HeldSet,
  type HeldSets,
  isChangersWord,
  judgeFreshness,
  meetSet,
  setRef,
  startSets,
  TrustError,
} from '@writ/trust';
import { ServerError } from './server-error.ts';

/** The signer sets that this server carries. It judges them as agents do and can make none. */
export interface Cluster {
  /** Null until somebody has claimed this server. */
  record(): ClusterRecord | null;
  /** @throws ServerError `cluster.unclaimed` */
  sets(): HeldSets;
  newest(): SetRef;
  /** Root certificates (DER) whose word on connections counts. */
  roots(): readonly Uint8Array[];
  freshness(): Envelope | null;
  /** Newest time in a changer's signature that was not ahead of this clock. */
  newestWord(): number;
  /** A signed act of a person counts as a sign of life if that person may change the set. */
  witness(person: string, key: string, time: number, now: number): void;
  claim(envelope: Envelope, serverName: string, by: By): Promise<'claimed' | 'same'>;
  /** Takes sets of which the last one is the newest then. @throws ServerError `set.refused`, `conflict.set` */
  change(envelopes: readonly Envelope[], by: By): Promise<void>;
  leaveFreshness(envelope: Envelope, by: By): Promise<void>;
  onSet(listener: () => void): () => void;
  onFreshness(listener: (envelope: Envelope) => void): () => void;
}

export async function openCluster(store: Store): Promise<Cluster> {
  let record = await store.trust.readCluster();
  let held =
    record &&
    gatherSets(
      (await readAllSets(store)).map((set) => set.envelope),
      record.cluster,
    );
  const mark = await store.trust.readFreshness();
  let freshness = mark?.envelope ?? null;
  let word = mark?.time ?? 0;
  const setListeners = new Set<() => void>();
  const freshnessListeners = new Set<(envelope: Envelope) => void>();

  const sets = (): HeldSets => {
    if (!held)
      throw new ServerError(
        'cluster.unclaimed',
        'Nobody has claimed this server yet. Run “writ up” on its machine.',
      );
    return held;
  };
  const judge = <T>(code: 'set.refused', act: () => T): T => {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      throw new ServerError(code, error.message, [{ pointer: '', detail: error.code }], { cause: error });
    }
  };

  return {
    record: () => record,
    sets,
    newest: () => setRef(sets().newest),
    roots: () => sets().current.authorities.map((root) => decodeBase64(root) ?? new Uint8Array()),
    freshness: () => freshness,
    newestWord: () => word,
    witness(person, key, time, now) {
      if (time > word && time <= now && isChangersWord(sets(), person, key)) word = time;
    },

    async claim(envelope, serverName, by) {
      const first = judge('set.refused', () => startSets(envelope));
      const answer = await store.trust.claimCluster({
        cluster: first.cluster,
        serverName,
        setDigest: first.newest.digest,
        set: first.newest.envelope,
        by,
      });
      if (answer.is === 'claimed_already') {
        throw new ServerError(
          'cluster.claimed',
          `This server belongs to the cluster ${answer.cluster.cluster} already.`,
        );
      }
      record = answer.cluster;
      held ??= first;
      return answer.is;
    },

    async change(envelopes, by) {
      const before = sets();
      const after = judge('set.refused', () =>
        envelopes.reduce((all, one) => meetSet(all, one).sets, before),
      );
      if (after === before) return;
      const isKnown = new Set([...before.chain, ...before.beside].map(({ digest }) => digest));
      const fresh = [...after.beside, ...after.chain].filter(({ digest }) => !isKnown.has(digest));
      const last = after.newest;
      // What only stands beside the line is nobody's newest: whoever signed it has not seen the newest.
      if (last.digest === before.newest.digest)
        throw new ServerError(
          'conflict.set',
          `Another version ${fresh.at(-1)?.set.version ?? 0} of the signer set came first. Fetch it and sign again.`,
        );
      const toNew = ({ set, digest, envelope }: HeldSet): NewSet => ({
        version: set.version,
        digest,
        envelope,
      });
      const answer = await store.trust.addSets({
        after: before.newest.digest,
        newest: toNew(last),
        before: fresh.filter((held) => held !== last).map(toNew),
        by,
      });
      if (answer === 'conflict')
        throw new ServerError(
          'conflict.set',
          `Another version ${last.set.version} of the signer set came first. Fetch it and sign again.`,
        );
      if (sets() === before) held = after;
      for (const listener of setListeners) listener();
    },

    async leaveFreshness(envelope, by) {
      const { set, time } = judge('set.refused', () => judgeFreshness(envelope, sets()));
      if (time > by.now)
        throw new ServerError(
          'set.refused',
          'This freshness mark is from the future. Is the clock of that machine right?',
        );
      const answer = await store.trust.leaveFreshness({
        setVersion: set.version,
        setDigest: set.digest,
        time,
        envelope,
        by,
      });
      if (answer === 'older') return;
      freshness = envelope;
      word = Math.max(word, time);
      for (const listener of freshnessListeners) listener(envelope);
    },

    onSet: (listener) => listen(setListeners, listener),
    onFreshness: (listener) => listen(freshnessListeners, listener),
  };
}

function listen<L>(listeners: Set<L>, listener: L): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

async function readAllSets(store: Store): Promise<SetRecord[]> {
  const all: SetRecord[] = [];
  for (let after = 0; ;) {
    const some = await store.trust.listSets(after);
    all.push(...some);
    const last = some.at(-1);
    if (!last) return all;
    after = last.place;
  }
}
