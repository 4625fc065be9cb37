import { digestOf } from '@writ/trust/digest';
import type { AuditRecord } from './audit.ts';

/** What the first record follows. */
export const BEFORE_FIRST = `sha256:${'0'.repeat(64)}`;

/** A JSON array of texts and whole numbers has one spelling: no two records share it. */
export function hashRecord(record: Omit<AuditRecord, 'hash'>): string {
  const { previous, seq, time, actor, source, action, object, outcome, count, detail } = record;
  return digestOf(
    `writ-audit-1\n${JSON.stringify([previous, seq, time, actor, source, action, object, outcome, count, detail])}`,
  );
}
