import { join } from 'node:path';
import { envelopeCheck } from '@writ/contract';
import type { Envelope, SetRef } from '@writ/contract';
import { followSet, isChangersWord, judgeFreshness, setRef, TrustError, walkSets } from '@writ/trust';
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
  /** Takes later versions from anywhere, durably. What does not follow is refused and logged. */
  follow(envelopes: readonly Envelope[]): Promise<void>;
  takeFreshness(envelope: Envelope): Promise<void>;
  /** An order of somebody who may change the set is a sign of life of theirs. */
  takeWord(opened: OpenedOrder): void;
}

const SETS = 'sets.json';
const WORD = 'word.json';
const FORK = 'fork.json';
const WORD_STEP = 60_000;

export async function storeSigners(folder: string, sets: HeldSets, newestWord: number): Promise<void> {
  await writePrivateFile(join(folder, SETS), JSON.stringify(sets.chain.map((held) => held.envelope)));
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
  let following: Promise<void> = Promise.resolve();

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
      following = following.catch(() => undefined).then(() => followNow(envelopes));
      return following;
    },
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

  async function followNow(envelopes: readonly Envelope[]): Promise<void> {
    let held = sets;
    for (const envelope of envelopes) {
      try {
        held = followSet(held, envelope);
      } catch (error) {
        if (!(error instanceof TrustError) || error.code === 'set.rolled_back') continue;
        log('signers.refused', { code: error.code, why: error.message });
        if (error.code === 'set.fork') await writePrivateFile(join(folder, FORK), JSON.stringify(envelope));
        break;
      }
    }
    if (held.newest.set.version <= sets.newest.set.version) return;
    await storeSigners(folder, held, newestWord);
    sets = held;
    hear(held.newest.set.time);
    log('signers.followed', { version: held.newest.set.version });
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
  return walkSets(envelopes, cluster);
}

async function readWord(folder: string): Promise<number> {
  const text = await readIfThere(join(folder, WORD));
  const value: unknown = text === undefined ? undefined : JSON.parse(text);
  const word = (value as { newestWord?: unknown } | undefined)?.newestWord;
  return typeof word === 'number' ? word : 0;
}
