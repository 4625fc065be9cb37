import type { HeldSets } from '@writ/trust';
import { type Client, connect } from '../connect.ts';
import { fetchOverSocket, fetchOverTls } from './open-fetch.ts';
import type { Context } from './people-folder.ts';
import { openSocketPath } from './socket-path.ts';

/** The API of the server that a context means. Whoever reached it closes it. */
export interface ReachedContext extends AsyncDisposable {
  /** Every call of the API. */
  readonly client: Client;
}

/** With what a server is reached. */
export interface Reaching {
  /** The pins: asked at each handshake, so that a newer set counts at once. */
  readonly sets: () => HeldSets;
  /** For a server over the network; its own machine's socket asks for none. */
  readonly token?: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Opens the way to a server: its socket on the same machine, else TLS judged by the pinned signer sets. Nothing is sent
 * yet.
 *
 * @example
 * ```ts
 * await using reached = await reachContext(context, { sets: () => sets, token, now: Date.now });
 * const { items } = await reached.client.listJobs();
 * ```
 */
export async function reachContext(
  { reach }: Context,
  { sets, token, now }: Reaching,
): Promise<ReachedContext> {
  if (reach.is === 'tls') {
    const opened = fetchOverTls(sets, now);
    return {
      client: connect({ url: reach.url, fetch: opened.fetch, token }),
      [Symbol.asyncDispose]: () => opened.close(),
    };
  }
  const socket = await openSocketPath(reach.state);
  const opened = fetchOverSocket(socket.path);
  return {
    client: connect({ url: 'http://writ', shownAs: reach.state, fetch: opened.fetch }),
    async [Symbol.asyncDispose]() {
      await opened.close();
      await socket[Symbol.asyncDispose]();
    },
  };
}
