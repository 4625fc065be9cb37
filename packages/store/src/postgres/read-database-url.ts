import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { StoreError } from '../store-error.ts';

/** Where a PostgreSQL is, and who asks. The password is never printed: use `name` in words. */
export interface PostgresAddress {
  /** A host, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Undefined: from PGPASSWORD or the password file, as `psql` does it. */
  readonly password: string | undefined;
  readonly database: string;
  /** False only on this machine. */
  readonly tls:
    | { readonly rejectUnauthorized: true; readonly minVersion: 'TLSv1.2'; readonly ca?: string }
    | false;
  /** For people and logs. */
  readonly name: string;
}

/** `user@/` is what everybody writes for a Unix socket, and no URL to the standard. */
const NO_HOST = /^(postgres(?:ql)?:\/\/[^/?#]*@)\//;
const NO_HOST_NAME = 'no-host.invalid';
const KNOWN = ['sslmode', 'sslrootcert', 'host'];

/** `postgres://user[:password]@host[:port]/database[?sslmode=verify-full][&sslrootcert=FILE]`. @throws StoreError `store.bad_url` */
export function readDatabaseUrl(text: string): PostgresAddress {
  // What URL throws holds the whole text, password included: it goes no further.
  const whole = text.replace(NO_HOST, `$1${NO_HOST_NAME}/`);
  if (!URL.canParse(whole)) throw badUrl('it is not a URL');
  const url = new URL(whole);
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:')
    throw badUrl(`it begins with ${url.protocol}//`);
  const unknown = [...url.searchParams.keys()].find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) throw badUrl(`it has “${unknown}”, and only ${KNOWN.join(', ')} are known`);

  const user = decoded(url.username);
  if (user === '') throw badUrl('it names no user');
  const database = decoded(url.pathname.slice(1));
  if (database === '' || database.includes('/')) throw badUrl('it names no database');
  const host = hostOf(url);
  const port = url.port === '' ? 5432 : Number(url.port);
  const isSocket = host.startsWith('/');
  return {
    host,
    port,
    user,
    password: url.password === '' ? undefined : decoded(url.password),
    database,
    tls: tlsOf(url, host, isSocket),
    name: `database ${database} at ${isSocket ? `${host} (port ${port})` : `${host.includes(':') ? `[${host}]` : host}:${port}`}`,
  };
}

function hostOf(url: URL): string {
  const named = url.hostname === NO_HOST_NAME ? '' : decoded(url.hostname).replace(/^\[(.*)\]$/, '$1');
  const socket = url.searchParams.get('host');
  if (socket === null) {
    if (named === '') throw badUrl('it names no host');
    return named;
  }
  if (named !== '' || !socket.startsWith('/'))
    throw badUrl(
      '“host” is the absolute path of the folder of a Unix socket, and then no other host is named',
    );
  return socket;
}

function tlsOf(url: URL, host: string, isSocket: boolean): PostgresAddress['tls'] {
  const mode = url.searchParams.get('sslmode');
  const root = url.searchParams.get('sslrootcert');
  const isLocal = isSocket || isLoopback(host);
  if (mode !== null && mode !== 'verify-full' && !(mode === 'disable' && isLocal))
    throw badUrl(
      isLocal
        ? `sslmode is verify-full or disable, not “${mode}”`
        : `sslmode=${mode} would let others read and change what goes to ${host}: over a network only verify-full is allowed`,
    );
  if (isSocket && mode === 'verify-full') throw badUrl('there is no TLS on a Unix socket');
  if (mode === null ? isLocal && root === null : mode === 'disable') {
    if (root !== null) throw badUrl('sslrootcert means nothing without TLS');
    return false;
  }
  if (isSocket) throw badUrl('there is no TLS on a Unix socket');
  return {
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ...(root === null ? {} : { ca: readRoot(root) }),
  };
}

function readRoot(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw badUrl(`sslrootcert ${file} cannot be read`, cause);
  }
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw badUrl('it has a % that begins no letter');
  }
}

const badUrl = (why: string, cause?: unknown) =>
  new StoreError(
    'store.bad_url',
    `This is no address of a database: ${why}. Write postgres://user@host:5432/database, or postgres://user@/database?host=/var/run/postgresql for a Unix socket.`,
    { cause },
  );
