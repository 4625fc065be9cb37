import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseUnderTest } from '../../conformance/database-under-test.ts';
import { openStore } from '../../open-store.ts';
import type { TemporaryCluster } from './temporary-cluster.ts';

let databases = 0;

/** A database of its own in a running cluster. */
export async function temporaryDatabase(
  cluster: TemporaryCluster,
): Promise<DatabaseUnderTest & { readonly url: string; readonly name: string }> {
  databases += 1;
  const name = `writ_${databases}`;
  await cluster.createDatabase(name);
  const url = cluster.url(name);
  return {
    url,
    name,
    open: () => openStore({ url, wait: (ms) => sleep(ms), patienceMs: 5_000 }),
    async tamper(statement) {
      await cluster.query(name, `set search_path to writ; ${statement}`);
    },
    async remove() {
      await cluster.query('postgres', `drop database ${name} with (force)`);
    },
  };
}
