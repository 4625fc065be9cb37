import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import {
  BOUNDS,
  Digest,
  Envelope,
  Id,
  LINK_ROUTES,
  oneOf,
  shape,
  Type,
  type Envelope as SignedEnvelope,
  type SetsReply,
} from '@writ/contract';
import { isLeafCurrent, type PeerIdentity } from '@writ/trust/certificates';
import { allSets, TrustError } from '@writ/trust';
import fastify from 'fastify';
import type { Released, Store } from '@writ/store';
import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster.ts';
import type { KeptFiles } from '../kept-files.ts';
import type { KeptLogs } from '../kept-logs.ts';
import type { Log } from '../log.ts';
import type { Member, Members } from '../members.ts';
import type { Orders } from '../orders.ts';
import type { RefuseWhenFull } from '../refuse-when-full.ts';
import { checkPolicy } from '../route-policy.ts';
import { asServerError, schemaController } from '../fastify-schemas.ts';
import { ServerError } from '../server-error.ts';
import { openLiveLink, type LinkParts, type LiveLink } from './live-link.ts';
import { readLines, sendLines } from './line-stream.ts';

/** As many as a reply may have; whoever is further behind asks again. */
const MOST_SETS = 1000;

export interface LinkAppParts extends Omit<LinkParts, 'onHello' | 'onReleased'> {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: Cluster;
  readonly members: Members;
  readonly orders: Orders;
  readonly files: KeptFiles;
  readonly logs: KeptLogs;
  readonly refuseWhenFull: RefuseWhenFull;
  readonly onReleased: (released: Released) => void;
  /** A certificate for the same agent and another TLS key. */
  readonly renewCertificate: (request: SignedEnvelope, member: Member, source: string) => Promise<unknown>;
}

export interface LinkApp {
  /** Serves an agent on a connection whose far end has been judged, whoever dialed. */
  serve(socket: TLSSocket, peer: PeerIdentity): void;
  links(): ReadonlyMap<string, LiveLink>;
  routes(): readonly string[];
  /** The TLS versions of the open connections. */
  protocols(): readonly string[];
  close(): Promise<void>;
}

/** Who is at the other end of a session: looked up once, and asked on each request whether that still holds. */
interface Connection {
  readonly peer: PeerIdentity;
  readonly member: Member;
  readonly source: string;
  readonly session: ServerHttp2Session;
  readonly protocol: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    connection: Connection | null;
  }
}

/** What these functions look at, of any request. */
interface Asked {
  readonly raw: unknown;
  readonly connection: Connection | null;
}

const WINDOW_BYTES = 4 * 1024 * 1024;
const LOG_CHUNK_BYTES = 4 * 1024 * 1024;
/** Of one connection: its stream, files and logs of its slots. */
const MOST_STREAMS = 128;
/** Of one agent: the one that counts, and those whose loss was not seen yet. */
const MOST_CONNECTIONS = 4;
/** For an agent to read why its link is closed. */
const LAST_WORDS_MS = 5_000;

/** The API of agents: ordinary routes on HTTP/2, on sockets that this app did not accept. */
export async function openLinkApp(parts: LinkAppParts): Promise<LinkApp> {
  const { store, clock, log, cluster, members, orders, dispatch, files, logs, refuseWhenFull, silenceMs } =
    parts;
  const connections = new Map<ServerHttp2Session, Connection>();
  /** The stream that counts for each identity. */
  const links = new Map<string, LiveLink>();
  const routes: string[] = [];
  let arriving: Omit<Connection, 'session'> | null = null;
  let isClosed = false;

  // Fastify hands `http` to node:http2; its types do not know that.
  const untyped = { http: { settings: { maxConcurrentStreams: MOST_STREAMS } } };
  const app = fastify({
    ...untyped,
    http2: true,
    logger: false,
    schemaController,
    bodyLimit: 64 * 1024,
    exposeHeadRoutes: false,
    http2SessionTimeout: 0,
  });
  const server = app.server;

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, JSON.parse(String(text)));
    } catch {
      done(new ServerError('request.malformed', 'This is not JSON.'));
    }
  });
  // Streams: read by their route, under its own bounds.
  app.addContentTypeParser(['application/x-ndjson', 'application/octet-stream'], (_request, payload, done) =>
    done(null, payload),
  );

  app.decorateRequest('connection', null);
  app.addHook('onRoute', (route) => {
    checkPolicy(route, ['agent']);
    routes.push(`${String(route.method)} ${route.url}`);
  });
  app.addHook('onRequest', async (request) => {
    request.connection = connectionOf(request);
  });
  app.setErrorHandler((error, request, reply) => {
    const known = error instanceof ServerError ? error : asServerError(error);
    if (known.status >= 500) log('error', 'link.request_failed', { url: request.url, error });
    if (error instanceof TrustError) return reply.code(422).send({ code: error.code, detail: error.message });
    return reply.code(known.status).send({ code: known.code, detail: known.message });
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ code: 'not_found', detail: 'There is no such route.' }),
  );

  /** On each request: the certificate is still in time, and its agent was neither banned nor revoked. */
  const connectionOf = (request: Asked): Connection => {
    const session = sessionOf(request);
    const connection = session && connections.get(session);
    if (!connection) throw new ServerError('auth.required', 'This connection has no identity.');
    const answer = isLeafCurrent(connection.peer, clock.now())
      ? members.mayStillAct(connection.member)
      : 'expired';
    if (answer !== true) {
      cut(connection, `certificate.${answer}`);
      throw new ServerError('auth.refused', `The certificate of ${connection.peer.name} is ${answer}.`);
    }
    return connection;
  };

  const cut = (connection: Connection, code: string): void => {
    const link = links.get(connection.member.identity);
    if (link?.member === connection.member) link.close(code, `This agent may not act any more: ${code}.`);
    // One turn later, so that the reason reaches the agent.
    setImmediate(() => connection.session.destroy());
  };
  members.onStopped((identity) => {
    for (const connection of connections.values())
      if (connection.member.identity === identity) cut(connection, 'certificate.banned');
  });

  server.on('session', (session: ServerHttp2Session) => {
    const connection = arriving && { ...arriving, session };
    if (!connection) {
      session.destroy();
      return;
    }
    const mine = [...connections.values()].filter(
      ({ member }) => member.identity === connection.member.identity,
    );
    if (mine.length >= MOST_CONNECTIONS) mine[0]?.session.destroy();
    connections.set(session, connection);
    session.setLocalWindowSize(WINDOW_BYTES);
    session.on('error', (error) =>
      log('debug', 'link.session_error', { agent: connection.peer.name, error }),
    );
    session.on('close', () => connections.delete(session));
  });
  server.on('sessionError', () => {});

  const findConnection = (request: Asked): Connection => {
    if (!request.connection) throw new ServerError('auth.required', 'This connection has no identity.');
    return request.connection;
  };
  const linkOf = ({ member }: Connection): LiveLink => {
    const link = links.get(member.identity);
    if (!link) throw new ServerError('not_found', 'Open the stream first.');
    return link;
  };
  const heldBy = (request: Asked): { member: Member; source: string; held: LiveLink } => {
    const connection = findConnection(request);
    return { member: connection.member, source: connection.source, held: linkOf(connection) };
  };
  const config = { policy: 'agent', group: 'agent' } as const;

  app.post(LINK_ROUTES.stream, { config, bodyLimit: Number.MAX_SAFE_INTEGER }, (request, reply) => {
    const connection = findConnection(request);
    if (streaming.has(connection.session))
      throw new ServerError('conflict.state', 'A connection has one stream. Connect again.');
    streaming.add(connection.session);
    reply.hijack();
    const { stream } = request.raw;
    openStream(connection, stream);
  });

  const streaming = new WeakSet<ServerHttp2Session>();
  const openStream = (connection: Connection, stream: ServerHttp2Stream): void => {
    const { member, source } = connection;
    stream.respond({ ':status': 200, 'content-type': 'application/x-ndjson' });
    const end = (): void => {
      // The last words may still be on their way. Who does not read them would keep all that waits for it in memory.
      setImmediate(() => {
        if (!stream.destroyed) stream.close();
      });
      const stop = clock.after(LAST_WORDS_MS, () => connection.session.destroy());
      stream.once('close', stop);
    };
    let readAgain: (() => void) | null = null;
    const lines = sendLines(stream, {
      onFault: (fault) => {
        link.close(fault.code, fault.message);
        connection.session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      },
      onFull: () => (readAgain ??= reading.hold()),
      onRoom: () => {
        readAgain?.();
        readAgain = null;
        dispatch.serve();
      },
    });
    const link: LiveLink = openLiveLink(
      {
        ...parts,
        onHello: (live) => {
          const before = links.get(member.identity);
          links.set(member.identity, live);
          before?.close('link.replaced', 'This agent has connected again.');
        },
      },
      member,
      source,
      lines,
      end,
    );
    stream.on('error', (error) => log('debug', 'link.stream_error', { agent: member.name, error }));
    stream.on('close', () => {
      link.ended();
      if (links.get(member.identity) === link) {
        links.delete(member.identity);
        log('note', 'link.gone', { agent: member.name });
      }
    });
    stream.on('end', () => lines.end());
    const reading = readLines(
      stream,
      (received) => {
        const answer = isLeafCurrent(connection.peer, clock.now()) ? members.mayStillAct(member) : 'expired';
        if (answer === true) return link.receive(received);
        cut(connection, `certificate.${answer}`);
        return null;
      },
      (fault) => link.close(fault.code, fault.message),
    );
  };

  app.get(
    LINK_ROUTES.sets,
    { config, schema: { querystring: shape({ after: Type.String({ pattern: '^\\d{1,15}$' }) }) } },
    (request): SetsReply => {
      const { after } = request.query as { after: string };
      return {
        sets: allSets(cluster.sets(), Number(after)).slice(0, MOST_SETS),
        freshness: cluster.freshness(),
      };
    },
  );

  app.post(LINK_ROUTES.certificate, { config, schema: { body: Envelope } }, async (request) => {
    const { member, source } = findConnection(request);
    return await parts.renewCertificate(request.body as SignedEnvelope, member, source);
  });

  const FileParams = shape({ digest: Digest });
  app.get(LINK_ROUTES.file, { config, schema: { params: FileParams } }, async (request, reply) => {
    const connection = findConnection(request);
    const { digest } = request.params as { digest: string };
    const size = (await mayRead(linkOf(connection), digest)) ? await files.sizeOf(digest) : null;
    if (size === null) throw new ServerError('not_found', 'None of your leases names such a file.');
    void reply.header('content-length', size).type('application/octet-stream');
    return await reply.send(
      size === 0
        ? Buffer.alloc(0)
        : Readable.from(files.read(digest, { start: 0, end: size - 1 }), { objectMode: false }),
    );
  });

  /** Inputs of the orders under which it holds a task now, and what their manifests list: not what other tasks wrote. */
  const mayRead = async (link: LiveLink, digest: string): Promise<boolean> => {
    for (const job of link.jobs()) if (await store.files.isInputOf(job, digest)) return true;
    return false;
  };

  app.put(
    LINK_ROUTES.file,
    {
      config,
      schema: { params: FileParams, querystring: shape(TaskNamed) },
      bodyLimit: Number.MAX_SAFE_INTEGER,
    },
    async (request, reply) => {
      const { member, source, held } = heldBy(request);
      const { digest } = request.params as { digest: string };
      const task = taskOf(request.query);
      const known = held.holds(task.job, task.index, task.attempt) ? await orders.find(task.job) : null;
      if (!known) throw new ServerError('not_found', 'You hold no such task.');
      const { project, limits } = known.order;
      const isKnown = (await store.files.listKnown([digest], project)).length > 0;
      if (isKnown && (await files.isSound(digest)) && (await store.files.touchFile(digest, clock.now())))
        return await reply.code(204).send();
      const length = Number(request.headers['content-length'] ?? Number.NaN);
      // Who does not say how long it is may send all that the order allows.
      const most = Number.isSafeInteger(length) ? Math.min(length, limits.outputBytes) : limits.outputBytes;
      await refuseWhenFull(most, 'running');
      // Also when the bytes are here for others: a digest alone is no proof of having them.
      const size = await files.receive(digest, request.body as AsyncIterable<Uint8Array>, { most });
      const by = { actor: `agent:${member.name}`, source, now: clock.now() };
      await store.files.addFile({ digest, size }, project, by);
      return await reply.code(204).send();
    },
  );

  const LogParams = shape({
    ...TaskNamed,
    stream: oneOf('stdout', 'stderr'),
  });
  app.post(
    LINK_ROUTES.log,
    {
      config,
      schema: { params: LogParams, querystring: shape({ offset: Type.String({ pattern: '^\\d{1,15}$' }) }) },
      bodyLimit: LOG_CHUNK_BYTES,
    },
    async (request, reply) => {
      const { stream } = request.params as { stream: 'stdout' | 'stderr' };
      const name = { ...taskOf(request.params), stream };
      const offset = Number((request.query as { offset: string }).offset);
      const held = linkOf(findConnection(request));
      const isHeld = held.holds(name.job, name.index, name.attempt);
      const known = isHeld ? await orders.find(name.job) : null;
      if (!known) throw new ServerError('not_found', 'You hold no such task.');
      await refuseWhenFull(LOG_CHUNK_BYTES, 'running');
      const bytes = await readBounded(request.body as AsyncIterable<Uint8Array>, LOG_CHUNK_BYTES);
      // Asked again: while the bytes came, its receipt may have sealed the log.
      if (!(await held.begin(name.job, name.index, name.attempt)))
        throw new ServerError('not_found', 'You hold no such task.');
      const size = await logs.append(
        name,
        offset,
        bytes,
        known.order.limits.logBytes + BOUNDS.inlineLogBytes,
      );
      return reply.send({ size });
    },
  );

  await app.ready();

  let stopPinging = (): void => {};
  let looked = clock.monotonic();
  const keepPinging = (): void => {
    stopPinging = clock.after(silenceMs / 4, () => {
      const now = clock.now();
      // Who slept or was suspended himself has heard nobody: what agents said meanwhile still waits to be read.
      const hasSlept = clock.monotonic() - looked > silenceMs / 2;
      looked = clock.monotonic();
      for (const link of links.values()) {
        if (now - link.lastHeard > silenceMs && !hasSlept)
          link.close(
            link.isFull ? 'link.slow' : 'link.silent',
            link.isFull
              ? 'What is sent to this agent is not read.'
              : `Nothing was heard for ${silenceMs / 1_000} seconds.`,
          );
        else link.send({ is: 'ping', n: 0, at: Math.floor(clock.monotonic()) });
      }
      const identities = [...links.keys()];
      if (identities.length > 0)
        store.trust
          .markSeen(identities, now)
          .catch((error: unknown) => log('error', 'link.seen_failed', { error }));
      if (!isClosed) keepPinging();
    });
  };
  keepPinging();

  return {
    serve(socket, peer) {
      const source = socket.remoteAddress ?? 'link';
      // Until the store has said who this is, nothing is read and nothing answered.
      const refuse = (code: string): void => {
        log('warning', 'link.refused', { agent: peer.name, serial: peer.serial, code, source });
        socket.destroy();
      };
      socket.on('error', () => {});
      members
        .memberOf(peer)
        .then((member) => {
          if (isClosed || socket.destroyed) socket.destroy();
          else if (typeof member === 'string') refuse(`certificate.${member}`);
          else {
            arriving = { peer, member, source, protocol: socket.getProtocol() ?? '' };
            server.emit('connection', socket);
            arriving = null;
          }
        })
        .catch((error: unknown) => {
          log('error', 'link.member_unreadable', { error });
          refuse('server.failed');
        });
    },
    links: () => links,
    routes: () => routes,
    protocols: () => [...connections.values()].map((connection) => connection.protocol),
    async close() {
      isClosed = true;
      stopPinging();
      for (const link of links.values()) link.close('server.stopping', 'The server stops.');
      // One turn for the last words.
      await new Promise<void>((resolve) => setImmediate(resolve));
      for (const session of connections.keys()) session.destroy();
      await app.close();
    },
  };
}

/** How a path or a query names the task that something is for. */
const TaskNamed = {
  job: Id,
  index: Type.String({ pattern: '^\\d{1,15}$' }),
  attempt: Type.String({ pattern: '^\\d{1,3}$' }),
};
function taskOf(named: unknown): { readonly job: string; readonly index: number; readonly attempt: number } {
  const { job, index, attempt } = named as { job: string; index: string; attempt: string };
  return { job, index: Number(index), attempt: Number(attempt) };
}

function sessionOf(request: Asked): ServerHttp2Session | undefined {
  const { stream } = request.raw as { stream?: ServerHttp2Stream };
  return stream?.session as ServerHttp2Session | undefined;
}

async function readBounded(source: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > most) throw new ServerError('request.too_large', `A chunk has ${most} bytes at most.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
