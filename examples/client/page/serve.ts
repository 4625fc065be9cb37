// node serve.ts: a page on this machine that orders, follows and verifies jobs, all of it in the browser.
import { hash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import process from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { HeldSets, Server as WritServer } from '@writ/client';
import { PeopleFolder, reachContext } from '@writ/client/node';

/** What the page needs: the way to a server, and the pins that it judges the server by. */
export interface Serving {
  readonly server: WritServer;
  readonly sets: HeldSets;
  /** The client for browsers: `@writ/client/browser.js`. */
  readonly clientFile: string;
}

/**
 * Serves the page on loopback and passes its requests on to the server: a browser trusts no cluster's authority, and sends
 * other pages' requests nowhere else. Who passes them on can read them, and can change nothing without the page seeing it.
 *
 * @returns the address to open: its ticket keeps other programs of this machine out.
 */
export async function servePage({
  server,
  sets,
  clientFile,
}: Serving): Promise<{ url: string; http: Server }> {
  const ticket = randomBytes(32).toString('base64url');
  const files = {
    '/': ['text/html; charset=utf-8', fileURLToPath(new URL('index.html', import.meta.url))],
    '/page.js': ['text/javascript', fileURLToPath(new URL('page.js', import.meta.url))],
    '/client.js': ['text/javascript', clientFile],
  } as const;
  const [, map = ''] =
    /<script type="importmap">([\s\S]*?)<\/script>/.exec(readFileSync(files['/'][1], 'utf8')) ?? [];
  // The page's own scripts and the one map in it, its own server, and nothing else.
  const policy = `default-src 'none'; script-src 'self' 'sha256-${hash('sha256', map, 'base64')}'; connect-src 'self'`;
  const pins = JSON.stringify({ cluster: sets.cluster, sets: sets.chain.map(({ envelope }) => envelope) });
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://page');
    const file = Object.entries(files).find(([path]) => path === pathname)?.[1];
    response.setHeader('content-security-policy', policy);
    if (file !== undefined) {
      response.setHeader('content-type', file[0]);
      response.end(readFileSync(file[1]));
    } else if (request.headers['writ-ticket'] !== ticket) {
      response.writeHead(403).end();
    } else if (pathname === '/pins.json') {
      response.setHeader('content-type', 'application/json');
      response.end(pins);
    } else {
      await passOn(server, `${pathname}${search}`, request, response);
    }
  };
  const http = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/?ticket=${ticket}`, http };
}

const PASSED = ['accept', 'content-type', 'idempotency-key', 'last-event-id', 'range'];

async function passOn(
  server: WritServer,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const headers = Object.fromEntries(
    PASSED.flatMap((name) =>
      request.headers[name] === undefined ? [] : [[name, String(request.headers[name])]],
    ),
  );
  if (server.token !== undefined) headers['authorization'] = `Bearer ${server.token}`;
  const { method = 'GET' } = request;
  const body = method === 'GET' ? {} : { body: Buffer.concat(await request.toArray()) };
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const answer = await server.fetch(`${server.url}${path}`, {
    method,
    headers,
    signal: gone.signal,
    ...body,
  });
  for (const name of ['content-type', 'writ-attempt']) {
    const value = answer.headers.get(name);
    if (value !== null) response.setHeader(name, value);
  }
  response.writeHead(answer.status);
  if (answer.body === null) response.end();
  else await pipeline(Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]), response);
}

if (import.meta.main) {
  const people = new PeopleFolder(`${process.env['HOME']}/.config/writ`);
  const context = await people.chooseContext();
  const sets = await people.readPins(context);
  const token = await people.readToken(context.name);
  const reached = await reachContext(context, { sets: () => sets, token, now: Date.now });
  const clientFile = fileURLToPath(import.meta.resolve('@writ/client/browser.js'));
  const { url } = await servePage({ server: reached.client.server, sets, clientFile });
  process.stdout.write(`open ${url}\n`);
}
