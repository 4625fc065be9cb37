import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { ENROL_PROTOCOL, type Envelope } from '@writ/contract';
import {
  envelopeDigest,
  generateP256,
  inviteSigner,
  makeAdmission,
  makeCertificateRequest,
  p256Signer,
  parseInvite,
  type Signer,
} from '@writ/trust';
import { newSigner, startTestServer, type TestServer } from '../testkit/src/start-test-server.ts';
import { converse, enrol } from '../testkit/src/test-agent.ts';

describe('joining over writ-enrol/1', { timeout: 60_000 }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(async () => {
    await server.close();
  });

  interface Joining {
    readonly ask: object;
    readonly admit: object;
    readonly identity: Signer;
    readonly tls: ReturnType<typeof generateP256>;
  }
  const prepare = (
    invite: { text: string; envelope: Envelope },
    name: string,
    wish: {
      identity?: Signer;
      requester?: Signer;
      tls?: ReturnType<typeof generateP256>;
      supersedes?: string;
    } = {},
  ): Joining => {
    const { seed, set } = parseInvite(invite.text);
    const inviteKey = inviteSigner(seed);
    const identity = wish.identity ?? newSigner();
    const tls = wish.tls ?? generateP256();
    const admission = makeAdmission(
      {
        format: 1,
        cluster: server.sets.cluster,
        identity: identity.key,
        name,
        machine: { host: name, os: 'linux', arch: 'x64', machineId: null },
        how: { is: 'invite', invite: envelopeDigest(invite.envelope), inviteKey: inviteKey.key },
        role: 'agent',
        supersedes: wish.supersedes ?? null,
        time: Date.now(),
      },
      inviteKey,
      identity,
    );
    const request = makeCertificateRequest(
      { cluster: server.sets.cluster, previous: null, now: Date.now() },
      wish.requester ?? identity,
      p256Signer(tls.privateKey),
    );
    return {
      ask: { is: 'join', enrol: 1, inviteKey: inviteKey.key, set },
      admit: { is: 'admit', admission: admission.envelope, request: request.envelope },
      identity,
      tls,
    };
  };
  const joinWith = async ({ ask, admit }: Joining) => (await converse(server, [ask, admit])).at(-1);

  test('a machine with an invite is offered what it judges, and is admitted; a lost answer repeated is the same', async () => {
    const invite = await server.invite();
    const joining = prepare(invite, 'lab-02');
    const [offer, admitted] = await converse(server, [joining.ask, joining.admit]);
    assert.equal(offer?.is === 'offer' && JSON.stringify(offer.invite), JSON.stringify(invite.envelope));
    assert.equal(admitted?.is, 'admitted');
    const again = await joinWith({ ...joining });
    assert.deepEqual(again, admitted);
    const { body } = await server.call('GET', '/api/v1/agents/lab-02');
    assert.equal(body.identity, joining.identity.key);
    const trust = await server.call('GET', '/api/v1/trust');
    assert.ok(
      trust.body.admissions.some(
        (one: { invite: Envelope | null }) => JSON.stringify(one.invite) === JSON.stringify(invite.envelope),
      ),
    );
  });

  test('of many keys under one invite one is admitted, and an alarm stands in the audit trail', async () => {
    const invite = await server.invite();
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => await joinWith(prepare(invite, `race-${n}`))),
    );
    assert.equal(answers.filter((answer) => answer?.is === 'admitted').length, 1);
    assert.ok(
      answers.every(
        (answer) => answer?.is === 'admitted' || (answer?.is === 'refused' && answer.code === 'invite.used'),
      ),
      JSON.stringify(answers),
    );
    const { body } = await server.call('GET', '/api/v1/agents?limit=500');
    assert.equal(body.items.filter((agent: { name: string }) => agent.name.startsWith('race-')).length, 1);
    const audit = await server.call('GET', '/api/v1/audit?limit=100');
    assert.ok(
      audit.body.items.some(
        (record: { action: string; outcome: string }) =>
          /invite|alarm/.test(record.action) && record.outcome === 'refused',
      ),
      JSON.stringify(audit.body.items.map((item: { action: string }) => item.action)),
    );
  });

  test('another name, a taken name, a foreign request and an unknown or forged invite are refused', async () => {
    const named = await server.invite({ name: 'only-this' });
    assert.equal(codeOf(await joinWith(prepare(named, 'other-name'))), 'admission.name_wrong');
    const invite = await server.invite();
    assert.equal(codeOf(await joinWith(prepare(invite, 'lab-02'))), 'admission.name_taken');
    assert.equal(
      codeOf(await joinWith(prepare(invite, 'lab-03', { requester: newSigner() }))),
      'request.identity_other',
    );
    const other = await startTestServer();
    try {
      const foreign = await other.invite();
      assert.equal(codeOf(await joinWith(prepare(foreign, 'lab-04'))), 'invite.unknown');
      const refused = await server.call('POST', '/api/v1/invites', { body: { invite: foreign.envelope } });
      assert.deepEqual([refused.status, refused.body.code], [422, 'invite.refused']);
    } finally {
      await other.close();
    }
    const forged = prepare(invite, 'lab-05');
    const stranger = newSigner();
    const half = prepare({ ...invite }, 'lab-05', { identity: stranger });
    assert.match(
      codeOf(
        await joinWith({
          ...forged,
          admit: {
            ...half.admit,
            admission: {
              ...(forged.admit as { admission: Envelope }).admission,
              payload: (half.admit as { admission: Envelope }).admission.payload,
            },
          },
        }),
      ) ?? '',
      /^(envelope|admission)\./,
    );
  });

  test('a machine made anew takes its name back by an invite that names it, and nobody else is put out by one', async () => {
    const first = prepare(await server.invite(), 'anew');
    const other = prepare(await server.invite(), 'beside');
    assert.equal((await joinWith(first))?.is, 'admitted');
    assert.equal((await joinWith(other))?.is, 'admitted');
    const digestOf = (joining: Joining): string =>
      envelopeDigest((joining.admit as { admission: Envelope }).admission);

    const unnamed = await server.invite();
    const [plain] = await converse(server, [prepare(unnamed, 'anew').ask]);
    assert.equal(plain?.is === 'offer' && plain.supersedes, null);
    assert.equal(
      codeOf(await joinWith(prepare(unnamed, 'anew', { supersedes: digestOf(first) }))),
      'admission.supersedes_not_granted',
    );

    const named = await server.invite({ name: 'anew' });
    assert.equal(
      codeOf(await joinWith(prepare(named, 'anew', { supersedes: digestOf(other) }))),
      'admission.supersedes_unknown',
    );
    const [offer] = await converse(server, [prepare(named, 'anew').ask]);
    assert.equal(offer?.is === 'offer' && offer.supersedes, digestOf(first));
    const again = prepare(named, 'anew', { supersedes: digestOf(first) });
    assert.equal((await joinWith(again))?.is, 'admitted');
    const { body } = await server.call('GET', '/api/v1/agents/anew');
    assert.equal(body.identity, again.identity.key);
    const untouched = await server.call('GET', '/api/v1/agents/beside');
    assert.equal(untouched.body.identity, other.identity.key);
    await assert.rejects(enrol(server, first.identity), /no certificate: .*refused/);
  });

  test('messages out of turn, of another shape or too long get nowhere', async () => {
    const { ask, admit } = prepare(await server.invite(), 'lab-06');
    for (const messages of [
      [admit],
      [ask, ask],
      [{ ...ask, and: 1 }],
      [{ ...ask, is: 'renew' }],
      ['{"is":\n'],
    ] as const) {
      const answer = (await converse(server, messages)).at(-1);
      assert.equal(codeOf(answer), 'enrol.malformed', JSON.stringify(messages).slice(0, 100));
    }
    const long = await converse(server, ['x'.repeat(600_000)]);
    assert.ok(long.length === 0 || codeOf(long.at(-1)) === 'enrol.malformed');
    assert.equal((await server.call('GET', '/api/v1/agents/lab-06')).status, 404);
  });

  test('what speaks no TLS, no known protocol or nothing at all is cut, and honest machines are served meanwhile', async () => {
    const silent = Array.from({ length: 100 }, () => connectPlain(server.agentPort, '127.0.0.1'));
    for (const socket of silent) socket.on('error', () => {});
    const plain = connectPlain(server.agentPort, '127.0.0.1');
    plain.on('error', () => {});
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await once(plain, 'close');
    const old = connect({
      host: '127.0.0.1',
      port: server.agentPort,
      rejectUnauthorized: false,
      maxVersion: 'TLSv1.2',
      ALPNProtocols: [ENROL_PROTOCOL],
    });
    const [error] = await once(old, 'error');
    assert.match(String(error), /protocol|alert/i);
    assert.equal((await joinWith(prepare(await server.invite(), 'lab-07')))?.is, 'admitted');
    for (const socket of silent) socket.destroy();
  });

  test('a server that has lost its authority does not start with another one; with the old one it goes on', async () => {
    const [authority, aside] = [join(server.state, 'server', 'authority'), join(server.state, 'aside')];
    await rename(authority, aside);
    await assert.rejects(server.restart(), { code: 'authority.missing' });
    await rename(aside, authority);
    await server.restart();
    assert.equal((await joinWith(prepare(await server.invite(), 'lab-08')))?.is, 'admitted');
  });
});

const codeOf = (answer: { is: string; code?: unknown } | undefined): string | undefined =>
  answer?.is === 'refused' ? String(answer.code) : answer?.is;
