import { type Kysely, sql } from 'kysely';
import type { AttemptOutcome, EndReason, RefusalCode } from '@writ/contract';
import type { AttemptRecord } from './jobs.ts';
import type { Tables } from '../tables.ts';

interface Row {
  idx: number;
  attempt: number;
  token_epoch: number;
  token_n: number;
  identity: string;
  outcome: string | null;
  because: string | null;
  ended: number | null;
  receipt: string | null;
}

/** Ended ones from what was lost and what was accepted, and the open one from the task. In order of their tokens. */
export async function listAttempts(
  db: Kysely<Tables>,
  job: string,
  index: number,
): Promise<readonly AttemptRecord[]> {
  const found = await sql<Row>`
    select idx, attempt, token_epoch, token_n, identity, outcome, because, ended, null as receipt from lost_attempt
      where job = (select seq from job where id = ${job}) and idx = ${index}
    union all
    select idx, attempt, token_epoch, token_n, identity, outcome, because, received as ended, digest as receipt from receipt
      where job = (select seq from job where id = ${job}) and idx = ${index} and is_accepted = 1
    union all
    select idx, attempt, token_epoch, token_n, identity, null as outcome, null as because, null as ended, null as receipt from task
      where job = (select seq from job where id = ${job}) and idx = ${index} and state in ('leased', 'running')
    order by token_epoch, token_n`.execute(db);
  return found.rows.map((row) => ({
    index: row.idx,
    attempt: row.attempt,
    token: { epoch: row.token_epoch, n: row.token_n },
    identity: row.identity,
    outcome: row.outcome as AttemptOutcome | null,
    because: row.because as EndReason | RefusalCode | null,
    ended: row.ended,
    receipt: row.receipt,
  }));
}
