import { type Kysely, sql } from 'kysely';
import type { Tables } from '../tables.ts';

/** Null: nobody can say any more, for instance because another server took over without all of the first one's records. */
export async function wasCommitted(
  db: Kysely<Tables>,
  transaction: string,
  wait: (milliseconds: number) => Promise<void>,
): Promise<boolean | null> {
  // The old session may not have noticed yet that nobody is there.
  for (let look = 0; look < 100; look += 1) {
    let status: string | null | undefined;
    try {
      const found = await sql<{ status: string | null }>`
        select pg_xact_status(${transaction}::xid8) as status`.execute(db);
      status = found.rows[0]?.status;
    } catch (cause) {
      // This server has not come so far: it is another one.
      if (cause instanceof Error && 'code' in cause && cause.code === '22023') return null;
      throw cause;
    }
    if (status === 'committed') return true;
    if (status === 'aborted') return false;
    if (status !== 'in progress') return null;
    await wait(100);
  }
  return null;
}
