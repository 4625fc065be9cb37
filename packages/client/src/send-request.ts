import { API_CODES, API_ROUTES, type ApiCode, type ApiRoute, type Check, problemCheck } from '@writ/contract';
import { ClientError } from './client-error.ts';

/** What `fetch` is in a browser, as far as it is used here. */
export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** One server's API and how it is reached. */
export interface Server {
  /** Where the API is, without a path: `https://ana-pc.local:7410`, or `http://writ` behind a `fetch` over a socket. */
  readonly url: string;
  /** What messages call it, where `url` says nothing to a person. */
  readonly shownAs?: string | undefined;
  /** What requests are sent with: a browser's own, or one of `@writ/client/node`. */
  readonly fetch: Fetch;
  /** API token (`writ_…`). Not needed over the administrator's socket. */
  readonly token?: string | undefined;
}

export interface RequestParts {
  readonly path?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly json?: unknown;
  readonly bytes?: Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** @throws ClientError: `server.unreachable`, or what the server's problem says. The body of the answer is still to be read. */
export async function sendRequest(
  server: Server,
  route: ApiRoute,
  parts: RequestParts = {},
): Promise<Response> {
  const [method, pattern] = API_ROUTES[route];
  const headers: Record<string, string> = { accept: 'application/json', ...parts.headers };
  if (server.token !== undefined) headers['authorization'] = `Bearer ${server.token}`;
  const init: RequestInit = { method, headers, redirect: 'error' };
  if (parts.json !== undefined) {
    headers['content-type'] = 'application/json';
    init.body = JSON.stringify(parts.json);
  } else if (parts.bytes !== undefined) {
    headers['content-type'] = 'application/octet-stream';
    init.body = parts.bytes;
  }
  if (parts.signal) init.signal = parts.signal;
  let answer: Response;
  try {
    answer = await server.fetch(server.url + pathOf(pattern, parts), init);
  } catch (error) {
    throw unreachable(server, error, parts.signal);
  }
  if (answer.ok) return answer;
  throw await problemOf(answer);
}

/** @throws ClientError also `answer.malformed` when the answer has another shape. */
export async function askJson<T>(
  server: Server,
  route: ApiRoute,
  shape: Check<T>,
  parts: RequestParts = {},
): Promise<T> {
  const answer = await sendRequest(server, route, parts);
  let text: string;
  try {
    text = await answer.text();
  } catch (error) {
    throw unreachable(server, error, parts.signal);
  }
  const value = parseJson(text);
  if (shape.is(value)) return value;
  const [fault] = shape.faults(value);
  throw new ClientError(
    'answer.malformed',
    `The answer of ${route} has another shape than this program knows (${fault?.pointer ?? ''} ${fault?.detail ?? ''}). Are program and server of the same version?`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The bytes of an answer that has a body. */
export function bodyOf(answer: Response): ReadableStream<Uint8Array> {
  if (answer.body === null) throw new ClientError('answer.malformed', 'The server answered without a body.');
  return answer.body;
}

function pathOf(pattern: string, { path = {}, query = {} }: RequestParts): string {
  const filled = pattern.replace(/:([a-z]+)/g, (_all, name: string) => {
    const value = path[name];
    if (value === undefined) throw new TypeError(`no value for :${name} of ${pattern}`);
    return encodeURIComponent(value);
  });
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, String(value));
  return asked.size > 0 ? `${filled}?${asked}` : filled;
}

function unreachable(server: Server, error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return error;
  const reason = rootOf(error);
  const code = (reason as { code?: unknown }).code;
  if (
    typeof code === 'string' &&
    (code.startsWith('certificate.') || code.startsWith('ERR_TLS') || isTlsCode(code))
  ) {
    return new ClientError(
      'server.not_ours',
      `The server at ${server.url} does not prove that it belongs to the pinned cluster: ${reason.message}`,
      { cause: error },
    );
  }
  return new ClientError(
    'server.unreachable',
    `Nothing answers at ${server.shownAs ?? server.url}: ${reason.message || String(code)}`,
    {
      cause: error,
    },
  );
}

/** What OpenSSL says of a chain. */
const isTlsCode = (code: string): boolean =>
  /CERT|SIGNATURE|ISSUER|SELF_SIGNED|UNABLE_TO|INVALID_PURPOSE|SSL/.test(code);

function rootOf(error: unknown): Error {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof Error ? root : new Error(String(root));
}

async function problemOf(answer: Response): Promise<ClientError> {
  let value: unknown;
  try {
    value = await answer.json();
  } catch {
    value = undefined;
  }
  if (problemCheck.is(value) && value.code in API_CODES) {
    return new ClientError(value.code as ApiCode, value.detail, {
      status: answer.status,
      requestId: value.requestId,
      errors: value.errors,
    });
  }
  return new ClientError('answer.malformed', `The server answered ${answer.status} without saying why.`, {
    status: answer.status,
  });
}
