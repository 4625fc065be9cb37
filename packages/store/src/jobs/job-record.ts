import type { EndReason, RefusalCode, TaskCounts } from '@writ/contract';
import { TASK_STATES } from '@writ/contract';
import type { CancelHow, Exit, JobRecord, TaskRecord } from './jobs.ts';
import type { JobTable, TaskTable } from '../tables.ts';

export function countsOf(row: JobTable): TaskCounts {
  return Object.fromEntries(TASK_STATES.map((state) => [state, row[`n_${state}`]])) as unknown as TaskCounts;
}

export function jobRecord(row: JobTable & { readonly command: string }): JobRecord {
  return {
    id: row.id,
    digest: row.digest,
    person: row.person,
    project: row.project,
    queue: row.queue,
    class: row.class,
    priority: row.priority,
    firstIndex: row.first_index,
    size: row.size,
    maxAttempts: row.max_attempts,
    retryOnFailure: row.retry_on_failure === 1,
    isOnce: row.is_once === 1,
    notBefore: row.not_before,
    notAfter: row.not_after,
    command: JSON.parse(row.command) as string[],
    submittedBy: row.submitted_by,
    seq: row.seq,
    state: row.state,
    counts: countsOf(row),
    submitted: row.submitted,
    started: row.started,
    ended: row.ended,
    change: row.change,
    isHeld: row.is_held === 1,
  };
}

export function taskRecord(job: string, row: TaskTable): TaskRecord {
  return {
    job,
    index: row.idx,
    state: row.state,
    because: row.because as EndReason | RefusalCode | null,
    attempt: row.attempt,
    token:
      row.token_epoch === null || row.token_n === null ? null : { epoch: row.token_epoch, n: row.token_n },
    identity: row.identity,
    exit: row.exit === null ? null : (JSON.parse(row.exit) as Exit),
    started: row.started,
    ended: row.ended,
    receipt: row.receipt,
    cancelAsked: row.cancel_how as CancelHow | null,
    change: row.change,
  };
}

/** A task without a row: it was never leased. */
export function restRecord(job: JobTable, index: number): TaskRecord {
  return {
    job: job.id,
    index,
    state: job.rest,
    because: job.rest_because as EndReason | RefusalCode | null,
    attempt: 0,
    token: null,
    identity: null,
    exit: null,
    started: null,
    ended: job.rest === 'waiting' ? null : job.ended,
    receipt: null,
    cancelAsked: null,
    change: job.change,
  };
}

/** How many tasks have no row. */
export const restSize = (job: JobTable): number => job.first_index + job.size - job.next_index - job.holes;
