import { temporaryCluster } from '../../packages/store/src/postgres/testing/temporary-cluster.ts';

export interface StartedPostgres extends AsyncDisposable {
  readonly folder: string;
  readonly url: string;
}

/** Debian's, with its usual durability, on a Unix socket; with more memory than it takes by itself. */
export async function startPostgres(): Promise<StartedPostgres> {
  const cluster = await temporaryCluster();
  try {
    await cluster.stop('fast');
    await cluster.set('shared_buffers = 256MB\nsynchronous_commit = on\nmax_wal_size = 4GB');
    await cluster.start();
    await cluster.createDatabase('peer');
  } catch (error) {
    await cluster.remove();
    throw error;
  }
  return {
    folder: cluster.folder,
    url: cluster.url('peer'),
    [Symbol.asyncDispose]: () => cluster.remove(),
  };
}

export const POSTGRES = { program: 'pg_ctlcluster', package: 'postgresql' } as const;
