import { request as requestPlain, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as requestTls } from 'node:https';

/** Where a call goes, and with which proof of who asks. */
export type ApiPlace =
  | { readonly socket: string }
  | { readonly port: number; readonly token?: string; readonly ca: string };

export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The body, when it is JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface ApiCall {
  readonly body?: unknown;
  /** Sent as it is. */
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One call, as a program without our own client would make it. */
export async function callApi(
  place: ApiPlace,
  method: string,
  path: string,
  call: ApiCall = {},
): Promise<ApiAnswer> {
  const response = await openApi(place, method, path, call);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  // The answer to HEAD tells of a body that it does not have.
  const isJson = method !== 'HEAD' && /json/.test(response.headers['content-type'] ?? '');
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    bytes,
    body: isJson ? JSON.parse(bytes.toString('utf8')) : undefined,
  };
}

/** The same, for answers that go on. */
export async function openApi(
  place: ApiPlace,
  method: string,
  path: string,
  { body, bytes, headers = {} }: ApiCall = {},
): Promise<IncomingMessage> {
  const payload = bytes ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
  const all: Record<string, string> = { ...headers };
  if (payload) all['content-length'] = String(payload.length);
  if (payload && all['content-type'] === undefined)
    all['content-type'] = bytes ? 'application/octet-stream' : 'application/json';
  if ('token' in place && place.token !== undefined) all['authorization'] = `Bearer ${place.token}`;
  return await new Promise((resolve, reject) => {
    const request =
      'socket' in place
        ? requestPlain({ socketPath: place.socket, method, path, headers: all }, resolve)
        : requestTls(
            {
              host: '127.0.0.1',
              port: place.port,
              method,
              path,
              headers: all,
              ca: place.ca,
              servername: 'localhost',
              agent: false,
            },
            resolve,
          );
    request.on('error', reject);
    request.end(payload);
  });
}
