import type { Peer } from './peer.ts';
import { openOnPostgres } from './open-on-postgres.ts';
import { POSTGRES } from './start-postgres.ts';

export const graphileWorker: Peer = {
  name: 'graphile-worker',
  how: 'local queue of 500, acknowledged in batches, added 500 at a time; PostgreSQL on a Unix socket, synchronous commits',
  part: 0.4,
  programs: [POSTGRES],
  isFromNpm: true,
  open: (place) => openOnPostgres('graphile-worker', place),
};
