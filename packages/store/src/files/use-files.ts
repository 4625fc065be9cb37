import { sql } from 'kysely';
import type { By } from '../by.ts';
import type { Write } from '../write.ts';

/** A file that nobody used for a while may have been removed since it was looked for. */
export async function areHere({ db, words }: Write, digests: readonly string[]): Promise<boolean> {
  if (digests.length === 0) return true;
  const asked = new Set(digests);
  const batch = words.batch(
    { digest: 'text' },
    [...asked].map((digest) => [digest]),
  );
  const found = await sql<{ digest: string }>`
    select file.digest from ${batch} cross join file where file.digest = batch.digest ${words.lockRows}`.execute(
    db,
  );
  return found.rows.length === asked.size;
}

export async function useFiles(
  { db, words }: Write,
  job: string,
  digests: readonly string[],
  as: 'input' | 'output',
  by: By,
): Promise<void> {
  if (digests.length === 0) return;
  const batch = words.batch(
    { digest: 'text' },
    [...new Set(digests)].map((digest) => [digest]),
  );
  // A job that was removed meanwhile uses nothing.
  await sql`
    insert into file_use (job, digest, is_input)
    select ${job}, batch.digest, ${as === 'input' ? 1 : 0} from ${batch}
    where exists (select 1 from job where job.id = ${job})
    on conflict (job, digest) do update set is_input = 1 where excluded.is_input = 1`.execute(db);
  await sql`update file set last_used = ${by.now} from ${batch} where file.digest = batch.digest`.execute(db);
}
