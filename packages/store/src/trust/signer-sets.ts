import type { Kysely, Selectable } from 'kysely';
import type { Envelope } from '@writ/contract';
import type { FreshnessRecord, SetRecord, TrustStore } from './trust.ts';
import type { Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { boundedLimit } from '../cursors.ts';

export function setOperations(
  reader: Kysely<Tables>,
  { write }: GroupWriter,
): Pick<TrustStore, 'addSets' | 'newestSet' | 'listSets' | 'leaveFreshness' | 'readFreshness'> {
  return {
    addSets: ({ after, newest: next, before = [], by }) =>
      write(async ({ db, audit }) => {
        const { digest, version } = next;
        const sets = [...before, next];
        const known = await db
          .selectFrom('signer_set')
          .select('digest')
          .where(
            'digest',
            'in',
            sets.map((set) => set.digest),
          )
          .execute();
        const isKnown = new Set(known.map((row) => row.digest));
        if (isKnown.has(digest)) return 'same';
        const newest = await newestSet(db);
        if (newest?.digest !== after) {
          audit.add(
            by,
            'set.added',
            digest,
            `version ${version} after ${after}, but the newest is ${newest?.digest ?? 'none'}`,
            'refused',
          );
          return 'conflict';
        }
        const rows = sets
          .filter((set) => !isKnown.has(set.digest))
          .map((set, at) => ({
            place: newest.place + 1 + at,
            version: set.version,
            digest: set.digest,
            envelope: JSON.stringify(set.envelope),
            added: by.now,
          }));
        await db.insertInto('signer_set').values(rows).execute();
        for (const row of rows) audit.add(by, 'set.added', row.digest, `version ${row.version}`);
        return 'added';
      }),
    newestSet: () => newestSet(reader),
    listSets: async (afterPlace, limit = 1000) => {
      const rows = await reader
        .selectFrom('signer_set')
        .selectAll()
        .where('place', '>', afterPlace)
        .orderBy('place')
        .limit(boundedLimit(limit))
        .execute();
      return rows.map(setRecord);
    },
    leaveFreshness: ({ setVersion, setDigest, time, envelope, by }) =>
      write(async ({ db, audit }) => {
        const held = await readFreshness(db);
        if (held && held.time >= time) return 'older';
        const row = {
          set_version: setVersion,
          set_digest: setDigest,
          time,
          envelope: JSON.stringify(envelope),
        };
        await db
          .insertInto('freshness')
          .values({ id: 1, ...row })
          .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
          .execute();
        audit.add(by, 'set.fresh', setDigest, `version ${setVersion}`);
        return 'newer';
      }),
    readFreshness: () => readFreshness(reader),
  };
}

async function newestSet(db: Kysely<Tables>): Promise<SetRecord | null> {
  const row = await db
    .selectFrom('signer_set')
    .selectAll()
    .orderBy('place', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row ? setRecord(row) : null;
}

async function readFreshness(db: Kysely<Tables>): Promise<FreshnessRecord | null> {
  const row = await db.selectFrom('freshness').selectAll().executeTakeFirst();
  if (!row) return null;
  return {
    setVersion: row.set_version,
    setDigest: row.set_digest,
    time: row.time,
    envelope: JSON.parse(row.envelope) as Envelope,
  };
}

const setRecord = (row: Selectable<Tables['signer_set']>): SetRecord => ({
  place: row.place,
  version: row.version,
  digest: row.digest,
  envelope: JSON.parse(row.envelope) as Envelope,
  added: row.added,
});
