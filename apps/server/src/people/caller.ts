import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { Store } from '@writ/store';
import type { Clock } from '../clock.ts';
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

const TOKEN = /^Bearer (writ_[A-Za-z0-9_-]{32,128})$/;

export function findCallerWith(parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly arrivals: Arrivals;
  readonly uid: number;
}) {
  const { store, clock, arrivals, uid } = parts;

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
