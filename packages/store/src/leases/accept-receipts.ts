import { sql } from 'kysely';
import { JobChanges } from '../jobs/change-jobs.ts';
import type { By } from '../by.ts';
import type { ReceiptAnswer, ReceiptOffered } from './leases.ts';
import type { Cell, ColumnKind, RowShape } from '../sql-words.ts';
import type { ReceiptTable, TaskTable } from '../tables.ts';
import type { Write } from '../write.ts';
import { isHeld, loadHeld } from './held-tasks.ts';
import { receiptText } from './receipt-text.ts';

/** Jobs are numbered from 1: receipts for none are kept here. */
const NO_JOB = 0;

/** Stores every receipt, and lets those of present leases end their tasks. The same receipt again gets the same answer. */
export async function acceptReceipts(
  write: Write,
  receipts: readonly ReceiptOffered[],
  by: By,
): Promise<readonly ReceiptAnswer[]> {
  if (receipts.length === 0) return [];
  const changes = new JobChanges(write, by);
  const jobs = await changes.loadJobsById(receipts.map((receipt) => receipt.job));
  const jobOf = (receipt: ReceiptOffered): number => jobs.get(receipt.job)?.seq ?? NO_JOB;
  const known = await readKnown(write, receipts, jobOf);
  const tasks = await loadHeld(changes, receipts);
  const fresh: { receipt: ReceiptOffered; answer: ReceiptAnswer; job: number }[] = [];
  const answers = receipts.map((receipt, at) => {
    const before = known.get(receipt.digest);
    if (before) return { ...before, seq: receipt.seq, isDuplicate: true, state: null };
    const answer = judge(changes, receipt, tasks[at]);
    known.set(receipt.digest, answer);
    fresh.push({ receipt, answer, job: jobOf(receipt) });
    if (answer.is !== 'accepted')
      write.audit.add(
        by,
        'receipt.refused',
        receipt.job,
        `${answer.code} from ${receipt.identity}`,
        'refused',
      );
    return answer;
  });
  await changes.save();
  await insertReceipts(write, fresh, by);
  await creditAgents(write, fresh);
  return answers;
}

function judge(changes: JobChanges, receipt: ReceiptOffered, task: TaskTable | undefined): ReceiptAnswer {
  const said = { digest: receipt.digest, seq: receipt.seq, isDuplicate: false };
  if (receipt.refusedBy !== undefined)
    return { ...said, is: 'refused', code: receipt.refusedBy, state: null };
  if (!task || !isHeld(task, receipt)) return { ...said, is: 'stale', code: 'lease.stale', state: null };
  const job = changes.job(task.job);
  task.exit = receipt.exit === null ? null : JSON.stringify(receipt.exit);
  task.started = receipt.started ?? task.started;
  task.receipt = receipt.digest;
  if (task.started !== null) job.started = Math.min(job.started ?? Number.MAX_SAFE_INTEGER, task.started);
  const state = changes.endAttempt(task, { outcome: receipt.outcome, because: receipt.because });
  return { ...said, is: 'accepted', code: null, state };
}

async function readKnown(
  write: Write,
  receipts: readonly ReceiptOffered[],
  jobOf: (receipt: ReceiptOffered) => number,
): Promise<Map<string, ReceiptAnswer>> {
  const batch = write.words.batch(
    { job: 'integer', idx: 'integer', attempt: 'integer' },
    receipts.map((receipt) => [jobOf(receipt), receipt.index, receipt.attempt]),
  );
  const found = await sql<{ digest: string; is_accepted: number; code: string | null }>`
    select receipt.digest, receipt.is_accepted, receipt.code from ${batch} cross join receipt
    where receipt.job = batch.job and receipt.idx = batch.idx and receipt.attempt = batch.attempt`.execute(
    write.db,
  );
  return new Map(
    found.rows.map(({ digest, is_accepted, code }) => {
      const is = is_accepted === 1 ? 'accepted' : code === 'lease.stale' ? 'stale' : 'refused';
      return [digest, { digest, seq: 0, is, isDuplicate: true, code, state: null }];
    }),
  );
}

async function insertReceipts(
  write: Write,
  fresh: readonly { receipt: ReceiptOffered; answer: ReceiptAnswer; job: number }[],
  by: By,
): Promise<void> {
  if (fresh.length === 0) return;
  const rows = fresh.map(({ receipt, answer, job }): Cell[] => [
    job,
    receipt.index,
    receipt.attempt,
    receipt.digest,
    receipt.token.epoch,
    receipt.token.n,
    receipt.identity,
    receipt.admission,
    answer.is === 'accepted' ? 1 : 0,
    answer.code,
    receipt.outcome,
    receipt.because,
    receipt.ended,
    by.now,
    receiptText(receipt.envelope),
  ]);
  await write.words.insertRows(write.db, RECEIPT, rows);
}

async function creditAgents(
  write: Write,
  fresh: readonly { receipt: ReceiptOffered; answer: ReceiptAnswer }[],
): Promise<void> {
  const credits = new Map<string, { seq: number; done: number }>();
  for (const { receipt, answer } of fresh) {
    const credit = credits.get(receipt.identity) ?? { seq: 0, done: 0 };
    credit.seq = Math.max(credit.seq, receipt.seq);
    if (answer.is === 'accepted' && receipt.outcome !== 'refused' && receipt.outcome !== 'lost')
      credit.done += 1;
    credits.set(receipt.identity, credit);
  }
  const batch = write.words.batch(
    { identity: 'text', seq: 'integer', done: 'integer' },
    [...credits].map(([identity, { seq, done }]) => [identity, seq, done]),
  );
  await sql`
    update agent set
      receipt_seq = case when batch.seq > receipt_seq then batch.seq else receipt_seq end,
      tasks_done = tasks_done + batch.done
    from ${batch} where agent.identity = batch.identity`.execute(write.db);
}

const RECEIPT: RowShape = {
  table: 'receipt',
  columns: {
    job: 'integer',
    idx: 'integer',
    attempt: 'integer',
    digest: 'text',
    token_epoch: 'integer',
    token_n: 'integer',
    identity: 'text',
    admission: 'text',
    is_accepted: 'integer',
    code: 'text',
    outcome: 'text',
    because: 'text',
    ended: 'integer',
    received: 'integer',
    envelope: 'text',
  } satisfies Record<keyof ReceiptTable, ColumnKind>,
  key: ['job', 'idx', 'attempt', 'digest'],
};
