import { type Kysely, sql } from 'kysely';
import type { CancelHow } from '../jobs/jobs.ts';
import type { OpenLease } from './leases.ts';
import type { Tables, TaskTable } from '../tables.ts';

export async function listOpen(db: Kysely<Tables>, identity: string): Promise<readonly OpenLease[]> {
  const found = await sql<TaskTable & { id: string }>`
    select task.*, job.id from task join job on job.seq = task.job
    where task.lease_until is not null and task.identity = ${identity}
    order by task.job, task.idx`.execute(db);
  return found.rows.map((row) => openLease(row.id, row));
}

/** When the next lease ends, or the next order with waiting tasks. */
export async function nextLapse(db: Kysely<Tables>): Promise<number | null> {
  const found = await sql<{
    at: number | null;
  }>`select min(lease_until) as at from task where lease_until is not null`.execute(db);
  return found.rows[0]?.at ?? null;
}

export async function nextExpiry(db: Kysely<Tables>): Promise<number | null> {
  const found = await sql<{
    at: number | null;
  }>`select min(not_after) as at from job where n_waiting > 0`.execute(db);
  return found.rows[0]?.at ?? null;
}

/** Not every database returns rows in the order of a key that nobody asked for. */
export const byIndex = (a: TaskTable, b: TaskTable): number => a.job - b.job || a.idx - b.idx;

export function openLease(job: string, task: TaskTable): OpenLease {
  return {
    job,
    index: task.idx,
    attempt: task.attempt,
    token: { epoch: task.token_epoch ?? 0, n: task.token_n ?? 0 },
    identity: task.identity ?? '',
    state: task.state === 'running' ? 'running' : 'leased',
    until: task.lease_until ?? 0,
    cancelAsked: task.cancel_how as CancelHow | null,
  };
}
