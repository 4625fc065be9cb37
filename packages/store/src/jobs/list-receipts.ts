import { type Kysely, sql } from 'kysely';
import { boundedLimit, pageOf, readCursor } from '../cursors.ts';
import { readReceiptText } from '../leases/receipt-text.ts';
import type { Page, PageAsked, ReceiptRecord } from '../store.ts';
import type { ReceiptTable, Tables } from '../tables.ts';

type Row = ReceiptTable & { id: string };

/** In order of index, then attempt. */
export async function listReceipts(
  db: Kysely<Tables>,
  job: string,
  asked: PageAsked & { readonly index?: number; readonly onlyAccepted?: boolean },
): Promise<Page<ReceiptRecord>> {
  const limit = boundedLimit(asked.limit);
  const [idx, attempt, digest] =
    asked.after === null ? [-1, 0, ''] : readCursor(asked.after, 'number', 'number', 'string');
  const found = await sql<Row>`
    select receipt.*, job.id from receipt join job on job.seq = receipt.job
    where job.id = ${job} and (receipt.idx, receipt.attempt, receipt.digest) > (${idx}, ${attempt}, ${digest})
      ${asked.index === undefined ? sql`` : sql`and receipt.idx = ${asked.index}`}
      ${asked.onlyAccepted ? sql`and receipt.is_accepted = 1` : sql``}
    order by receipt.idx, receipt.attempt, receipt.digest limit ${limit + 1}`.execute(db);
  return pageOf(found.rows, limit, receiptRecord, (row) => [row.idx, row.attempt, row.digest]);
}

export async function readReceipt(
  db: Kysely<Tables>,
  job: string,
  index: number,
  digest: string,
): Promise<ReceiptRecord | null> {
  const found = await sql<Row>`
    select receipt.*, job.id from receipt join job on job.seq = receipt.job
    where receipt.job = (select seq from job where id = ${job}) and receipt.idx = ${index} and receipt.digest = ${digest}`.execute(
    db,
  );
  const row = found.rows[0];
  return row ? receiptRecord(row) : null;
}

function receiptRecord(row: Row): ReceiptRecord {
  return {
    digest: row.digest,
    job: row.id,
    index: row.idx,
    attempt: row.attempt,
    token: { epoch: row.token_epoch, n: row.token_n },
    identity: row.identity,
    admission: row.admission,
    isAccepted: row.is_accepted === 1,
    code: row.code,
    received: row.received,
    envelope: readReceiptText(row.envelope),
  };
}
