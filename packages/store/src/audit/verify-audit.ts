import { type Kysely, sql } from 'kysely';
import type { AuditRecord, AuditReport } from './audit.ts';
import type { Tables } from '../tables.ts';
import { BEFORE_FIRST, hashRecord } from './hash-record.ts';

const PAGE = 1000;

/** Walks the whole chain and names the first record that is not as it was written. */
export async function verifyAudit(db: Kysely<Tables>): Promise<AuditReport> {
  let seq = 0;
  let hash = BEFORE_FIRST;
  for (;;) {
    const page =
      await sql<AuditRecord>`select * from audit where seq > ${seq} order by seq limit ${PAGE}`.execute(db);
    for (const record of page.rows) {
      const bad = (fault: 'missing' | 'order' | 'hash') =>
        ({ isWhole: false, records: seq, firstBad: seq + 1, fault }) as const;
      if (record.seq !== seq + 1) return bad('missing');
      if (hashRecord(record) !== record.hash) return bad('hash');
      if (record.previous !== hash) return bad('order');
      seq = record.seq;
      hash = record.hash;
    }
    if (page.rows.length < PAGE) break;
  }
  const head = await readHead(db);
  // Records cut off at the end leave a chain that is whole in itself.
  if (head.seq !== seq || head.hash !== hash)
    return { isWhole: false, records: seq, firstBad: Math.min(seq, head.seq) + 1, fault: 'head' };
  return { isWhole: true, records: seq, head: hash };
}

export async function readHead(db: Kysely<Tables>): Promise<{ seq: number; hash: string }> {
  const found = await sql<{
    seq: number;
    hash: string;
  }>`select seq, hash from audit_head where id = 1`.execute(db);
  const { seq, hash } = found.rows[0] ?? { seq: 0, hash: BEFORE_FIRST };
  return { seq, hash };
}
