import type { Kysely, Selectable } from 'kysely';
import { digestOf } from '@writ/trust/digest';
import type { TokenRecord, TokenRole, TokenStore } from './tokens.ts';
import type { Tables, TokenTable } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { boundedLimit, pageOf, readCursor } from '../cursors.ts';

/** A token is 128 random bits or more: one hash of it is as good as a slow one. */
export function tokenStore(reader: Kysely<Tables>, { write }: GroupWriter): TokenStore {
  return {
    addToken: (token, secret, by) =>
      write(async ({ db, audit }) => {
        const held = await db.selectFrom('token').select('id').where('id', '=', token.id).executeTakeFirst();
        if (held) return 'conflict';
        await db
          .insertInto('token')
          .values({
            id: token.id,
            hash: digestOf(secret),
            name: token.name,
            role: token.role,
            person: token.person,
            created: by.now,
            expires: token.expires,
            last_used: null,
            revoked: null,
          })
          .execute();
        audit.add(by, 'token.added', token.id, `${token.role} ${token.name}`);
        return 'added';
      }),
    findToken: async (secret, now) => {
      const row = await reader
        .selectFrom('token')
        .selectAll()
        .where('hash', '=', digestOf(secret))
        .where('revoked', 'is', null)
        .where('expires', '>', now)
        .executeTakeFirst();
      return row ? tokenRecord(row) : null;
    },
    markUsed: (id, now) =>
      write(async ({ db }) => {
        await db.updateTable('token').set({ last_used: now }).where('id', '=', id).execute();
      }),
    listTokens: async (asked) => {
      const limit = boundedLimit(asked.limit);
      const after = asked.after === null ? '' : readCursor(asked.after, 'string')[0];
      const rows = await reader
        .selectFrom('token')
        .selectAll()
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit + 1)
        .execute();
      return pageOf(rows, limit, tokenRecord, (row) => [row.id]);
    },
    revokeToken: (id, by) =>
      write(async ({ db, audit }) => {
        const done = await db
          .updateTable('token')
          .set({ revoked: by.now })
          .where('id', '=', id)
          .where('revoked', 'is', null)
          .executeTakeFirst();
        const isDone = done.numUpdatedRows === 1n;
        audit.add(by, 'token.revoked', id, '', isDone ? 'done' : 'refused');
        return isDone;
      }),
  };
}

const tokenRecord = (row: Selectable<TokenTable>): TokenRecord => ({
  id: row.id,
  name: row.name,
  role: row.role as TokenRole,
  person: row.person,
  expires: row.expires,
  created: row.created,
  lastUsed: row.last_used,
  revoked: row.revoked,
});
