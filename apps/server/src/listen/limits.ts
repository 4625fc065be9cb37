import type { Server as HttpServer } from 'node:http';
import type { Http2SecureServer } from 'node:http2';

/** What a stranger may take: how long to say what is wanted, how long to be silent, how many at once. */
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 3_600_000,
  keepAliveTimeout: 75_000,
  silence: 120_000,
  connections: 2_000,
} as const;

/** Bodies may be gigabytes, so they are bounded by silence and not by their whole length in time. */
export function limitServer<S extends HttpServer | Http2SecureServer>(server: S): S {
  server.maxConnections = LIMITS.connections;
  Object.assign(server, {
    headersTimeout: LIMITS.headersTimeout,
    requestTimeout: LIMITS.requestTimeout,
    keepAliveTimeout: LIMITS.keepAliveTimeout,
  });
  server.setTimeout(LIMITS.silence);
  return server;
}
