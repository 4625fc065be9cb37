import { join } from 'node:path';
import { envelopeCheck } from '@writ/contract';
import type { Envelope, SetRef } from '@writ/contract';
import {
  allSets,
  gatherSets,
  isChangersWord,
  judgeFreshness,
  meetSet,
  setRef,
  TrustError,
} from '@writ/trust';
import type { HeldSets, OpenedOrder } from '@writ/trust';
import { AgentError } from '../agent-error.ts';
import { reasonOf } from '../log.ts';
import type { Log } from '../log.ts';
import { readIfThere } from '../read-if-there.ts';
import { writePrivateFile } from '@writ/trust/node';

/** The signer sets that this machine holds: they change only by versions that prove themselves. */
export interface HeldSigners {
  readonly sets: HeldSets;
  readonly ref: SetRef;
  /** The newest time in a changer's signature that was not ahead of this machine's clock when it was seen. */
  readonly newestWord: number;
  /**
   * Takes versions from anywhere, durably. What does not follow is refused and logged; what is rightly signed and does
   * not go together with what is held is kept as proof, and nothing that it removes counts any more.
   *
   * @returns `gap` when one of them follows something that is not held here: show all of them.
   */
  follow(envelopes: readonly Envelope[]): Promise<'done' | 'gap'>;
  isKnown(set: SetRef): boolean;
  takeFreshness(envelope: Envelope): Promise<void>;
  /** An order of somebody who may change the set is a sign of life of theirs. */
  takeWord(opened: OpenedOrder): void;
}

const SETS = 'sets.json';
const WORD = 'word.json';
const WORD_STEP = 60_000;

export async function storeSigners(folder: string, sets: HeldSets, newestWord: number): Promise<void> {
  await writePrivateFile(join(folder, SETS), JSON.stringify(allSets(sets)));
  await writePrivateFile(join(folder, WORD), JSON.stringify({ newestWord }));
}

export async function openSigners(
  folder: string,
  cluster: string,
  now: () => number,
  log: Log,
): Promise<HeldSigners> {
  let sets = await readSets(folder, cluster);
  let newestWord = await readWord(folder);
  let wordWritten = newestWord;
  let following: Promise<unknown> = Promise.resolve();

  const hear = (time: number): void => {
    if (time <= newestWord || time > now()) return;
    newestWord = time;
    if (time - wordWritten < WORD_STEP) return;
    wordWritten = time;
    writePrivateFile(join(folder, WORD), JSON.stringify({ newestWord })).catch((error: unknown) =>
      log('signers.word_not_kept', { why: reasonOf(error) }),
    );
  };

  return {
    get sets() {
      return sets;
    },
    get ref() {
      return setRef(sets.newest);
    },
    get newestWord() {
      return newestWord;
    },
    follow(envelopes) {
      // In turn: whoever began from an older set must not put it back. Each caller hears of its own only.
      const followed = following.catch(() => undefined).then(() => followNow(envelopes));
      following = followed;
      return followed;
    },
    isKnown: ({ digest }) => [...sets.chain, ...sets.beside].some((held) => held.digest === digest),
    async takeFreshness(envelope) {
      try {
        hear(judgeFreshness(envelope, sets).time);
      } catch (error) {
        if (!(error instanceof TrustError)) throw error;
        log('signers.mark_refused', { code: error.code, why: error.message });
      }
    },
    takeWord({ order }) {
      if (isChangersWord(sets, order.person, order.key)) hear(order.issued);
    },
  };

  async function followNow(envelopes: readonly Envelope[]): Promise<'done' | 'gap'> {
    let held = sets;
    let is: 'done' | 'gap' = 'done';
    for (const envelope of envelopes) {
      try {
        const met = meetSet(held, envelope);
        held = met.sets;
        if (met.is === 'rival') log('signers.fork', { why: met.why });
      } catch (error) {
        if (!(error instanceof TrustError)) throw error;
        if (error.code === 'set.previous_unknown') is = 'gap';
        log('signers.refused', { code: error.code, why: error.message });
        break;
      }
    }
    if (held === sets) return is;
    const isNewer = held.newest !== sets.newest;
    await storeSigners(folder, held, newestWord);
    sets = held;
    hear(held.newest.set.time);
    if (isNewer) log('signers.followed', { version: held.newest.set.version });
    return is;
  }
}

async function readSets(folder: string, cluster: string): Promise<HeldSets> {
  const text = await readIfThere(join(folder, SETS));
  if (text === undefined)
    throw new AgentError(
      'agent.state_missing',
      `${folder} holds no signer sets. Join a cluster first: writ join.`,
    );
  const list: unknown = JSON.parse(text);
  const envelopes = Array.isArray(list) ? list.filter((one): one is Envelope => envelopeCheck.is(one)) : [];
  return gatherSets(envelopes, cluster);
}

async function readWord(folder: string): Promise<number> {
  const text = await readIfThere(join(folder, WORD));
  const value: unknown = text === undefined ? undefined : JSON.parse(text);
  const word = (value as { newestWord?: unknown } | undefined)?.newestWord;
  return typeof word === 'number' ? word : 0;
}
