import { Agent, buildConnector, fetch as undiciFetch } from 'undici';
import { type PeerExpectation, peopleClientTls } from '@writ/trust/certificates';
import type { HeldSets } from '@writ/trust';
import type { Fetch } from '../send-request.ts';

/** A `fetch` that holds connections. Whoever opened it closes it. */
export interface OpenedFetch {
  /** For the `fetch` of a server. */
  readonly fetch: Fetch;
  /** Ends its connections, also those on which an answer is still being read. */
  close(): Promise<void>;
}

const connectTimeoutMs = 5_000;
/** A stream of events is silent while nothing happens; the server sends a comment every 15 s. */
const silenceMs = 60_000;

/** A `fetch` that speaks over the Unix socket of a server, whatever host the address names. */
export function fetchOverSocket(socketPath: string): OpenedFetch {
  return opened(
    new Agent({ connect: { socketPath, timeout: connectTimeoutMs }, bodyTimeout: silenceMs, allowH2: false }),
  );
}

/**
 * A `fetch` that speaks TLS 1.3 to servers of one cluster only: judged by the authorities of the newest pinned signer
 * set, by the role `server` and by the cluster id in the certificate, never by the machine's list of authorities.
 *
 * @param heldSets asked at each handshake, so that a newer set counts at once.
 */
export function fetchOverTls(heldSets: () => HeldSets, now: () => number): OpenedFetch {
  const expect = (): PeerExpectation => {
    const sets = heldSets();
    return {
      cluster: sets.cluster,
      roles: ['server'],
      now: now(),
      issuing: [],
      roots: sets.current.authorities.map((der) => Buffer.from(der, 'base64')),
      mayActNow: () => true,
    };
  };
  const connect = buildConnector({
    ...peopleClientTls(expect),
    timeout: connectTimeoutMs,
  } as buildConnector.BuildOptions);
  return opened(new Agent({ connect, bodyTimeout: silenceMs, allowH2: false }));
}

function opened(dispatcher: Agent): OpenedFetch {
  return {
    fetch: (url, init) =>
      undiciFetch(url, { ...(init as object), dispatcher }) as unknown as Promise<Response>,
    close: () => dispatcher.destroy(),
  };
}
