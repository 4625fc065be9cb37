import type { Kysely } from 'kysely';
import type { LeaseStore } from './leases.ts';
import { StoreError } from '../store-error.ts';
import type { Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { acceptReceipts } from './accept-receipts.ts';
import { claimTasks } from './claim-tasks.ts';
import { cancelTasks, expireTasks, refuseWaiting } from './end-waiting.ts';
import { markStarted, renewAll, renewLeases } from './keep-leases.ts';
import { listOpen, nextExpiry, nextLapse } from './open-leases.ts';
import { handBack, lapseLeases, loseAgent } from './release-leases.ts';

const MAX_RECEIPTS = 500;

export function leaseStore(reader: Kysely<Tables>, { write }: GroupWriter): LeaseStore {
  return {
    claim: (asked) => write((writing) => claimTasks(writing, asked)),
    markStarted: (identity, tasks, by) => write((writing) => markStarted(writing, identity, tasks, by)),
    renew: (identity, tasks, seconds, by) =>
      write((writing) => renewLeases(writing, identity, tasks, seconds, by)),
    handBack: (identity, tasks, by) => write((writing) => handBack(writing, identity, tasks, by)),
    lapse: (by) => write((writing) => lapseLeases(writing, by)),
    loseAgent: (identity, except, by) => write((writing) => loseAgent(writing, identity, except, by)),
    renewAll: (seconds, by) => write((writing) => renewAll(writing, seconds, by)),
    listOpen: (identity) => listOpen(reader, identity),
    nextLapse: () => nextLapse(reader),
    accept: async (receipts, by) => {
      if (receipts.length > MAX_RECEIPTS)
        throw new StoreError('store.too_many', `At most ${MAX_RECEIPTS} receipts are accepted at a time.`);
      return write((writing) => acceptReceipts(writing, receipts, by));
    },
    cancel: (asked) => write((writing) => cancelTasks(writing, asked)),
    expire: (by) => write((writing) => expireTasks(writing, by)),
    nextExpiry: () => nextExpiry(reader),
    refuse: (job, because, by) => write((writing) => refuseWaiting(writing, job, because, by)),
  };
}
