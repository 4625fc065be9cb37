import type { Kysely, Selectable } from 'kysely';
import type { Envelope } from '@writ/contract';
import type { InviteRecord, TrustStore } from './trust.ts';
import type { InviteTable, Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { boundedLimit, pageOf, readCursor } from '../cursors.ts';

export function inviteOperations(
  reader: Kysely<Tables>,
  { write }: GroupWriter,
): Pick<TrustStore, 'addInvite' | 'readInvite' | 'findInvite' | 'listInvites' | 'revokeInvite'> {
  return {
    addInvite: (invite, by) =>
      write(async ({ db, audit }) => {
        const held = await db
          .selectFrom('invite')
          .select('digest')
          .where((where) =>
            where.or([where('digest', '=', invite.digest), where('invite_key', '=', invite.inviteKey)]),
          )
          .executeTakeFirst();
        if (held) return held.digest === invite.digest ? 'same' : 'conflict';
        await db
          .insertInto('invite')
          .values({
            digest: invite.digest,
            invite_key: invite.inviteKey,
            role: invite.role,
            name: invite.name,
            until: invite.until,
            envelope: JSON.stringify(invite.envelope),
            created: by.now,
            revoked: null,
            admission: null,
          })
          .execute();
        audit.add(by, 'invite.added', invite.digest, `${invite.role} ${invite.name ?? ''}`);
        return 'added';
      }),
    readInvite: async (digest) => {
      const row = await reader
        .selectFrom('invite')
        .selectAll()
        .where('digest', '=', digest)
        .executeTakeFirst();
      return row ? inviteRecord(row) : null;
    },
    findInvite: async (inviteKey) => {
      const row = await reader
        .selectFrom('invite')
        .selectAll()
        .where('invite_key', '=', inviteKey)
        .executeTakeFirst();
      return row ? inviteRecord(row) : null;
    },
    listInvites: async (asked) => {
      const limit = boundedLimit(asked.limit);
      const after = asked.after === null ? '' : readCursor(asked.after, 'string')[0];
      const rows = await reader
        .selectFrom('invite')
        .selectAll()
        .where('digest', '>', after)
        .orderBy('digest')
        .limit(limit + 1)
        .execute();
      return pageOf(rows, limit, inviteRecord, (row) => [row.digest]);
    },
    revokeInvite: (digest, by) =>
      write(async ({ db, audit }) => {
        const done = await db
          .updateTable('invite')
          .set({ revoked: by.now })
          .where('digest', '=', digest)
          .where('revoked', 'is', null)
          .where('admission', 'is', null)
          .executeTakeFirst();
        const isDone = done.numUpdatedRows === 1n;
        audit.add(by, 'invite.revoked', digest, '', isDone ? 'done' : 'refused');
        return isDone;
      }),
  };
}

const inviteRecord = (row: Selectable<InviteTable>): InviteRecord => ({
  digest: row.digest,
  inviteKey: row.invite_key,
  role: row.role,
  name: row.name,
  until: row.until,
  envelope: JSON.parse(row.envelope) as Envelope,
  created: row.created,
  revoked: row.revoked,
  admission: row.admission,
});
