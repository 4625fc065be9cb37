import { type Kysely, sql } from 'kysely';
import type { Envelope } from '@writ/contract';
import { boundedLimit, pageOf, readCursor } from '../cursors.ts';
import type { By } from '../by.ts';
import type { Page, PageAsked } from '../page.ts';
import type { NewWithdrawal } from './jobs.ts';
import type { Tables } from '../tables.ts';
import type { Write } from '../write.ts';

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

/** Oldest first. */
export async function listWithdrawals(
  reader: Kysely<Tables>,
  asked: PageAsked & { readonly now: number; readonly since: number },
): Promise<Page<Envelope>> {
  const limit = boundedLimit(asked.limit);
  const [added, digest] =
    asked.after === null ? [asked.since, ''] : readCursor(asked.after, 'number', 'string');
  const found = await sql<{ digest: string; added: number; envelope: string }>`
    select digest, added, envelope from withdrawal where until >= ${asked.now} and (added, digest) > (${added}, ${digest})
    order by added, digest limit ${limit + 1}`.execute(reader);
  return pageOf(
    found.rows,
    limit,
    (row) => JSON.parse(row.envelope) as Envelope,
    (row) => [row.added, row.digest],
  );
}
