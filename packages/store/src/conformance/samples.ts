import type { Envelope } from '@writ/contract';
import { digestOf } from '@writ/trust/digest';
import type { By } from '../by.ts';
import type { NewJob } from '../jobs/jobs.ts';
import type { ClaimedJob, LeaseRef, QueueLimit, ReceiptOffered } from '../leases/leases.ts';
import type { Store } from '../store.ts';
import type { NewAdmission } from '../trust/trust.ts';
import type { DatabaseUnderTest, MakeDatabase } from './database-under-test.ts';

export const at = (now: number, actor = 'tester'): By => ({ actor, source: 'test', now });
export const id = (name: string): string => name.replaceAll(/[^a-z2-7]/g, 'a').padEnd(26, 'a');
export const digest = (name: string): string => digestOf(new TextEncoder().encode(name));
export const identity = (name: string): string => `ed25519:${name.padEnd(43, 'A')}`;
export const envelope = (text: string): Envelope => ({
  payloadType: 'application/vnd.writ.test+json',
  payload: Buffer.from(text).toString('base64'),
  signatures: [{ sig: 'AAAA' }],
});

export const CLASS = 1;
export const LEASE_SECONDS = 30;

export const newJob = (name: string, other: Partial<NewJob> = {}): NewJob => ({
  id: id(name),
  digest: digest(`order ${name}`),
  envelope: envelope(`order ${name}`),
  person: id('person'),
  project: 'default',
  queue: 'default',
  class: CLASS,
  isHeld: false,
  priority: 0,
  firstIndex: 0,
  size: 1,
  maxAttempts: 3,
  retryOnFailure: false,
  isOnce: false,
  notBefore: null,
  notAfter: 1e12,
  command: ['/bin/true'],
  submittedBy: 'ana',
  ...other,
});

export const newAdmission = (name: string, other: Partial<NewAdmission> = {}): NewAdmission => ({
  digest: digest(`admission ${name}`),
  identity: identity(name),
  name,
  invite: null,
  supersedes: null,
  envelope: envelope(`admission ${name}`),
  ...other,
});

export const claim = (
  store: Store,
  agent: string,
  max: number,
  now: number,
  classes = [CLASS],
  excluded: readonly string[] = [],
) => claimLimited(store, agent, max, now, [], classes, excluded).then(({ jobs }) => jobs);

export const claimLimited = (
  store: Store,
  agent: string,
  max: number,
  now: number,
  limits: readonly QueueLimit[],
  classes = [CLASS],
  excluded: readonly string[] = [],
) =>
  store.leases.claim({
    identity: identity(agent),
    classes,
    max,
    leaseSeconds: LEASE_SECONDS,
    excluded,
    limits,
    by: at(now),
  });

export const leasesOf = (claimed: readonly ClaimedJob[]): LeaseRef[] =>
  claimed.flatMap((job) => job.tasks.map((task) => ({ job: job.job, ...task })));

let receipts = 0;
export const receipt = (
  agent: string,
  lease: LeaseRef,
  other: Partial<ReceiptOffered> = {},
): ReceiptOffered => {
  receipts += 1;
  return {
    ...lease,
    identity: identity(agent),
    digest: digest(`receipt ${receipts}`),
    admission: digest(`admission ${agent}`),
    envelope: envelope(`receipt ${receipts}`),
    seq: receipts,
    outcome: 'succeeded',
    because: 'exit',
    exit: { code: 0 },
    started: 500,
    ended: 600,
    ...other,
  };
};

/** A store that has a cluster, one class and two agents. */
export async function openReady(database: DatabaseUnderTest): Promise<Store> {
  const store = await database.open();
  await store.trust.claimCluster({
    cluster: 'cluster',
    serverName: 'server',
    setDigest: digest('set 1'),
    set: envelope('set 1'),
    by: at(1),
  });
  await store.jobs.classId('{"class":1}');
  for (const name of ['one', 'two']) await store.trust.admit(newAdmission(name), at(1));
  return store;
}

/** Gives a test an open store in a database of its own, and takes both away. */
export const withStore =
  (make: MakeDatabase, body: (store: Store, database: DatabaseUnderTest) => Promise<void>) => async () => {
    const database = await make();
    try {
      const store = await openReady(database);
      try {
        await body(store, database);
      } finally {
        await store.close();
      }
    } finally {
      await database.remove();
    }
  };

export const counted = async (store: Store, job: string): Promise<Record<string, number>> => {
  const held = await store.jobs.readJob(job);
  return Object.fromEntries(Object.entries<number>(held?.counts ?? {}).filter(([, count]) => count > 0));
};
