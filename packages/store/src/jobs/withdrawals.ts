import { type Kysely, sql } from 'kysely';
import type { Envelope } from '@writ/contract';
import type { By, NewWithdrawal } from '../store.ts';
import type { Tables } from '../tables.ts';
import type { Write } from '../write.ts';

const MOST = 10_000;

export async function addWithdrawal(
  write: Write,
  { digest, order, until, envelope }: NewWithdrawal,
  by: By,
): Promise<'added' | 'same'> {
  const added = await sql`
    insert into withdrawal (digest, order_digest, until, added, envelope)
    values (${digest}, ${order}, ${until}, ${by.now}, ${JSON.stringify(envelope)})
    on conflict (digest) do nothing`.execute(write.db);
  if (added.numAffectedRows !== 1n) return 'same';
  write.audit.add(by, 'order.withdrawn', order, `withdrawal ${digest}`);
  return 'added';
}

export async function listWithdrawals(
  reader: Kysely<Tables>,
  { now, since }: { readonly now: number; readonly since: number },
): Promise<readonly Envelope[]> {
  const found = await sql<{ envelope: string }>`
    select envelope from withdrawal where until >= ${now} and added >= ${since}
    order by added limit ${sql.lit(MOST)}`.execute(reader);
  return found.rows.map((row) => JSON.parse(row.envelope) as Envelope);
}
