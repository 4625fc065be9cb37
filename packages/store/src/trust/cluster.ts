import type { Kysely, Selectable } from 'kysely';
import type { ClusterRecord, TrustStore } from './trust.ts';
import { StoreError } from '../store-error.ts';
import type { Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';

export function clusterOperations(
  reader: Kysely<Tables>,
  { write }: GroupWriter,
): Pick<TrustStore, 'readCluster' | 'claimCluster' | 'beginEpoch'> {
  return {
    readCluster: () => readCluster(reader),
    claimCluster: ({ cluster, serverName, setDigest, set, by }) =>
      write(async ({ db, audit }) => {
        const held = await readCluster(db);
        if (held) {
          const isSame = held.cluster === cluster && held.serverName === serverName;
          if (!isSame)
            audit.add(by, 'cluster.claimed', cluster, `this server belongs to ${held.cluster}`, 'refused');
          return { is: isSame ? 'same' : 'claimed_already', cluster: held };
        }
        await db
          .insertInto('cluster')
          .values({ id: 1, cluster, server_name: serverName, epoch: 1, claimed: by.now })
          .execute();
        await db
          .insertInto('signer_set')
          .values({ place: 1, version: 1, digest: setDigest, envelope: JSON.stringify(set), added: by.now })
          .execute();
        audit.add(by, 'cluster.claimed', cluster, `as ${serverName}, set ${setDigest}`);
        return { is: 'claimed', cluster: { cluster, serverName, epoch: 1, claimed: by.now } };
      }),
    beginEpoch: (by) =>
      write(async ({ db, audit }) => {
        const row = await db
          .updateTable('cluster')
          .set((set) => ({ epoch: set('epoch', '+', 1) }))
          .returning(['epoch', 'cluster'])
          .executeTakeFirst();
        if (!row) throw new StoreError('store.impossible', 'A server without a cluster has no epochs.');
        audit.add(by, 'cluster.epoch', row.cluster, `epoch ${row.epoch}`);
        return row.epoch;
      }),
  };
}

async function readCluster(db: Kysely<Tables>): Promise<ClusterRecord | null> {
  const row = await db.selectFrom('cluster').selectAll().executeTakeFirst();
  return row ? clusterRecord(row) : null;
}

const clusterRecord = (row: Selectable<Tables['cluster']>): ClusterRecord => ({
  cluster: row.cluster,
  serverName: row.server_name,
  epoch: row.epoch,
  claimed: row.claimed,
});
