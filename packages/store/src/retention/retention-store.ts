import { type Kysely, sql } from 'kysely';
import type { SqlWords } from '../sql-words.ts';
import type { RetentionStore } from './retention.ts';
import type { Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { countDue } from './count-due.ts';
import { forgetClasses } from './forget-classes.ts';
import { forgetOrders } from './forget-orders.ts';
import { listUnused, removeFiles } from './remove-files.ts';
import { removeJobs } from './remove-jobs.ts';
import { finishRemoved, sweepRemoved } from './sweep-removed.ts';

export function retentionStore(
  reader: Kysely<Tables>,
  { write }: GroupWriter,
  words: SqlWords,
): RetentionStore {
  return {
    countDue: (asked) => countDue(reader, words, asked),
    listUnused: (asked) => listUnused(reader, asked),
    removeJobs: (asked, by) => write((writing) => removeJobs(writing, asked, by)),
    sweepRemoved: (limit) => write((writing) => sweepRemoved(writing, limit)),
    finishRemoved: (jobs) => write((writing) => finishRemoved(writing, jobs)),
    wasRemoved: async (job) => {
      const marks = await sql`select id from removed_job where id = ${job}`.execute(reader);
      return marks.rows.length > 0;
    },
    removeFiles: (asked, by) => write((writing) => removeFiles(writing, asked, by)),
    forgetClasses: (ids) => write((writing) => forgetClasses(writing, ids)),
    forgetOrders: (asked, by) => write((writing) => forgetOrders(writing, asked, by)),
  };
}
