import { chownSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { programLine, takeUidBlock } from '@writ/agent/start';
import { nameDatabase } from './name-database.ts';
import type { Places } from './places.ts';

export interface ServerWish {
  readonly port: number | undefined;
  readonly agentPort: number | undefined;
  readonly host: string | undefined;
  readonly name: string;
  /** `postgres://…`; undefined: as before. */
  readonly database?: string | undefined;
  readonly leaseSeconds?: number | undefined;
}

/** The server knows its folder as `server` in a state folder. Of that one it sees nothing else. */
const seenAs = '/writ/server';

/** The line that starts a server: behind a wall with its own folder where there is bwrap, in an account of its own where there is root. */
export function serverProgram(
  places: Places,
  wish: ServerWish,
  diesWithParent: boolean,
): { argv: readonly string[]; isWalled: boolean } {
  mkdirSync(places.server, { recursive: true, mode: 0o700 });
  const uid = places.isRoot ? takeUidBlock(places.server) : null;
  if (uid !== null) chownSync(places.server, uid, uid);
  const binds = nameDatabase(places, wish.database, uid);
  const { argv, isWalled } = programLine({
    node: places.node,
    app: places.entries.app,
    state: places.server,
    uid,
    root: places.isRoot,
    bwrap: places.bwrap,
    entry: places.entries.server,
    args: (inside) => [
      '--state',
      path.dirname(inside.bound(seenAs)),
      '--name',
      wish.name,
      ...(wish.port === undefined ? [] : ['--port', String(wish.port)]),
      ...(wish.agentPort === undefined ? [] : ['--agent-port', String(wish.agentPort)]),
      ...(wish.host === undefined ? [] : ['--host', wish.host]),
      ...(wish.leaseSeconds === undefined ? [] : ['--lease-seconds', String(wish.leaseSeconds)]),
    ],
    binds: [{ from: places.server, to: seenAs, writable: true }, ...binds],
    diesWithParent,
    statusDescriptor: null,
  });
  return { argv, isWalled };
}
