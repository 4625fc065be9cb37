import { sql } from 'kysely';
import type { Write } from '../write.ts';

/** Those of these requirement classes that no job needs which may still be leased. Their numbers are never given again. */
export async function forgetClasses(
  { db, words }: Write,
  ids: readonly number[],
): Promise<readonly number[]> {
  const batch = words.batch(
    { id: 'integer' },
    ids.map((id) => [id]),
  );
  const gone = await sql<{ id: number }>`
    delete from class where id in (select batch.id from ${batch})
      and not exists (select 1 from job where job.class = class.id and n_waiting > 0 and is_ready = 1)
      and id not in (select class from job ${words.indexed('job_unready')} where n_waiting > 0 and is_ready = 0)
      and id not in (select class from job ${words.indexed('job_by_state')} where state in ('leased', 'running'))
    returning id`.execute(db);
  return gone.rows.map((row) => row.id);
}
