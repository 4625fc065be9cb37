import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { By } from '../by.ts';
import type { FileRecord } from '../files/files.ts';
import type { DueAsked, RemovedFiles, UnusedAsked } from './retention.ts';
import type { Tables } from '../tables.ts';
import type { Write } from '../write.ts';

interface Row {
  digest: string;
  size: number;
  last_used: number;
  is_used: number;
}

/** Looks at `limit` files, oldest use first, and forgets those that no job names. */
export async function removeFiles(write: Write, asked: UnusedAsked, by: By): Promise<RemovedFiles> {
  const { db, words } = write;
  const isUsed = sql`exists (select 1 from file_use where file_use.digest = page.digest)`;
  const { files, next } = await readUnused(db, asked, isUsed);
  if (files.length === 0) return { files, next };
  const batch = words.batch(
    { digest: 'text' },
    files.map(({ digest }) => [digest]),
  );
  await sql`delete from file_project where digest in (select batch.digest from ${batch})`.execute(db);
  await sql`delete from file where digest in (select batch.digest from ${batch})`.execute(db);
  for (const { digest, size } of files) write.audit.add(by, 'file.removed', digest, `${size} bytes`);
  return { files, next };
}

/** Those that would be forgotten if the jobs that are due were gone. */
export async function listUnused(
  reader: Kysely<Tables>,
  asked: UnusedAsked & DueAsked,
): Promise<RemovedFiles> {
  const { now, olderThanSeconds, keepSeconds } = asked;
  const seconds =
    olderThanSeconds === null
      ? sql`coalesce(queue.keep_seconds, ${sql.lit(keepSeconds)})`
      : sql.lit(olderThanSeconds);
  const isUsed = sql`exists (
    select 1 from file_use join job on job.id = file_use.job left join queue on queue.name = job.queue
    where file_use.digest = page.digest and (job.ended is null or job.ended > ${now} - ${seconds} * 1000))`;
  return await readUnused(reader, asked, isUsed);
}

async function readUnused(
  db: Kysely<Tables>,
  { unusedSince, after, limit }: UnusedAsked,
  isUsed: RawBuilder<unknown>,
): Promise<RemovedFiles> {
  const [used = 0, digest = ''] = after === null ? [] : (JSON.parse(after) as [number, string]);
  const found = await sql<Row>`
    select page.digest, page.size, page.last_used, case when ${isUsed} then 1 else 0 end as is_used from (
      select digest, size, last_used from file
      where last_used <= ${unusedSince} and (last_used, digest) > (${used}, ${digest})
      order by last_used, digest limit ${limit}) as page
    order by page.last_used, page.digest`.execute(db);
  const last = found.rows.at(-1);
  return {
    files: found.rows.filter((row) => row.is_used === 0).map(fileRecord),
    next: last && found.rows.length === limit ? JSON.stringify([last.last_used, last.digest]) : null,
  };
}

const fileRecord = (row: Row): FileRecord => ({
  digest: row.digest,
  size: row.size,
  lastUsed: row.last_used,
});
