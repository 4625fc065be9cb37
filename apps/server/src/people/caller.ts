import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Store, TokenRecord } from '@writ/store';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Policy } from '../route-policy.ts';
import { ServerError } from '../server-error.ts';

/** Who asks. */
export interface Caller {
  readonly role: 'nobody' | 'member' | 'administrator' | 'socket';
  /** For the audit trail. */
  readonly actor: string;
  readonly source: string;
}

/** Where requests came in. What is not in it came over the network. */
export type Arrivals = WeakSet<IncomingMessage | Http2ServerRequest>;

const USED_MS = 60_000;
const MOST_MARKED = 10_000;
const TOKEN = /^Bearer (writ_[A-Za-z0-9_-]{32,128})$/;

export function findCallerWith(parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly arrivals: Arrivals;
  readonly uid: number;
}) {
  const { store, clock, log, arrivals, uid } = parts;
  const marked = new Map<string, number>();

  /** To the minute: no write for each request. */
  const markUsed = ({ id, lastUsed }: TokenRecord, now: number): void => {
    if (now - Math.max(lastUsed ?? 0, marked.get(id) ?? 0) < USED_MS) return;
    if (marked.size >= MOST_MARKED) marked.clear();
    marked.set(id, now);
    store.tokens.markUsed(id, now).catch((error: unknown) => log('error', 'token.not_marked', { error }));
  };

  return async (raw: IncomingMessage | Http2ServerRequest): Promise<Caller> => {
    // Whoever can open the socket is the account that it belongs to, or root.
    if (arrivals.has(raw)) return { role: 'socket', actor: `local:${uid}`, source: 'socket' };
    const source = raw.socket.remoteAddress ?? '';
    const given = raw.headers.authorization;
    if (given === undefined) return { role: 'nobody', actor: 'nobody', source };
    const token = TOKEN.exec(given)?.[1];
    const found = token === undefined ? null : await store.tokens.findToken(Buffer.from(token), clock.now());
    if (!found)
      throw new ServerError(
        'auth.refused',
        'This token is unknown, expired or revoked. Make another one with “writ token create”.',
      );
    markUsed(found, clock.now());
    return { role: found.role, actor: `token:${found.id}`, source };
  };
}

const MAY: Readonly<Record<Exclude<Policy, 'agent'>, readonly Caller['role'][]>> = {
  anyone: ['nobody', 'member', 'administrator', 'socket'],
  member: ['member', 'administrator', 'socket'],
  administrator: ['administrator', 'socket'],
  socket: ['socket'],
};

/** @throws ServerError `auth.required`, `auth.forbidden` */
export function allow(policy: Policy, caller: Caller): void {
  if (policy !== 'agent' && MAY[policy].includes(caller.role)) return;
  if (caller.role === 'nobody')
    throw new ServerError(
      'auth.required',
      'Send a token: “authorization: Bearer writ_…”. Make one with “writ token create”.',
    );
  throw new ServerError(
    'auth.forbidden',
    'Your token is not for this. Ask an administrator, or do it on the machine of the server.',
  );
}
