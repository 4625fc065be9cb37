import { type RawBuilder, sql } from 'kysely';
import type { Swept } from './retention.ts';
import type { Write } from '../write.ts';

const MOST_JOBS = 100;

/** Takes at most `limit` rows of each table that removed jobs left behind. */
export async function sweepRemoved({ db, words }: Write, limit: number): Promise<Swept> {
  const found = await sql<{ id: string; seq: number }>`
    select id, seq from removed_job where seq is not null order by seq limit ${sql.lit(MOST_JOBS)}`.execute(
    db,
  );
  const jobs = found.rows;
  if (jobs.length === 0) return { jobs: [], receipts: 0, isDone: true };
  const bySeq = words.batch(
    { seq: 'integer' },
    jobs.map(({ seq }) => [seq]),
  );
  const byId = words.batch(
    { id: 'text' },
    jobs.map(({ id }) => [id]),
  );
  const remove = async (table: string, key: string[], of: RawBuilder<unknown>): Promise<number> => {
    const bare = sql.join(key.map((name) => sql.ref(name)));
    const full = sql.join(key.map((name) => sql.ref(`${table}.${name}`)));
    const done = await sql`
      delete from ${sql.table(table)} where (${bare}) in (
        select ${full} from ${of} limit ${sql.lit(limit)})`.execute(db);
    return Number(done.numAffectedRows ?? 0n);
  };
  const ofJob = (table: string): RawBuilder<unknown> =>
    sql`${bySeq} cross join ${sql.table(table)} where ${sql.ref(`${table}.job`)} = batch.seq`;
  const receipts = await remove('receipt', ['job', 'idx', 'attempt', 'digest'], ofJob('receipt'));
  const others = [
    await remove('task', ['job', 'idx'], ofJob('task')),
    await remove('lost_attempt', ['job', 'idx', 'token_epoch', 'token_n'], ofJob('lost_attempt')),
    await remove(
      'file_use',
      ['job', 'digest'],
      sql`${byId} cross join file_use where file_use.job = batch.id`,
    ),
  ];
  return {
    jobs: jobs.map(({ id }) => id),
    receipts,
    isDone: Math.max(receipts, ...others) < limit,
  };
}

export async function finishRemoved({ db, words }: Write, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const batch = words.batch(
    { id: 'text' },
    ids.map((id) => [id]),
  );
  await sql`update removed_job set seq = null where id in (select batch.id from ${batch})`.execute(db);
}
