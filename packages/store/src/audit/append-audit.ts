import { sql } from 'kysely';
import type { AuditRecord } from './audit.ts';
import type { Cell, ColumnKind, RowShape } from '../sql-words.ts';
import type { AuditTable } from '../tables.ts';
import type { Write } from '../write.ts';
import type { AuditNote } from './audit-notes.ts';
import { BEFORE_FIRST, hashRecord } from './hash-record.ts';

const MAX_WORDS = 1000;
const MAX_DETAIL = 2000;

/** The last step of each transaction: its records continue the chain. */
export async function appendAudit(write: Write): Promise<void> {
  const notes = write.audit.list();
  if (notes.length === 0) return;
  const head = await sql<{
    seq: number;
    hash: string;
  }>`select seq, hash from audit_head where id = 1 ${write.words.lockRows}`.execute(write.db);
  let { seq, hash } = head.rows[0] ?? { seq: 0, hash: BEFORE_FIRST };
  const rows: Cell[][] = [];
  for (const note of notes) {
    const { time, outcome, count } = note;
    const [actor, source, action, object, detail] = [
      note.actor,
      note.source,
      note.action,
      note.object,
      detailOf(note),
    ].map(keepable) as [string, string, string, string, string];
    const record: Omit<AuditRecord, 'hash'> = {
      seq: seq + 1,
      time,
      actor,
      source,
      action,
      object,
      outcome,
      count,
      detail,
      previous: hash,
    };
    seq = record.seq;
    hash = hashRecord(record);
    rows.push([seq, time, actor, source, action, object, outcome, count, detail, record.previous, hash]);
  }
  await write.words.insertRows(write.db, AUDIT, rows);
  await sql`
    insert into audit_head (id, seq, hash) values (1, ${seq}, ${hash})
    on conflict (id) do update set seq = excluded.seq, hash = excluded.hash`.execute(write.db);
}

/** Halves of letters come back from a database as others, and NUL from PostgreSQL not at all: the hash would not fit. */
const keepable = (text: string): string => text.toWellFormed().replaceAll('\0', '\u{fffd}');

function detailOf(note: AuditNote): string {
  let text = note.words.slice(0, MAX_WORDS);
  for (const [at, [first, last]] of note.ranges.entries()) {
    const range = first === last ? `${first}` : `${first}-${last}`;
    if (text.length + range.length > MAX_DETAIL - 40)
      return `${text} and ${note.ranges.length - at} ranges more`;
    text += at === 0 ? `${text === '' ? '' : ' '}tasks ${range}` : `,${range}`;
  }
  return text;
}

const AUDIT: RowShape = {
  table: 'audit',
  columns: {
    seq: 'integer',
    time: 'integer',
    actor: 'text',
    source: 'text',
    action: 'text',
    object: 'text',
    outcome: 'text',
    count: 'integer',
    detail: 'text',
    previous: 'text',
    hash: 'text',
  } satisfies Record<keyof AuditTable, ColumnKind>,
  key: ['seq'],
};
