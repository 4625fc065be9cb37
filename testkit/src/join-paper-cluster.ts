import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { joinCluster } from '../../apps/agent/src/join/compose.ts';
import { makePaperCluster, startHostileServer } from './hostile-server.ts';
import type { HostileServer, PaperCluster } from './hostile-server.ts';

const LEASE_SECONDS = 30;
const PATIENCE_MS = 30_000;

/**
 * A cluster, a server of it that does what a test says, and in `agent` below the folder one that has joined it and does not
 * run yet. Who calls closes the server and removes the folder.
 */
export async function joinPaperCluster(
  folder: string,
  slots: number,
): Promise<{ cluster: PaperCluster; server: HostileServer }> {
  chmodSync(folder, 0o755);
  const cluster = await makePaperCluster();
  const invite = cluster.invite('127.0.0.1:1');
  const server = await startHostileServer({ cluster, invite, leaseSeconds: LEASE_SECONDS });
  await joinCluster({
    invite: invite.text.replace('127.0.0.1:1', `127.0.0.1:${server.port}`),
    name: 'lab-1',
    folder: join(folder, 'agent'),
    slots,
    profiles: ['bare'],
    now: Date.now,
    random: (bytes) => crypto.getRandomValues(bytes),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  return { cluster, server };
}
