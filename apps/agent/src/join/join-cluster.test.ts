import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Envelope } from '@writ/contract';
import { judgeAdmission, makeInvite, signerFromSeed, writeInvite } from '@writ/trust';
import { makePaperCluster, startHostileServer } from '../../../../testkit/src/hostile-server.ts';
import type { HostilePlace, HostileServer, PaperCluster } from '../../../../testkit/src/hostile-server.ts';
import { makeFolder, removeFolder } from '../../../../testkit/src/run-real-agent.ts';
import { joinCluster, prepareAgent } from './compose.ts';
import type { Joined } from './compose.ts';

let cluster: PaperCluster;
let thief: PaperCluster;
const base = makeFolder();
const servers: HostileServer[] = [];
let folders = 0;

before(async () => {
  cluster = await makePaperCluster();
  thief = await makePaperCluster();
});
after(async () => {
  for (const server of servers) await server.close();
  removeFolder(base);
});

async function serve(place: Partial<HostilePlace> = {}) {
  const invite = cluster.invite('127.0.0.1:1');
  const server = await startHostileServer({ cluster, invite, ...place });
  servers.push(server);
  return { server, text: invite.text.replace('127.0.0.1:1', `127.0.0.1:${server.port}`), invite };
}

const newFolder = (): string => join(base, String((folders += 1)));
const joinWith = (invite: string, folder = newFolder(), now: () => number = Date.now): Promise<Joined> =>
  joinCluster({
    invite,
    name: 'lab-1',
    folder,
    now,
    random: (bytes) => crypto.getRandomValues(bytes),
    signal: AbortSignal.timeout(10_000),
  });

/** Every word that a joining machine said, as a server hears it. */
function listenTo(server: HostileServer): unknown[] {
  const said: unknown[] = [];
  server.enrolLie = async (asked, honest) => {
    said.push(asked);
    return await honest();
  };
  return said;
}

describe('joining', () => {
  it('makes and keeps keys of its own, in files that are nobody else’s', async () => {
    const { server, text, invite } = await serve();
    const folder = newFolder();
    const joined = await joinWith(text, folder);
    assert.equal(joined.cluster, cluster.sets.cluster);
    const admitted = judgeAdmission(server.admitted!.admission, invite.envelope, cluster.sets);
    assert.equal(admitted.identity, joined.identity);
    for (const name of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(name.parentPath, name.name);
      if (name.isFile()) assert.equal(statSync(path).mode & 0o077, 0, path);
    }
  });

  it('never says the seed of its invite', async () => {
    const { server, text } = await serve();
    const said = listenTo(server);
    await joinWith(text);
    const letters = text.slice('writ1-'.length, text.indexOf('@'));
    assert.ok(said.length >= 2);
    assert.equal(JSON.stringify(said).includes(letters.slice(52, 75)), false);
  });

  it('does not wait for ever for a connection that nobody answers, nor for an answer that does not come', async () => {
    const { server, text } = await serve();
    const joinSoon = (invite: string, connect: number): Promise<Joined> =>
      joinCluster({
        invite,
        name: 'lab-1',
        folder: newFolder(),
        now: Date.now,
        random: (bytes) => crypto.getRandomValues(bytes),
        signal: new AbortController().signal,
        patience: { connect, converse: 100, again: 1 },
      });
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    try {
      const nobody = text.replace(String(server.port), String(port));
      await assert.rejects(joinSoon(nobody, 100), {
        code: 'join.no_answer',
        message: /nothing came in 0.1 seconds/,
      });
    } finally {
      silent.close();
    }
    server.enrolLie = () => new Promise(() => undefined);
    await assert.rejects(joinSoon(text, 60_000), {
      code: 'join.no_answer',
      message: /nothing came in 0.1 seconds/,
    });
  });

  it('asks again while the server does not reach its database, wherever it was told so, and says so in the end', async () => {
    const { server, text } = await serve();
    const away = { is: 'refused', code: 'server.unavailable', detail: 'it is away' } as const;
    const joinAgain = (): Promise<Joined> =>
      joinCluster({
        invite: text,
        name: 'lab-1',
        folder: newFolder(),
        now: Date.now,
        random: (bytes) => crypto.getRandomValues(bytes),
        signal: AbortSignal.timeout(30_000),
        patience: { connect: 10_000, converse: 10_000, again: 1 },
      });
    const asked: string[] = [];
    const answers = [false, true, false, true, true];
    server.enrolLie = async (said, honest) => {
      asked.push((said as { is: string }).is);
      return (answers.shift() ?? true) ? await honest() : away;
    };
    await joinAgain();
    assert.deepEqual(asked, ['join', 'join', 'admit', 'join', 'admit']);

    server.enrolLie = () => Promise.resolve(away);
    await assert.rejects(joinAgain(), {
      code: 'join.unavailable',
      message: /server\.unavailable, “it is away”/,
    });
    server.enrolLie = () => Promise.resolve({ ...away, code: 'invite.used' });
    await assert.rejects(joinAgain(), { code: 'join.refused' });
  });

  it('refuses a server whose certificate is of another authority, before it proves anything', async () => {
    const { server, text } = await serve({ issuer: thief });
    const said = listenTo(server);
    const folder = newFolder();
    await assert.rejects(joinWith(text, folder), { code: 'join.server_wrong' });
    assert.equal(said.length, 1);
    assert.equal(existsSync(join(folder, 'identity.key')), false);
  });

  it('refuses another signer set than the one that the invite pins', async () => {
    const sets = thief.sets.chain.map((held) => held.envelope);
    const { server, text } = await serve({ sets, issuer: thief });
    const said = listenTo(server);
    await assert.rejects(joinWith(text), { code: 'join.set_wrong' });
    assert.equal(said.length, 1);
  });

  it('refuses a set whose bytes were changed', async () => {
    const [first] = cluster.sets.chain.map((held) => held.envelope) as [Envelope];
    const payload = Buffer.from(
      Buffer.from(first.payload, 'base64').toString('utf8').replace('"ana"', '"eve"'),
    ).toString('base64');
    const { text } = await serve({ sets: [{ ...first, payload }] });
    await assert.rejects(joinWith(text), { code: 'join.set_wrong' });
  });

  it('refuses an invite that the server made itself', async () => {
    const { invite: real, server } = await serve();
    const made = makeInvite(
      cluster.sets,
      { person: cluster.person.person, signer: signerFromSeed(new Uint8Array(32).fill(3)) },
      { role: 'agent', name: null, labels: [], queues: ['*'], addresses: [`127.0.0.1:${server.port}`] },
      Date.now(),
      (bytes) => crypto.getRandomValues(bytes),
    );
    const { text } = await serve({ invite: made });
    const forged = made.text.replace(/@.*/, text.slice(text.indexOf('@')));
    await assert.rejects(joinWith(forged), { code: 'join.invite_wrong' });
    assert.notEqual(made.digest, real.digest);
  });

  it('refuses the public half of another invite', async () => {
    const { text } = await serve({ invite: cluster.invite('127.0.0.1:1') });
    const other = cluster.invite(text.slice(text.indexOf('@') + 1));
    await assert.rejects(joinWith(other.text), { code: 'join.invite_wrong' });
  });

  it('refuses an invite that has expired', async () => {
    const { text } = await serve();
    await assert.rejects(
      joinWith(text, newFolder(), () => Date.now() + 3_600_000),
      { code: 'join.invite_wrong' },
    );
  });

  it('refuses a certificate for another name, and one for another key', async () => {
    const named = await serve({ agentName: 'prod-1' });
    await assert.rejects(joinWith(named.text), { code: 'certificate.name_wrong' });
    const { server, text } = await serve();
    const other = await serve();
    await joinWith(other.text);
    server.enrolLie = async (asked, honest) => {
      const reply = await honest();
      if ((asked as { is: string }).is !== 'admit' || reply.is !== 'admitted') return reply;
      const stolen = await cluster.issue(
        'agent',
        'lab-1',
        (await import('@writ/trust/certificates')).createTlsKey().publicKeySpki,
      );
      return { ...reply, certificate: { chain: stolen.chain, notAfter: stolen.notAfter } };
    };
    await assert.rejects(joinWith(text), { code: 'join.certificate_wrong' });
  });

  it('repeats a lost answer with the same keys and the same admission, also when the invite has run out', async () => {
    const { server, text } = await serve();
    const folder = newFolder();
    const admissions: string[] = [];
    let lost = 1;
    server.enrolLie = async (asked, honest) => {
      const reply = await honest();
      const { is, admission, request } = asked as { is: string; admission: Envelope; request: Envelope };
      if (is === 'admit') admissions.push(JSON.stringify([admission, request]));
      return is === 'admit' && (lost -= 1) >= 0 ? null : reply;
    };
    await assert.rejects(joinWith(text, folder), { code: 'join.no_answer' });
    const joined = await joinWith(text, folder, () => Date.now() + 3_000_000);
    assert.equal(admissions.length, 2);
    assert.equal(admissions[0], admissions[1]);
    assert.equal(joined.name, 'lab-1');
  });

  it('does not make one folder a member of two clusters', async () => {
    const { text } = await serve();
    const folder = newFolder();
    await joinWith(text, folder);
    const invite = thief.invite('127.0.0.1:1');
    const server = await startHostileServer({ cluster: thief, invite });
    servers.push(server);
    await assert.rejects(joinWith(invite.text.replace('127.0.0.1:1', `127.0.0.1:${server.port}`), folder), {
      code: 'join.other_cluster',
    });
  });

  it('takes a text with a wrong letter for no invite', async () => {
    const text = writeInvite({
      set: cluster.sets.newest.digest,
      seed: new Uint8Array(16),
      addresses: ['127.0.0.1:1'],
    });
    await assert.rejects(joinWith(text.replace(/.@/, (two) => (two[0] === 'a' ? 'b@' : 'a@'))), {
      code: 'invite.malformed',
    });
  });
});

describe('an agent that a signer admits by hand', () => {
  it('gets a folder whose admission judges, and the same one when it is prepared again', async () => {
    const folder = newFolder();
    const wish = {
      folder,
      name: 'ana-pc',
      sets: cluster.sets,
      servers: ['127.0.0.1:7411'],
      by: cluster.person,
      labels: [],
      queues: ['*'],
      now: Date.now(),
      random: (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes),
    };
    const first = await prepareAgent(wish);
    const again = await prepareAgent({ ...wish, now: Date.now() + 5 });
    assert.deepEqual(again, first);
    const admitted = judgeAdmission(first.admission, null, cluster.sets);
    assert.equal(admitted.identity, first.identity);
    assert.equal(admitted.how, 'by_hand');
    const machine = JSON.parse(readFileSync(join(folder, 'machine.json'), 'utf8')) as { cluster: string };
    assert.equal(machine.cluster, cluster.sets.cluster);
  });
});
