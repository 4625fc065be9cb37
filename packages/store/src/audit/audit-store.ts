import type { Kysely } from 'kysely';
import type { AuditStore } from './audit.ts';
import type { Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { boundedLimit, pageOf, readCursor } from '../cursors.ts';
import { readHead, verifyAudit } from './verify-audit.ts';

export function auditStore(reader: Kysely<Tables>, { write }: GroupWriter): AuditStore {
  return {
    record: ({ action, object, outcome, detail, by }) =>
      write(async ({ audit }) => {
        audit.add(by, action, object, detail, outcome);
      }),
    listRecords: async (asked) => {
      const limit = boundedLimit(asked.limit);
      const before = asked.after === null ? Number.MAX_SAFE_INTEGER : readCursor(asked.after, 'number')[0];
      let query = reader.selectFrom('audit').selectAll().where('seq', '<', before);
      if (asked.object !== undefined) query = query.where('object', '=', asked.object);
      if (asked.actor !== undefined) query = query.where('actor', '=', asked.actor);
      const rows = await query
        .orderBy('seq', 'desc')
        .limit(limit + 1)
        .execute();
      return pageOf(
        rows,
        limit,
        (row) => ({ ...row }),
        (row) => [row.seq],
      );
    },
    head: () => readHead(reader),
    // One reading transaction sees one state, whatever is written meanwhile.
    verifyAudit: () =>
      reader
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute((snapshot) => verifyAudit(snapshot)),
  };
}
