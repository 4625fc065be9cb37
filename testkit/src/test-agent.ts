import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import {
  type Description,
  encodeBase64,
  type EnrolReply,
  type Envelope,
  type FromAgent,
  type FromServer,
  type LeasedTask,
  LINK_ROUTES,
  type ReceiptPredicate,
} from '@writ/contract';
import {
  generateP256,
  makeCertificateRequest,
  makeDescription,
  makeReceipt,
  p256Signer,
  setRef,
  type Signer,
} from '@writ/trust';
import { enrolClientTls, linkClientTls, type OwnCertificate, pemOf } from '@writ/trust/certificates';
import { digestOf } from '@writ/trust/digest';
import { newSigner, type TestServer } from './start-test-server.ts';

export interface HeldLease extends LeasedTask {
  readonly order: string;
}

/** An agent without a sandbox: real keys, real certificates, real TLS, and every message under the test's hand. */
export interface TestAgent {
  readonly name: string;
  readonly identity: Signer;
  readonly admission: string;
  own: OwnCertificate;
  readonly leases: HeldLease[];
  readonly orders: Map<string, Envelope>;
  readonly received: FromServer[];
  /** Number of the last receipt it made. */
  seq: number;
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  connect(hello?: Partial<Extract<FromAgent, { is: 'hello' }>>): Promise<void>;
  send(...messages: (FromAgent | Record<string, unknown>)[]): void;
  sendRaw(text: string): void;
  /** The next message of this kind that has not been awaited yet. */
  next<K extends FromServer['is']>(is: K, milliseconds?: number): Promise<Extract<FromServer, { is: K }>>;
  lease(milliseconds?: number): Promise<HeldLease>;
  receipt(lease: HeldLease, changes?: Partial<ReceiptPredicate>): Envelope;
  request(
    method: string,
    path: string,
    body?: Uint8Array,
    headers?: Record<string, string>,
  ): Promise<{ status: number; bytes: Buffer }>;
  closed: Promise<void>;
  close(): Promise<void>;
}

/** What it needs of a server, in this process or another. */
export type AgentHome = Pick<TestServer, 'sets' | 'person' | 'agentPort' | 'admit'>;

const EMPTY = digestOf(new Uint8Array());

/** Over `writ-enrol/1`, for an admitted identity: a certificate. */
export async function enrol(
  server: AgentHome,
  identity: Signer,
  previous: string | null = null,
  pair = generateP256(),
): Promise<OwnCertificate & { serial: string; reply: unknown }> {
  const request = makeCertificateRequest(
    { cluster: server.sets.cluster, previous, now: Date.now() },
    identity,
    p256Signer(pair.privateKey),
  );
  const [answer] = await converse(server, [{ is: 'renew', enrol: 1, request: request.envelope }]);
  if (answer?.is !== 'admitted') throw new Error(`no certificate: ${JSON.stringify(answer)}`);
  return certificateOf(answer.certificate.chain, pair.privateKey);
}

export function certificateOf(
  chain: readonly string[],
  privateKey: Uint8Array,
): OwnCertificate & { serial: string; reply: unknown } {
  const chainPem = pemOf(chain.map((der) => Buffer.from(der, 'base64'))).join('');
  const privateKeyPem = `-----BEGIN PRIVATE KEY-----\n${Buffer.from(privateKey)
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n')}\n-----END PRIVATE KEY-----\n`;
  // Serials are compared as the certificates module spells them: 32 digits at least.
  const serial = serialOf(Buffer.from(chain[0] ?? '', 'base64'));
  return { chainPem, privateKeyPem, serial, reply: chain };
}

function serialOf(der: Buffer): string {
  // Certificate → tbs → [0] version → INTEGER serial.
  const at = der.indexOf(Buffer.from('a003020102', 'hex')) + 5;
  const length = der[at + 1] ?? 0;
  return der
    .subarray(at + 2, at + 2 + length)
    .toString('hex')
    .replace(/^0+/, '')
    .padStart(32, '0');
}

/** One conversation of `writ-enrol/1`: each message is sent after the answer to the one before. */
export async function converse(
  server: { readonly agentPort: number },
  messages: readonly unknown[],
): Promise<EnrolReply[]> {
  const socket = connect({ ...enrolClientTls(), host: '127.0.0.1', port: server.agentPort });
  const answers: EnrolReply[] = [];
  let rest = '';
  let wake: (() => void) | null = null;
  let isOver = false;
  socket.on('data', (chunk: Buffer) => {
    rest += chunk.toString('utf8');
    for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n')) {
      answers.push(JSON.parse(rest.slice(0, end)));
      rest = rest.slice(end + 1);
    }
    wake?.();
  });
  for (const event of ['close', 'error'] as const) {
    socket.on(event, () => {
      isOver = true;
      wake?.();
    });
  }
  for (const [at, message] of messages.entries()) {
    if (!isOver) socket.write(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`);
    while (answers.length <= at && !isOver) await new Promise<void>((resolve) => (wake = resolve));
    if (isOver) break;
  }
  socket.destroy();
  return answers;
}

export function describe(
  server: AgentHome,
  identity: Signer,
  name: string,
  changes: Partial<Description> = {},
): Envelope {
  const said: Description = {
    format: 1,
    cluster: server.sets.cluster,
    identity: identity.key,
    time: Date.now(),
    writ: '0.1.0',
    node: process.version,
    os: 'linux',
    arch: 'x64',
    host: name,
    cores: 2,
    memoryBytes: 1_000_000_000,
    slots: 2,
    counters: [],
    megaflops: 1_000,
    profiles: [{ profile: 'strict', memory: 'cgroup', network: false, probes: [] }],
    labels: [],
    policy: '',
    ...changes,
  };
  return makeDescription(said, identity).envelope;
}

export interface AgentWish {
  readonly identity?: Signer;
  readonly description?: Partial<Description>;
  readonly grants?: Parameters<TestServer['admit']>[2];
  /** Presented instead of its own. */
  readonly own?: OwnCertificate;
  /** Gets each message as it comes; nothing is kept to be awaited. */
  readonly hear?: (message: FromServer) => void;
}

export async function makeAgent(server: AgentHome, name: string, wish: AgentWish = {}): Promise<TestAgent> {
  const identity = wish.identity ?? newSigner();
  const admission = await server.admit(name, identity, wish.grants);
  const own = wish.own ?? (await enrol(server, identity));
  let session: ClientHttp2Session | null = null;
  let stream: ClientHttp2Stream | null = null;
  let received: FromServer[] = [];
  let seen = 0;
  const waiting = new Set<() => void>();
  let previous: string | null = null;
  let closing = Promise.withResolvers<void>();

  const agent: TestAgent = {
    name,
    identity,
    admission,
    own,
    leases: [],
    orders: new Map(),
    get received() {
      return received;
    },
    seq: 0,
    get session() {
      if (!session) throw new Error('not connected');
      return session;
    },
    get stream() {
      if (!stream) throw new Error('not connected');
      return stream;
    },
    get closed() {
      return closing.promise;
    },
    async connect(hello = {}) {
      closing = Promise.withResolvers();
      received = [];
      seen = 0;
      const socket = await connectLink(server, agent.own);
      session = connectHttp2('https://writ', { createConnection: () => socket });
      session.on('error', () => {});
      const opened = session.request(
        { ':method': 'POST', ':path': LINK_ROUTES.stream, 'content-type': 'application/octet-stream' },
        { endStream: false },
      );
      stream = opened;
      let rest = '';
      opened.on('error', () => {});
      opened.on('close', () => closing.resolve());
      session.on('close', () => closing.resolve());
      opened.on('data', (chunk: Buffer) => {
        rest += chunk.toString('utf8');
        const lines = rest.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) take(JSON.parse(line));
        for (const wake of waiting) wake();
      });
      agent.send({
        is: 'hello',
        link: 1,
        writ: '0.1.0',
        description: describe(server, identity, name, wish.description),
        set: setRef(server.sets.newest),
        seq: agent.seq,
        credits: 2,
        held: [],
        ...hello,
      });
    },
    send: (...messages) => agent.sendRaw(messages.map((message) => `${JSON.stringify(message)}\n`).join('')),
    sendRaw: (text) => void agent.stream.write(text),

    async next(is, milliseconds = 5_000) {
      const end = Date.now() + milliseconds;
      for (;;) {
        for (let at = seen; at < received.length; at += 1) {
          const message = received[at];
          if (message?.is !== is) continue;
          received.splice(at, 1);
          seen = 0;
          return message as never;
        }
        if (Date.now() > end)
          throw new Error(
            `${name} waited ${milliseconds} ms for ${is}, and has ${JSON.stringify(received).slice(0, 500)}`,
          );
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake);
            clearTimeout(timer);
            resolve();
          };
          const timer = setTimeout(wake, Math.max(1, end - Date.now()));
          waiting.add(wake);
        });
      }
    },

    async lease(milliseconds) {
      const held = agent.leases.shift();
      if (held) return held;
      const message = await agent.next('lease', milliseconds);
      agent.leases.push(
        ...message.tasks.map((task) => ({ job: message.job, order: message.order, ...task })),
      );
      const first = agent.leases.shift();
      if (!first) throw new Error('an empty lease');
      return first;
    },

    receipt(lease, changes = {}) {
      agent.seq += 1;
      const now = Date.now();
      const predicate: ReceiptPredicate = {
        format: 1,
        cluster: server.sets.cluster,
        kind: 'ended',
        identity: identity.key,
        admission,
        person: server.person.id,
        order: lease.order,
        job: lease.job,
        index: lease.index,
        attempt: lease.attempt,
        token: lease.token,
        set: setRef(server.sets.newest),
        adopts: null,
        because: 'exit',
        detail: '',
        exit: { code: 0 },
        variant: 0,
        profile: 'strict',
        started: now,
        ended: now,
        outputs: [],
        stdout: { digest: EMPTY, size: 0 },
        stderr: { digest: EMPTY, size: 0 },
        resources: { wallMs: 1, cpuMs: null, memoryPeakBytes: null },
        seq: agent.seq,
        previous,
        auditHead: null,
        ...changes,
      };
      const made = makeReceipt(predicate, identity);
      previous = made.digest;
      return made.envelope;
    },

    async request(method, path, body, headers = {}) {
      const asked = agent.session.request(
        {
          ':method': method,
          ':path': path,
          ...(body && { 'content-type': 'application/octet-stream' }),
          ...headers,
        },
        { endStream: !body },
      );
      if (body) asked.end(body);
      const status = await new Promise<number>((resolve, reject) => {
        asked.once('response', (answer) => resolve(answer[':status'] ?? 0));
        asked.once('error', reject);
        asked.once('close', () => resolve(0));
      });
      const chunks: Buffer[] = [];
      if (status !== 0) for await (const chunk of asked) chunks.push(chunk as Buffer);
      return { status, bytes: Buffer.concat(chunks) };
    },

    async close() {
      stream?.destroy();
      session?.destroy();
      await closing.promise;
    },
  };

  const take = (message: FromServer): void => {
    if (wish.hear) return wish.hear(message);
    received.push(message);
    if (message.is === 'order') agent.orders.set(message.digest, message.envelope);
  };
  return agent;
}

/** The connection alone, as far as TLS and the server let it come. */
export async function connectLink(server: AgentHome, own: OwnCertificate): Promise<TLSSocket> {
  const roots = server.sets.newest.set.authorities.map((root) => Buffer.from(root, 'base64'));
  const expect = () => ({
    cluster: server.sets.cluster,
    roles: ['server'] as const,
    now: Date.now(),
    roots,
    issuing: [],
    mayActNow: () => true as const,
  });
  const socket = connect({ ...linkClientTls(own, expect), host: '127.0.0.1', port: server.agentPort });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

export const inline = (text: string): { base64: string; log: { digest: string; size: number } } => {
  const bytes = Buffer.from(text);
  return { base64: encodeBase64(bytes), log: { digest: digestOf(bytes), size: bytes.length } };
};
