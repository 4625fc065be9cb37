import { randomBytes } from 'node:crypto';
import { performServerHandshake } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { encodeBase64, fromAgentCheck, LINK_ROUTES } from '@writ/contract';
import type {
  EnrolReply,
  Envelope,
  FromAgent,
  FromServer,
  LeasedTask,
  Order,
  ReceiptPredicate,
} from '@writ/contract';
import {
  judgeCertificateRequest,
  keyBytes,
  makeFirstSet,
  makeInvite,
  newId,
  openReceipt,
  setRef,
  signerFromSeed,
  signOrder,
  startSets,
} from '@writ/trust';
import type { Admitted, HeldSets, MadeInvite, Sealed, Signer } from '@writ/trust';
import { createAuthority, issueLeaf, leafTimes, newSerial } from '@writ/trust/authority';
import type { Authority } from '@writ/trust/authority';
import { createTlsKey, listenForLinks } from '@writ/trust/certificates';
import type { OwnCertificate, Role } from '@writ/trust/certificates';
import { makeOrder, runsCommand } from './make-order.ts';

const random = (bytes: Uint8Array): unknown => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);

/** A person with a key, a signer set and an authority: what a cluster is before any server. */
export interface PaperCluster {
  readonly authority: Authority;
  readonly sets: HeldSets;
  readonly person: { readonly person: string; readonly signer: Signer };
  issue(
    role: Role,
    name: string,
    publicKeySpki: Uint8Array,
    lifeMs?: number,
  ): Promise<{ chain: string[]; chainPem: string; notAfter: number }>;
  invite(address: string, name?: string | null): MadeInvite;
  order(given: Partial<Order> & { readonly argv?: readonly string[] }): Sealed & { readonly order: Order };
}

export async function makePaperCluster(): Promise<PaperCluster> {
  const now = Date.now();
  const authority = await createAuthority({ now, randomBytes: (size: number) => randomBytes(size) });
  const signer = signerFromSeed(randomBytes(32));
  const person = newId(random);
  const first = makeFirstSet(
    {
      nonce: newId(random),
      now: now - 1000,
      person: { id: person, name: 'ana', keyName: 'laptop' },
      authorities: [encodeBase64(authority.rootCertificate)],
    },
    signer,
  );
  const sets = startSets(first.envelope);
  return {
    authority,
    sets,
    person: { person, signer },
    issue: issueWith(authority, sets.cluster),
    invite: (address, name = null) =>
      makeInvite(
        sets,
        { person, signer },
        { role: 'agent', name, labels: [], queues: ['*'], addresses: [address] },
        Date.now(),
        random,
      ),
    order({ argv = ['/bin/true'], ...given }) {
      const usual = makeOrder(sets, { id: person, signer });
      const order: Order = {
        ...usual,
        runs: runsCommand(argv),
        limits: { ...usual.limits, timeSeconds: 60, cancelGraceSeconds: 1 },
        profile: 'bare',
        issued: Date.now() - 500,
        notAfter: Date.now() + 3_600_000,
        ...given,
      };
      return { ...signOrder(order, signer), order };
    },
  };
}

/** What whoever has an authority's key can do with it. */
export function issueWith(authority: Authority, cluster: string): PaperCluster['issue'] {
  return async (role, name, publicKeySpki, lifeMs) => {
    const at = Date.now();
    const times = leafTimes(role, at);
    const leaf = await issueLeaf(
      authority,
      {
        ...times,
        notAfter: lifeMs === undefined ? times.notAfter : at + lifeMs,
        publicKeySpki,
        cluster,
        role,
        name,
        dnsNames: [],
        ipAddresses: [],
        serial: newSerial((size: number) => randomBytes(size)),
      },
      () => false,
    );
    return {
      chain: [encodeBase64(leaf.certificate), encodeBase64(authority.issuingCertificate)],
      chainPem: leaf.chainPem,
      notAfter: leaf.identity.notAfter,
    };
  };
}

export type EnrolLie = (asked: unknown, honest: () => Promise<EnrolReply>) => Promise<EnrolReply | null>;

export interface HostileServer {
  readonly port: number;
  /** Everything that the agent of the open link said, and what it says from now on. */
  readonly heard: FromAgent[];
  readonly receipts: ReceiptPredicate[];
  /** The same receipts as they were signed. */
  readonly envelopes: Envelope[];
  readonly requests: { method: string; path: string; body: Buffer }[];
  readonly links: number;
  /** What it says of the time, in milliseconds: a clock that began long ago. */
  clock(): number;
  send(message: FromServer): void;
  sendText(text: string): void;
  /** Order, then one lease of these tasks. */
  lease(
    order: Sealed & { readonly order: Order },
    tasks: readonly Pick<LeasedTask, 'index' | 'attempt' | 'token'>[],
    changes?: { seconds?: number; identity?: string; job?: string; at?: number },
  ): void;
  /** Resolves with the first message or receipt that fits, now or later. */
  hear<T extends FromAgent['is']>(
    is: T,
    fits?: (message: Extract<FromAgent, { is: T }>) => boolean,
    withinMs?: number,
  ): Promise<Extract<FromAgent, { is: T }>>;
  receipt(fits: (receipt: ReceiptPredicate) => boolean, withinMs?: number): Promise<ReceiptPredicate>;
  /** Cuts every connection. */
  cut(): void;
  /** Whether renewals are answered. */
  isRenewing: boolean;
  isAccepting: boolean;
  isWelcoming: boolean;
  answer: (
    method: string,
    path: string,
    body: Buffer,
  ) => { status: number; body: Buffer | string } | undefined;
  enrolLie: EnrolLie | undefined;
  /** Serves an agent on a connection that this side dialed. */
  serve(socket: TLSSocket): void;
  readonly admitted: { admission: Envelope; request: Envelope } | undefined;
  close(): Promise<void>;
}

export interface HostilePlace {
  readonly cluster: Pick<PaperCluster, 'authority' | 'sets' | 'issue'>;
  /** Any free one, when left out. */
  readonly agentPort?: number;
  /** Whose authority its own certificate comes from, if not the cluster's. */
  readonly issuer?: PaperCluster;
  readonly invite?: MadeInvite;
  readonly sets?: readonly Envelope[];
  readonly agentName?: string;
  readonly leafMs?: number;
  readonly leaseSeconds?: number;
}

/** A server that speaks the agents' protocols and does whatever a test wants it to do. */
export async function startHostileServer(place: HostilePlace): Promise<HostileServer> {
  const { cluster } = place;
  const key = createTlsKey();
  const leaf = await (place.issuer ?? cluster).issue('server', 'hostile', key.publicKeySpki);
  const own: OwnCertificate = { chainPem: leaf.chainPem, privateKeyPem: key.privateKeyPem };
  const sockets = new Set<TLSSocket>();
  const waiting: (() => void)[] = [];
  const heard: FromAgent[] = [];
  const receipts: ReceiptPredicate[] = [];
  const envelopes: Envelope[] = [];
  const requests: HostileServer['requests'] = [];
  const given = new Map<string, { chain: string[]; notAfter: number }>();
  let stream: ServerHttp2Stream | undefined;
  let links = 0;
  let admitted: HostileServer['admitted'];

  const wake = (): void => {
    for (const look of waiting.splice(0)) look();
  };
  const server: HostileServer = {
    get port() {
      return (listener.address() as AddressInfo).port;
    },
    heard,
    receipts,
    envelopes,
    requests,
    get links() {
      return links;
    },
    get admitted() {
      return admitted;
    },
    isRenewing: true,
    isAccepting: true,
    isWelcoming: true,
    answer: () => undefined,
    enrolLie: undefined,
    send: (message) => server.sendText(JSON.stringify(message)),
    sendText: (text) => void stream?.write(`${text}\n`),
    clock: () => 1_000_000 + Math.floor(performance.now()),
    lease(order, tasks, changes = {}) {
      server.send({ is: 'order', digest: order.digest, envelope: order.envelope });
      const identity = heard.find((message) => message.is === 'hello')?.description;
      server.send({
        is: 'lease',
        order: order.digest,
        identity: changes.identity ?? identityOf(identity),
        job: changes.job ?? order.order.job,
        at: changes.at ?? server.clock(),
        seconds: changes.seconds ?? place.leaseSeconds ?? 30,
        tasks: [...tasks],
      });
    },
    hear: (is, fits = () => true, withinMs = 10_000) =>
      until(
        () => heard.find((message) => message.is === is && fits(message as never)) as never,
        withinMs,
        `no “${is}” was heard`,
      ),
    receipt: (fits, withinMs = 10_000) => until(() => receipts.find(fits), withinMs, 'no such receipt came'),
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    serve: (socket) => serveLink(socket),
    async close() {
      server.cut();
      await new Promise((resolve) => listener.close(resolve));
    },
  };

  const listener = listenForLinks({
    own,
    expect: () => ({
      cluster: cluster.sets.cluster,
      roles: ['agent'],
      now: Date.now(),
      roots: [cluster.authority.rootCertificate],
      issuing: [cluster.authority.issuingCertificate],
      mayActNow: () => true,
    }),
    onLink: (socket) => serveLink(socket),
    onEnrol: (socket) => serveEnrolment(socket),
    onRefused: () => {},
  });
  await new Promise<void>((resolve) => listener.listen(place.agentPort ?? 0, '127.0.0.1', resolve));
  return server;

  function serveLink(socket: TLSSocket): void {
    links += 1;
    keep(socket);
    const session: ServerHttp2Session = performServerHandshake(socket);
    session.on('error', () => {});
    session.on('stream', (opened, headers) => {
      opened.on('error', () => {});
      if (headers[':path'] === LINK_ROUTES.stream) serveStream(opened);
      else void serveRequest(opened, headers);
    });
  }

  function serveStream(opened: ServerHttp2Stream): void {
    stream = opened;
    opened.respond({ ':status': 200 });
    let rest = '';
    opened.setEncoding('utf8');
    opened.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') take(JSON.parse(line) as FromAgent);
      wake();
    });
  }

  function take(message: FromAgent): void {
    if (!fromAgentCheck.is(message))
      throw new Error(`the agent said ${JSON.stringify(message).slice(0, 300)}`);
    heard.push(message);
    if (message.is === 'hello' && server.isWelcoming)
      server.send({
        is: 'welcome',
        link: 1,
        at: server.clock(),
        writ: 'test',
        server: 'hostile',
        epoch: 1,
        leaseSeconds: place.leaseSeconds ?? 30,
        set: setRef(cluster.sets.newest),
      });
    if (message.is === 'renew' && server.isRenewing)
      server.send({ is: 'renewed', tasks: message.tasks, lost: [] });
    if (message.is !== 'receipts') return;
    let upTo = 0;
    for (const { envelope } of message.receipts) {
      const identity = receiptSigner(envelope);
      const { predicate } = openReceipt(envelope, cluster.sets.cluster, {
        identity,
        digest: admissionNamed(envelope),
      } as Admitted);
      receipts.push(predicate);
      envelopes.push(envelope);
      upTo = predicate.seq;
    }
    if (server.isAccepting) server.send({ is: 'accepted', upTo, refused: [] });
  }

  async function serveRequest(opened: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const parts: Buffer[] = [];
    for await (const chunk of opened) parts.push(chunk as Buffer);
    const body = Buffer.concat(parts);
    const method = String(headers[':method']);
    const path = String(headers[':path']);
    requests.push({ method, path, body });
    wake();
    let answer = server.answer(method, path, body);
    if (!answer && path === LINK_ROUTES.certificate)
      answer = {
        status: 200,
        body: JSON.stringify(await give(JSON.parse(body.toString('utf8')) as Envelope)),
      };
    answer ??= { status: 200, body: '{}' };
    if (opened.destroyed) return;
    opened.respond({ ':status': answer.status });
    opened.end(answer.body);
  }

  /** The same key asks again: the same certificate. */
  async function give(request: Envelope): Promise<{ chain: string[]; notAfter: number }> {
    const { tlsKey } = judgeCertificateRequest(request, cluster.sets.cluster);
    const known = given.get(tlsKey);
    if (known) return known;
    const { chain, notAfter } = await cluster.issue(
      'agent',
      place.agentName ?? 'lab-1',
      keyBytes(tlsKey),
      place.leafMs,
    );
    given.set(tlsKey, { chain, notAfter });
    return { chain, notAfter };
  }

  function serveEnrolment(socket: TLSSocket): void {
    keep(socket);
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) void answerEnrolment(socket, JSON.parse(line));
    });
  }

  async function answerEnrolment(
    socket: TLSSocket,
    asked: { is: string; request?: Envelope; admission?: Envelope },
  ): Promise<void> {
    const honest = async (): Promise<EnrolReply> => {
      if (asked.is === 'join')
        return {
          is: 'offer',
          sets: [...(place.sets ?? cluster.sets.chain.map((held) => held.envelope))],
          freshness: null,
          invite: (place.invite as MadeInvite).envelope,
          supersedes: null,
        };
      if (asked.is === 'admit')
        admitted = { admission: asked.admission as Envelope, request: asked.request as Envelope };
      const certificate = await give(asked.request as Envelope);
      const { envelopeDigest } = await import('@writ/trust');
      return {
        is: 'admitted',
        certificate,
        admission: asked.admission ? envelopeDigest(asked.admission) : `sha256:${'0'.repeat(64)}`,
      };
    };
    const reply = server.enrolLie ? await server.enrolLie(asked, honest) : await honest();
    if (reply === null) socket.destroy();
    else socket.write(`${JSON.stringify(reply)}\n`);
  }

  function keep(socket: TLSSocket): void {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  }

  async function until<T>(find: () => T | undefined, withinMs: number, why: string): Promise<T> {
    const last = Date.now() + withinMs;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (Date.now() > last)
        throw new Error(
          `${why} within ${withinMs} ms; heard: ${JSON.stringify(heard.map((one) => one.is))}, receipts: ${JSON.stringify(receipts.map(({ index, attempt, kind, because, detail }) => ({ index, attempt, kind, because, detail })))}`,
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }
}

const payloadOf = (envelope: Envelope): never =>
  JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')) as never;
const receiptSigner = (envelope: Envelope): string =>
  (payloadOf(envelope) as { predicate: ReceiptPredicate }).predicate.identity;
const admissionNamed = (envelope: Envelope): string =>
  (payloadOf(envelope) as { predicate: ReceiptPredicate }).predicate.admission;
const identityOf = (description: Envelope | undefined): string =>
  description ? (payloadOf(description) as { identity: string }).identity : '';
