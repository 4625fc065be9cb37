import { sql } from 'kysely';
import type { By } from '../by.ts';
import type { ForgetAsked } from './retention.ts';
import type { Write } from '../write.ts';

/** Marks, withdrawals and receipts for no job here, when they cannot matter any more. */
export async function forgetOrders(
  { db, audit }: Write,
  { withdrawnBefore, receivedBefore, limit }: ForgetAsked,
  by: By,
): Promise<{ readonly isMore: boolean }> {
  const most = sql.lit(limit);
  const marks = await sql`
    delete from removed_job where id in (
      select id from removed_job where until < ${by.now} and seq is null order by until limit ${most})`.execute(
    db,
  );
  const withdrawals = await sql`
    delete from withdrawal where digest in (
      select digest from withdrawal where until < ${withdrawnBefore} order by until limit ${most})`.execute(
    db,
  );
  // Jobs are numbered from 1.
  const receipts = await sql`
    delete from receipt where job = 0 and (job, idx, attempt, digest) in (
      select job, idx, attempt, digest from receipt where job = 0 and received < ${receivedBefore} limit ${most})`.execute(
    db,
  );
  const counts = {
    'marks of removed jobs': Number(marks.numAffectedRows ?? 0n),
    withdrawals: Number(withdrawals.numAffectedRows ?? 0n),
    'receipts of no job': Number(receipts.numAffectedRows ?? 0n),
  };
  for (const [what, count] of Object.entries(counts))
    if (count > 0) audit.add(by, 'order.forgotten', 'orders', `${count} ${what}`);
  return { isMore: Math.max(...Object.values(counts)) === limit };
}
