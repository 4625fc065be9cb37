import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeBase64, type Label } from '@writ/contract';
import { start, type RunningServer, type ServerOptions } from '@writ/server';
import {
  type HeldSets,
  makeFirstSet,
  makeInvite,
  newSeed,
  type Signer,
  signerFromSeed,
  startSets,
} from '@writ/trust';
import { pemOf } from '@writ/trust/certificates';
import { type ApiAnswer, type ApiCall, callApi } from './call-api.ts';
import { randomId, type TestPerson } from './make-order.ts';
import { signAdmission } from './sign-admission.ts';

const random = (bytes: Uint8Array<ArrayBuffer>): unknown => crypto.getRandomValues(bytes);
export const newSigner = (): Signer => signerFromSeed(newSeed(random));

/** A whole server in a folder of its own, claimed by a person whose key the test holds. */
export interface TestServer {
  readonly state: string;
  running: RunningServer;
  readonly sets: HeldSets;
  readonly person: TestPerson;
  /** Root certificate as a client takes it. */
  readonly ca: string;
  readonly agentPort: number;
  readonly peoplePort: number;
  call(method: string, path: string, call?: ApiCall): Promise<ApiAnswer>;
  /** Over the network, with a token. */
  callWith(token: string | undefined, method: string, path: string, call?: ApiCall): Promise<ApiAnswer>;
  makeToken(role: 'administrator' | 'member'): Promise<string>;
  /** Signed by the person and by the identity key, and known to the server. */
  admit(name: string, identity: Signer, grants?: { labels?: Label[]; queues?: string[] }): Promise<string>;
  invite(wish?: { name?: string }): Promise<ReturnType<typeof makeInvite>>;
  /** Stops it and starts it again on the same ports. */
  restart(changes?: Partial<ServerOptions>): Promise<void>;
  close(): Promise<void>;
}

export async function startTestServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  const state = await mkdtemp(join(tmpdir(), 'writ-server-'));
  const wish: ServerOptions = {
    state,
    host: '127.0.0.1',
    peoplePort: 0,
    agentPort: 0,
    name: 'test-server',
    ...options,
  };
  let running = await start(wish);
  const call = async (method: string, path: string, made?: ApiCall) =>
    await callApi({ socket: running.addresses.socket }, method, path, made);

  const person: TestPerson = { id: randomId(), signer: newSigner() };
  const { body: before } = await call('GET', '/api/v1/cluster');
  const first = makeFirstSet(
    {
      nonce: randomId(),
      now: Date.now(),
      person: { id: person.id, name: 'ana', keyName: 'laptop' },
      authorities: [before.authority],
    },
    person.signer,
  );
  const claimed = await call('POST', '/api/v1/setup', { body: { set: first.envelope } });
  if (claimed.status !== 200) throw new Error(`the server was not claimed: ${claimed.bytes.toString()}`);
  const sets = startSets(first.envelope);
  const ca = pemOf([decodeBase64(before.authority) ?? new Uint8Array()]).join('');
  const ports = { people: running.addresses.people?.port ?? 0, agents: running.addresses.agents?.port ?? 0 };

  const server: TestServer = {
    state,
    get running() {
      return running;
    },
    sets,
    person,
    ca,
    agentPort: ports.agents,
    peoplePort: ports.people,
    call,
    callWith: async (token, method, path, made) =>
      await callApi({ port: ports.people, ca, ...(token !== undefined && { token }) }, method, path, made),
    async makeToken(role) {
      const { body } = await call('POST', '/api/v1/tokens', {
        body: { name: role, role, expiresSeconds: 3_600 },
      });
      return body.token;
    },
    async admit(name, identity, grants = {}) {
      const { envelope, digest } = signAdmission(sets, person, identity, { name, ...grants });
      const answer = await call('POST', '/api/v1/admissions', { body: { admission: envelope } });
      if (answer.status !== 201) throw new Error(`the agent was not admitted: ${answer.bytes.toString()}`);
      return digest;
    },
    async invite({ name } = {}) {
      const invite = makeInvite(
        sets,
        { person: person.id, signer: person.signer },
        {
          role: 'agent',
          name: name ?? null,
          labels: [],
          queues: ['*'],
          addresses: [`127.0.0.1:${ports.agents}`],
        },
        Date.now(),
        random,
      );
      const answer = await call('POST', '/api/v1/invites', { body: { invite: invite.envelope } });
      if (answer.status !== 201) throw new Error(`the invite was not taken: ${answer.bytes.toString()}`);
      return invite;
    },
    async restart(changes = {}) {
      await running.close();
      running = await start({ ...wish, ...changes, peoplePort: ports.people, agentPort: ports.agents });
    },
    async close() {
      await running.close();
      await rm(state, { recursive: true, force: true });
    },
  };
  return server;
}
