import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@writ/client';
import { fetchOverSocket } from '@writ/client/node';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { entriesOf, placesIn } from '../../apps/cli/src/up/places.ts';
import { serverProgram } from '../../apps/cli/src/up/server-program.ts';
import { startDetached } from '../../apps/cli/src/up/start-detached.ts';
import { WRIT_PROGRAM } from './open-shell.ts';

export interface ServerProgramWish {
  readonly peoplePort: number;
  readonly agentPort: number;
  readonly leaseSeconds: number;
  /** `postgres://…`, at the first start. */
  readonly database?: string | undefined;
}

const PATIENCE_MS = 60_000;

/** The server's own program by the line that `writ up` starts it with, and with what `writ up` does not offer. */
export async function startServerProgram(folder: string, wish: ServerProgramWish): Promise<void> {
  const path = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const places = { ...placesIn(folder, path), entries: entriesOf(pathToFileURL(WRIT_PROGRAM).href) };
  const { argv } = serverProgram(
    places,
    {
      name: 'server',
      host: '127.0.0.1',
      port: wish.peoplePort,
      agentPort: wish.agentPort,
      database: wish.database,
    },
    false,
  );
  const line = [...argv, '--lease-seconds', String(wish.leaseSeconds)];
  const program = startDetached(line, places.serverLog, { PATH: path, LANG: 'C.UTF-8' });
  program.leave();
  const opened = fetchOverSocket(join(folder, 'server', 'admin.sock'));
  try {
    const client = connect({ url: 'http://writ', fetch: opened.fetch });
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        await client.readCluster();
        return;
      } catch (error) {
        if (performance.now() > until) throw error;
      }
      await sleep(20);
    }
  } finally {
    await opened.close();
  }
}
