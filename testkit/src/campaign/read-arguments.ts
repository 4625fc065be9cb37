import { ROLES, type Role } from './kill.ts';
import type { CampaignWish } from './kill-campaign.ts';

export const USAGE = `npm run campaign -- kills [--minutes N] [--kills N] [--seed N] [--database sqlite|postgres] [--roles a,b] [--no-write]
  --minutes N    so long things are killed; everything must end after that (5)
  --kills N      enough effective kills of each role: ends earlier
  --seed N       whom, when and with which jobs; printed (drawn)
  --database D   sqlite, or postgres: a PostgreSQL of its own (sqlite)
  --roles LIST   server, agent, launcher, postmaster in turn, some several times (each once)
  --no-write     print only; else campaigns/results gets the result`;

export interface Asked {
  readonly wish: CampaignWish;
  readonly isWritten: boolean;
}

/** @returns a text that says what is wrong. */
export function readArguments(given: readonly string[], drawnSeed: number): Asked | string {
  const [which, ...rest] = given;
  const wrong = (what: string): string => `${what}\n${USAGE}`;
  if (which !== 'kills') return wrong(which === undefined ? 'which campaign?' : `${which} is not known`);
  let minutes = 5;
  let kills: number | null = null;
  let seed = drawnSeed;
  let database: CampaignWish['database'] = 'sqlite';
  let roles: readonly Role[] | undefined;
  let isWritten = true;
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--no-write') {
      isWritten = false;
      continue;
    }
    const value = rest.shift() ?? '';
    const number = value === '' ? Number.NaN : Number(value);
    if (argument === '--minutes') {
      if (!(number > 0)) return wrong('--minutes takes a number above 0');
      minutes = number;
    } else if (argument === '--kills') {
      if (!Number.isSafeInteger(number) || number < 1) return wrong('--kills takes a whole number above 0');
      kills = number;
    } else if (argument === '--seed') {
      if (!Number.isSafeInteger(number)) return wrong('--seed takes a whole number');
      seed = number;
    } else if (argument === '--database') {
      if (value !== 'sqlite' && value !== 'postgres') return wrong('--database is sqlite or postgres');
      database = value;
    } else if (argument === '--roles') {
      const named = value.split(',');
      const found = named.flatMap((name) => ROLES.filter((role) => role === name));
      if (found.length !== named.length) return wrong(`--roles takes some of ${ROLES.join(', ')}`);
      roles = found;
    } else return wrong(`${argument} is not known`);
  }
  const there = ROLES.filter((role) => role !== 'postmaster' || database === 'postgres');
  const missing = (roles ?? there).filter((role) => !there.includes(role));
  if (missing.length > 0) return wrong('there is a postmaster only with --database postgres');
  return { wish: { agents: 4, minutes, kills, seed, database, roles: roles ?? there }, isWritten };
}
