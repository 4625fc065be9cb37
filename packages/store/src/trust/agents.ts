import type { Kysely, Selectable } from 'kysely';
import { sql } from 'kysely';
import type { Envelope } from '@writ/contract';
import type { AgentRecord, AgentState, TrustStore } from './trust.ts';
import type { AgentTable, Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { boundedLimit, pageOf, readCursor } from '../cursors.ts';

export function agentReads(
  reader: Kysely<Tables>,
): Pick<TrustStore, 'readAgent' | 'findAgent' | 'listAgents' | 'listStopped' | 'listDrained'> {
  return {
    listDrained: async () => {
      const rows = await reader.selectFrom('agent').select('identity').where('is_drained', '=', 1).execute();
      return rows.map((row) => row.identity);
    },
    readAgent: async (identity) => {
      const row = await reader
        .selectFrom('agent')
        .selectAll()
        .where('identity', '=', identity)
        .executeTakeFirst();
      return row ? agentRecord(row) : null;
    },
    findAgent: async (name) => {
      const row = await reader
        .selectFrom('agent')
        .selectAll()
        .where('name', '=', name)
        .where('state', '<>', 'evicted')
        .executeTakeFirst();
      return row ? agentRecord(row) : null;
    },
    listAgents: async (asked) => {
      const limit = boundedLimit(asked.limit);
      const after = asked.after === null ? '' : readCursor(asked.after, 'string')[0];
      const rows = await reader
        .selectFrom('agent')
        .selectAll()
        .where('state', '<>', 'evicted')
        .where('name', '>', after)
        .orderBy('name')
        .limit(limit + 1)
        .execute();
      return pageOf(rows, limit, agentRecord, (row) => [row.name]);
    },
    listStopped: async () => {
      const rows = await reader
        .selectFrom('agent')
        .select(['identity', 'state'])
        .where('state', '<>', 'active')
        .execute();
      return rows.map((row) => ({ identity: row.identity, state: row.state as AgentState }));
    },
  };
}

export function agentWrites({
  write,
}: GroupWriter): Pick<TrustStore, 'describeAgent' | 'markSeen' | 'setAgentState' | 'drainAgent'> {
  return {
    describeAgent: (identity, description, by) =>
      write(async ({ db, audit }) => {
        const done = await db
          .updateTable('agent')
          .set({ description: JSON.stringify(description), last_seen: by.now })
          .where('identity', '=', identity)
          .executeTakeFirst();
        if (done.numUpdatedRows === 1n) audit.add(by, 'agent.described', identity);
        return done.numUpdatedRows === 1n;
      }),
    markSeen: (identities, now) =>
      write(async ({ db, words }) => {
        if (identities.length === 0) return;
        const batch = words.batch(
          { identity: 'text' },
          identities.map((identity) => [identity]),
        );
        await sql`update agent set last_seen = ${now} from ${batch} where agent.identity = batch.identity`.execute(
          db,
        );
      }),
    drainAgent: (identity, isDrained, by) =>
      write(async ({ db, audit }) => {
        const done = await db
          .updateTable('agent')
          .set({ is_drained: isDrained ? 1 : 0 })
          .where('identity', '=', identity)
          .where('is_drained', '=', isDrained ? 0 : 1)
          .executeTakeFirst();
        if (done.numUpdatedRows === 1n)
          audit.add(by, isDrained ? 'agent.drained' : 'agent.resumed', identity);
      }),
    setAgentState: (identity, state, reason, by) =>
      write(async ({ db, audit }) => {
        const done = await db
          .updateTable('agent')
          .set({ state, reason })
          .where('identity', '=', identity)
          .where('state', '<>', 'evicted')
          .executeTakeFirst();
        const isDone = done.numUpdatedRows === 1n;
        if (isDone && state === 'evicted') {
          await db.updateTable('admission').set({ is_current: 0 }).where('identity', '=', identity).execute();
          await db
            .updateTable('leaf')
            .set({ state: 'revoked' })
            .where('identity', '=', identity)
            .where('state', '=', 'active')
            .execute();
        }
        audit.add(by, `agent.${state}`, identity, reason ?? '', isDone ? 'done' : 'refused');
        return isDone;
      }),
  };
}

const agentRecord = (row: Selectable<AgentTable>): AgentRecord => ({
  identity: row.identity,
  name: row.name,
  admission: row.admission,
  state: row.state as AgentState,
  reason: row.reason,
  description: row.description === null ? null : (JSON.parse(row.description) as Envelope),
  lastSeen: row.last_seen,
  receiptSeq: row.receipt_seq,
  tasksDone: row.tasks_done,
  isDrained: row.is_drained === 1,
});
