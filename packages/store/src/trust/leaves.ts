import type { Kysely, Selectable } from 'kysely';
import type { LeafRecord, LeafState, NewLeaf, TrustStore } from './trust.ts';
import type { LeafTable, Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';

/** Leaves given for one request, each after the one before could not be used. */
const MOST_OF_A_KEY = 100;

type LeafKey = Parameters<TrustStore['findLeaf']>[0];

export function leafOperations(
  reader: Kysely<Tables>,
  { write }: GroupWriter,
): Pick<TrustStore, 'addLeaf' | 'readLeaf' | 'findLeaf' | 'activeLeaf' | 'revokeLeaf'> {
  return {
    addLeaf: (leaf, by) =>
      write(async ({ db, audit }) => {
        const same = await findLeaf(db, leaf);
        // One that begins later was made while this server's clock was ahead: nobody can use it now.
        const holds = same !== null && same.notBefore <= by.now && same.notAfter > by.now;
        if (holds && same.state !== 'revoked') return { is: 'same', leaf: same };
        const active = await activeLeaf(db, leaf.identity);
        // Its answer was lost, and it expired (or has not begun) before it was asked for again: the same request continues the same leaf.
        const isAgain = same !== null && same.serial === active?.serial;
        // With an expired leaf nobody can prove to hold it: then the identity key alone asks.
        const isNext =
          isAgain ||
          (leaf.previous === null ? !active || active.notAfter <= by.now : active?.serial === leaf.previous);
        if (!isNext) {
          audit.add(
            by,
            'leaf.issued',
            leaf.identity,
            `${leaf.previous ?? 'none'} is not its active leaf`,
            'refused',
          );
          return { is: 'stale' };
        }
        if (active)
          await db
            .updateTable('leaf')
            .set({ state: 'replaced' })
            .where('serial', '=', active.serial)
            .execute();
        await db
          .insertInto('leaf')
          .values({
            serial: leaf.serial,
            identity: leaf.identity,
            tls_key_digest: leaf.tlsKeyDigest,
            not_before: leaf.notBefore,
            not_after: leaf.notAfter,
            previous: leaf.previous,
            chain: JSON.stringify(leaf.chain),
            state: 'active',
          })
          .execute();
        audit.add(by, 'leaf.issued', leaf.identity, `serial ${leaf.serial} after ${leaf.previous ?? 'none'}`);
        return { is: 'added', leaf: { ...leaf, chain: [...leaf.chain], state: 'active' } };
      }),
    readLeaf: async (serial) => {
      const row = await reader.selectFrom('leaf').selectAll().where('serial', '=', serial).executeTakeFirst();
      return row ? leafRecord(row) : null;
    },
    findLeaf: (asked) => findLeaf(reader, asked),
    activeLeaf: (identity) => activeLeaf(reader, identity),
    revokeLeaf: (serial, by) =>
      write(async ({ db, audit }) => {
        const done = await db
          .updateTable('leaf')
          .set({ state: 'revoked' })
          .where('serial', '=', serial)
          .where('state', '<>', 'revoked')
          .executeTakeFirst();
        const isDone = done.numUpdatedRows === 1n;
        audit.add(by, 'leaf.revoked', serial, '', isDone ? 'done' : 'refused');
        return isDone;
      }),
  };
}

async function findLeaf(
  db: Kysely<Tables>,
  { identity, tlsKeyDigest, previous }: LeafKey | NewLeaf,
): Promise<LeafRecord | null> {
  const rows = await db
    .selectFrom('leaf')
    .selectAll()
    .where('identity', '=', identity)
    .where('tls_key_digest', '=', tlsKeyDigest)
    .where('previous', previous === null ? 'is' : '=', previous)
    .orderBy('not_after', 'desc')
    .limit(MOST_OF_A_KEY)
    .execute();
  const row = rows.find(({ state }) => state === 'active') ?? rows[0];
  return row ? leafRecord(row) : null;
}

async function activeLeaf(db: Kysely<Tables>, identity: string): Promise<LeafRecord | null> {
  const row = await db
    .selectFrom('leaf')
    .selectAll()
    .where('identity', '=', identity)
    .where('state', '=', 'active')
    .executeTakeFirst();
  return row ? leafRecord(row) : null;
}

const leafRecord = (row: Selectable<LeafTable>): LeafRecord => ({
  serial: row.serial,
  identity: row.identity,
  tlsKeyDigest: row.tls_key_digest,
  notBefore: row.not_before,
  notAfter: row.not_after,
  previous: row.previous,
  chain: JSON.parse(row.chain) as string[],
  state: row.state as LeafState,
});
