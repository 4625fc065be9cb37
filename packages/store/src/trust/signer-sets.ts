import type { Kysely, Selectable } from 'kysely';
import type { Envelope } from '@writ/contract';
import type { FreshnessRecord, SetRecord, TrustStore } from './trust.ts';
import type { Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { boundedLimit } from '../cursors.ts';

export function setOperations(
  reader: Kysely<Tables>,
  { write }: GroupWriter,
): Pick<TrustStore, 'addSet' | 'newestSet' | 'listSets' | 'leaveFreshness' | 'readFreshness'> {
  return {
    addSet: ({ after, version, digest, envelope, by }) =>
      write(async ({ db, audit }) => {
        const same = await db
          .selectFrom('signer_set')
          .select('version')
          .where('digest', '=', digest)
          .executeTakeFirst();
        if (same) return 'same';
        const newest = await newestSet(db);
        if (newest?.version !== after || version <= after) {
          audit.add(
            by,
            'set.added',
            digest,
            `version ${version} after ${after}, but the newest is ${newest?.version ?? 0}`,
            'refused',
          );
          return 'conflict';
        }
        await db
          .insertInto('signer_set')
          .values({ version, digest, envelope: JSON.stringify(envelope), added: by.now })
          .execute();
        audit.add(by, 'set.added', digest, `version ${version}`);
        return 'added';
      }),
    newestSet: () => newestSet(reader),
    listSets: async (afterVersion, limit = 1000) => {
      const rows = await reader
        .selectFrom('signer_set')
        .selectAll()
        .where('version', '>', afterVersion)
        .orderBy('version')
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
    .orderBy('version', 'desc')
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
  version: row.version,
  digest: row.digest,
  envelope: JSON.parse(row.envelope) as Envelope,
  added: row.added,
});
