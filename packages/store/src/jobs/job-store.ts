import { type Kysely, sql } from 'kysely';
import type { EndReason, Envelope, RefusalCode } from '@writ/contract';
import type { SqlWords } from '../sql-words.ts';
import type { JobStore } from './jobs.ts';
import type { JobTable, Tables, TaskTable } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { boundedLimit } from '../cursors.ts';
import { jobRecord, restRecord, taskRecord } from './job-record.ts';
import { listAttempts } from './list-attempts.ts';
import { listJobs } from './list-jobs.ts';
import { listReceipts, readReceipt } from './list-receipts.ts';
import { listTasks } from './list-tasks.ts';
import { holdJob, setPriority } from './steer-job.ts';
import { submitJob } from './submit-job.ts';
import { takeNumber } from './take-number.ts';
import { addWithdrawal, listWithdrawals } from './withdrawals.ts';

const MOST_REFUSED = 1_000;

export function jobStore(reader: Kysely<Tables>, { write }: GroupWriter, words: SqlWords): JobStore {
  return {
    classId: async (text) => {
      const held = await sql<{ id: number }>`select id from class where class = ${text}`.execute(reader);
      if (held.rows[0]) return held.rows[0].id;
      return write(async (writing) => {
        const again = await sql<{ id: number }>`select id from class where class = ${text}`.execute(
          writing.db,
        );
        if (again.rows[0]) return again.rows[0].id;
        const id = await takeNumber(writing, 'class');
        await sql`insert into class (id, class) values (${id}, ${text})`.execute(writing.db);
        return id;
      });
    },
    listClasses: async () =>
      (await sql<{ id: number; class: string }>`select id, class from class order by id`.execute(reader))
        .rows,
    classesWithWork: async (now) => {
      const found = await sql<{ id: number }>`
        select id from class
        where exists (select 1 from job where job.class = class.id and n_waiting > 0 and is_ready = 1 and not_after > ${now})
          or exists (select 1 from job where job.class = class.id and n_waiting > 0 and is_ready = 0 and is_held = 0 and not_before <= ${now})
        order by id`.execute(reader);
      return found.rows.map((row) => row.id);
    },
    hold: (job, isHeld, by) => write((writing) => holdJob(writing, job, isHeld, by)),
    setPriority: (job, priority, by) => write((writing) => setPriority(writing, job, priority, by)),
    submit: (job, by, inputs = []) => write((writing) => submitJob(writing, job, by, inputs)),
    readJob: async (id) => {
      const found = await sql<JobTable & { command: string }>`
        select job.*, job_order.command from job join job_order on job_order.job = job.seq where job.id = ${id}`.execute(
        reader,
      );
      return found.rows[0] ? jobRecord(found.rows[0]) : null;
    },
    readOrder: async (id) => {
      const found = await sql<{ digest: string; envelope: string }>`
        select job.digest, job_order.envelope from job join job_order on job_order.job = job.seq where job.id = ${id}`.execute(
        reader,
      );
      const row = found.rows[0];
      return row ? { digest: row.digest, envelope: JSON.parse(row.envelope) as Envelope } : null;
    },
    listJobs: (asked) => listJobs(reader, words, asked),
    readTask: async (id, index) => {
      const job = (await sql<JobTable>`select * from job where id = ${id}`.execute(reader)).rows[0];
      if (!job || index < job.first_index || index >= job.first_index + job.size) return null;
      const row = (
        await sql<TaskTable>`select * from task where job = ${job.seq} and idx = ${index}`.execute(reader)
      ).rows[0];
      return row ? taskRecord(id, row) : restRecord(job, index);
    },
    listTasks: (job, asked) => listTasks(reader, job, asked),
    listAttempts: (job, index) => listAttempts(reader, job, index),
    listReceipts: (job, asked) => listReceipts(reader, job, asked),
    readReceipt: (job, index, digest) => readReceipt(reader, job, index, digest),
    listChanges: async (job, after, limit) => {
      // A change number is never split between two answers: whoever resumes after it would miss the rest.
      const found = await sql<TaskTable>`
        select * from task where job = (select seq from job where id = ${job}) and change > ${after} and change <= (
          select max(change) from (
            select change from task where job = (select seq from job where id = ${job}) and change > ${after}
            order by change limit ${sql.lit(boundedLimit(limit))}) as first)
        order by change, idx`.execute(reader);
      return found.rows.map((row) => taskRecord(job, row));
    },
    newestChange: async () =>
      (await sql<{ value: number }>`select value from counter where name = 'change'`.execute(reader)).rows[0]
        ?.value ?? 0,
    addWithdrawal: (withdrawal, by) => write((writing) => addWithdrawal(writing, withdrawal, by)),
    listWithdrawals: (asked) => listWithdrawals(reader, asked),
    listRefused: async (identity) => {
      const found = await sql<{ job: string; because: EndReason | RefusalCode }>`
        select job.id as job, receipt.because from receipt join job on job.seq = receipt.job
        where receipt.identity = ${identity} and receipt.outcome = 'refused' and job.n_waiting > 0
        group by job.seq, job.id, receipt.because order by job.seq desc limit ${sql.lit(MOST_REFUSED)}`.execute(
        reader,
      );
      return found.rows;
    },
  };
}
