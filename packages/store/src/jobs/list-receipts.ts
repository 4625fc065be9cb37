import { type Kysely, sql } from 'kysely';
import { boundedLimit, readCursor, writeCursor } from '../cursors.ts';
import { readReceiptText } from '../leases/receipt-text.ts';
import type { Page, PageAsked } from '../page.ts';
import type { ReceiptRecord } from './jobs.ts';
import type { ReceiptTable, Tables } from '../tables.ts';

type Row = ReceiptTable & { id: string };
interface Length {
  readonly bytes: number;
}

/** Two of the longest receipts: a page of five hundred of those would be more than a program can hold as one text. */
const PAGE_BYTES = 8 * 1024 * 1024;

/** In order of index, then attempt. A page ends where it is long enough, in rows or in bytes, and has one row at least. */
export async function listReceipts(
  db: Kysely<Tables>,
  job: string,
  asked: PageAsked & { readonly index?: number; readonly onlyAccepted?: boolean },
): Promise<Page<ReceiptRecord>> {
  const limit = boundedLimit(asked.limit);
  const [idx, attempt, digest] =
    asked.after === null ? [-1, 0, ''] : readCursor(asked.after, 'number', 'number', 'string');
  const wanted = sql`from receipt join job on job.seq = receipt.job
    where job.id = ${job} and (receipt.idx, receipt.attempt, receipt.digest) > (${idx}, ${attempt}, ${digest})
      ${asked.index === undefined ? sql`` : sql`and receipt.idx = ${asked.index}`}
      ${asked.onlyAccepted ? sql`and receipt.is_accepted = 1` : sql``}
    order by receipt.idx, receipt.attempt, receipt.digest`;
  // Their lengths stand before them: what is too long for this page is not read.
  const lengths = await sql<Length>`
    select octet_length(receipt.envelope) as bytes ${wanted} limit ${limit + 1}`.execute(db);
  const most = Math.min(limit, countFitting(lengths.rows));
  const found = await sql<Row>`select receipt.*, job.id ${wanted} limit ${most}`.execute(db);
  const last = found.rows.at(-1);
  return {
    items: found.rows.map(receiptRecord),
    next:
      lengths.rows.length > most && last !== undefined
        ? writeCursor([last.idx, last.attempt, last.digest])
        : null,
  };
}

function countFitting(lengths: readonly Length[]): number {
  let sum = 0;
  const tooMuch = lengths.findIndex(({ bytes }) => (sum += bytes) > PAGE_BYTES);
  return tooMuch === -1 ? lengths.length : Math.max(1, tooMuch);
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
