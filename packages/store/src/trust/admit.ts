import type { By } from '../by.ts';
import type { AdmitAnswer, NewAdmission } from './trust.ts';
import { StoreError } from '../store-error.ts';
import type { Write } from '../write.ts';
import { readAdmission } from './read-admissions.ts';

type Refusal = Exclude<AdmitAnswer, { admission: unknown }>['is'];

/** All or nothing, and repeatable: a lost answer is asked for again with the same admission. */
export async function admit(write: Write, asked: NewAdmission, by: By): Promise<AdmitAnswer> {
  const { db, audit } = write;
  const same = await readAdmission(db, asked.digest);
  if (same) return { is: 'same', admission: same };

  const refusal = (await inviteFault(write, asked, by)) ?? (await placeFault(write, asked));
  if (refusal) {
    audit.add(
      by,
      refusal === 'invite_used' ? 'invite.second_key' : 'agent.admitted',
      asked.invite ?? asked.digest,
      `${refusal} ${asked.name} ${asked.identity}`,
      'refused',
    );
    return { is: refusal };
  }
  if (asked.invite !== null) await useInvite(write, asked.invite, asked.digest);
  if (asked.supersedes !== null) await supersede(write, asked.supersedes, asked);
  const newest = await db
    .selectFrom('admission')
    .select('seq')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  const row = {
    digest: asked.digest,
    seq: (newest?.seq ?? 0) + 1,
    identity: asked.identity,
    name: asked.name,
    invite: asked.invite,
    supersedes: asked.supersedes,
    superseded_by: null,
    is_current: 1,
    envelope: JSON.stringify(asked.envelope),
    admitted: by.now,
  };
  await db.insertInto('admission').values(row).execute();
  await makeAgent(write, asked);
  audit.add(by, 'agent.admitted', asked.identity, `${asked.name} by ${asked.invite ?? 'a signer'}`);
  const admission = await readAdmission(db, asked.digest);
  if (!admission) throw new StoreError('store.impossible', 'An admission just stored cannot be read.');
  return { is: 'admitted', admission };
}

async function inviteFault({ db }: Write, asked: NewAdmission, by: By): Promise<Refusal | undefined> {
  if (asked.invite === null) return undefined;
  const invite = await db
    .selectFrom('invite')
    .select(['until', 'revoked', 'admission'])
    .where('digest', '=', asked.invite)
    .executeTakeFirst();
  if (!invite) return 'invite_unknown';
  if (invite.admission !== null) return 'invite_used';
  if (invite.revoked !== null) return 'invite_revoked';
  if (invite.until <= by.now) return 'invite_over';
  return undefined;
}

async function placeFault({ db }: Write, asked: NewAdmission): Promise<Refusal | undefined> {
  const current = await db
    .selectFrom('admission')
    .select(['digest', 'identity', 'name'])
    .where('is_current', '=', 1)
    .where((where) =>
      where.or([
        where('identity', '=', asked.identity),
        where('name', '=', asked.name),
        where('digest', '=', asked.supersedes ?? ''),
      ]),
    )
    .execute();
  const followed = current.find((row) => row.digest === asked.supersedes);
  // Whoever joins writes this field himself: an invite lets him take the place of one name, and of no other.
  if (asked.supersedes !== null && (!followed || (asked.invite !== null && followed.name !== asked.name)))
    return 'supersedes_unknown';
  const others = current.filter((row) => row.digest !== asked.supersedes);
  if (others.some((row) => row.identity === asked.identity)) return 'identity_taken';
  if (others.some((row) => row.name === asked.name)) return 'name_taken';
  const gone = await db
    .selectFrom('agent')
    .select('state')
    .where('identity', '=', asked.identity)
    .executeTakeFirst();
  return gone?.state === 'evicted' || gone?.state === 'banned' ? 'identity_taken' : undefined;
}

/** Whatever was read before: the invite is used by a change that must affect exactly one row. */
async function useInvite({ db }: Write, invite: string, admission: string): Promise<void> {
  const done = await db
    .updateTable('invite')
    .set({ admission })
    .where('digest', '=', invite)
    .where('admission', 'is', null)
    .where('revoked', 'is', null)
    .executeTakeFirst();
  if (done.numUpdatedRows !== 1n)
    throw new StoreError('store.impossible', 'This invite was used in between. Ask again.');
}

async function supersede({ db }: Write, digest: string, by: NewAdmission): Promise<void> {
  const old = await db
    .updateTable('admission')
    .set({ is_current: 0, superseded_by: by.digest })
    .where('digest', '=', digest)
    .where('is_current', '=', 1)
    .returning('identity')
    .executeTakeFirst();
  if (!old) throw new StoreError('store.impossible', 'This admission was superseded in between. Ask again.');
  if (old.identity === by.identity) return;
  // Its machine is a new member from now on: the old identity may not act again.
  await db
    .updateTable('agent')
    .set({ state: 'evicted', reason: 'joined again' })
    .where('identity', '=', old.identity)
    .execute();
  await db
    .updateTable('leaf')
    .set({ state: 'revoked' })
    .where('identity', '=', old.identity)
    .where('state', '=', 'active')
    .execute();
}

async function makeAgent({ db }: Write, { identity, name, digest }: NewAdmission): Promise<void> {
  await db
    .insertInto('agent')
    .values({
      identity,
      name,
      admission: digest,
      state: 'active',
      reason: null,
      description: null,
      last_seen: null,
      receipt_seq: 0,
      tasks_done: 0,
      is_drained: 0,
    })
    .onConflict((conflict) => conflict.column('identity').doUpdateSet({ name, admission: digest }))
    .execute();
}
