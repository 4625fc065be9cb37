import type { Peer } from './peer.ts';
import { openOnPostgres } from './open-on-postgres.ts';
import { POSTGRES } from './start-postgres.ts';

export const pgBoss: Peer = {
  name: 'pg-boss',
  how: 'fetched and acknowledged 100 at a time in 8 loops that fetch again at once while batches are full, added 500 at a time; PostgreSQL on a Unix socket, synchronous commits',
  part: 0.8,
  programs: [POSTGRES],
  isFromNpm: true,
  open: (place) => openOnPostgres('pg-boss', place),
};
