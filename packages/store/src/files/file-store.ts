import { type Kysely, sql } from 'kysely';
import type { FileRecord, FileStore } from './files.ts';
import type { Tables } from '../tables.ts';
import type { SqlWords } from '../sql-words.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { useFiles } from './use-files.ts';

interface Row {
  digest: string;
  size: number;
  last_used: number;
}

/** What is known about files; the bytes lie beside the database. */
export function fileStore(reader: Kysely<Tables>, { write }: GroupWriter, words: SqlWords): FileStore {
  return {
    addFile: ({ digest, size }, project, by) =>
      write(async ({ db, audit }) => {
        const held = await db
          .selectFrom('file')
          .select('size')
          .where('digest', '=', digest)
          .executeTakeFirst();
        if (held && held.size !== size) return 'conflict';
        await sql`
          insert into file (digest, size, last_used) values (${digest}, ${size}, ${by.now})
          on conflict (digest) do update set last_used = excluded.last_used`.execute(db);
        const added = await sql`
          insert into file_project (digest, project, added) values (${digest}, ${project}, ${by.now})
          on conflict (digest, project) do nothing`.execute(db);
        if (added.numAffectedRows !== 1n) return 'same';
        audit.add(by, 'file.added', digest, `${size} bytes for project ${project}`);
        return 'added';
      }),
    listKnown: async (digests, project) => {
      if (digests.length === 0) return [];
      const batch = words.batch(
        { digest: 'text' },
        digests.map((digest) => [digest]),
      );
      const found = await sql<Row>`
        select file.* from ${batch} cross join file_project cross join file
        where file_project.digest = batch.digest and file_project.project = ${project} and file.digest = batch.digest`.execute(
        reader,
      );
      return found.rows.map(fileRecord);
    },
    useFiles: (job, digests, as, by) => write((writing) => useFiles(writing, job, digests, as, by)),
    isUsedBy: async (job, digest) =>
      (await reader
        .selectFrom('file_use')
        .select('job')
        .where('job', '=', job)
        .where('digest', '=', digest)
        .executeTakeFirst()) !== undefined,
    isInputOf: async (job, digest) =>
      (await reader
        .selectFrom('file_use')
        .select('job')
        .where('job', '=', job)
        .where('digest', '=', digest)
        .where('is_input', '=', 1)
        .executeTakeFirst()) !== undefined,
    touchFile: (digest, now) =>
      write(async ({ db }) => {
        const done = await sql`update file set last_used = ${now} where digest = ${digest}`.execute(db);
        return done.numAffectedRows === 1n;
      }),
    readFile: async (digest) => {
      const row = await reader.selectFrom('file').selectAll().where('digest', '=', digest).executeTakeFirst();
      return row ? fileRecord(row) : null;
    },
  };
}

const fileRecord = (row: Row): FileRecord => ({
  digest: row.digest,
  size: row.size,
  lastUsed: row.last_used,
});
