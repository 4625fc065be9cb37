// needs: bubblewrap
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { Agent, request } from 'node:https';
import process from 'node:process';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildOrder } from '@writ/client';
import { signOrder } from '@writ/trust';
import { callApi, type ApiPlace } from '../testkit/src/call-api.ts';
import { startEffectLog, type EffectLog } from '../testkit/src/effect-log.ts';
import { startFaultProxy, type FaultProxy } from '../testkit/src/fault-proxy.ts';
import { judgeHistory, type Acknowledged } from '../testkit/src/judge-history.ts';
import { randomId } from '../testkit/src/make-order.ts';
import { readHistory } from '../testkit/src/read-history.ts';
import { isProgram, type Process } from '../testkit/src/read-processes.ts';
import { startCluster, type Cluster } from '../testkit/src/start-cluster.ts';

const KILLS = Number(process.env['WRIT_KILLS'] ?? 50);
/** Each of these many kills falls between the commit of a submission and its answer. */
const HELD_EACH = 4;
const TASKS = 10;
const PATIENCE_MS = 60_000;

let cluster: Cluster;
let effects: EffectLog;
/** Through which submissions go whose answer is held back. */
let proxy: FaultProxy;
let place: ApiPlace & { readonly port: number; readonly token: string };

before(async () => {
  effects = await startEffectLog();
  cluster = await startCluster({
    leaseSeconds: 1,
    agents: ['one', 'two'].map((name) => ({ name: `server-kills-${name}`, slots: 2 })),
  });
  proxy = await startFaultProxy({ port: cluster.server.peoplePort });
  const { token } = (await cluster.openRemoteClient()).server;
  const ca = cluster.sets.newest.set.authorities.map((root) =>
    new X509Certificate(Buffer.from(root, 'base64')).toString(),
  );
  place = { port: cluster.server.peoplePort, token: token ?? '', ca: ca.join('') };
});
after(async () => {
  await proxy?.stop();
  await cluster?.stop();
  await effects?.stop();
});

test(`the server is killed ${KILLS} times and no acknowledged task is lost or accepted twice`, async (t) => {
  const acknowledged: Acknowledged[] = [];
  const seen = { effective: 0, held: 0, repeated: 0 };
  for (let kill = 0; kill < KILLS; kill += 1) {
    while (openTasks(acknowledged) < 2 * TASKS) acknowledged.push(await submitUntilTold(makeSubmission()));
    await becomes('a task runs', () => effects.alive().length > 0);
    const submission = makeSubmission();
    const isHeld = kill % HELD_EACH === 0;
    const answer = isHeld ? await submitAndHold(submission) : submit(submission).then(statusOf, () => null);
    await sleep(Math.random() * 60);
    if (effects.alive().length > 0) seen.effective += 1;
    assert.ok(cluster.server.kill(isServer) >= 1, 'there was a server to kill');
    if (isHeld) {
      seen.held += 1;
      proxy.cut();
      assert.equal(await (answer as Held).answered, false);
      (answer as Held).letGo();
    }
    await cluster.server.start();
    if (isHeld) {
      // The answer was on its way, so the job must be there before it is sent again.
      const { status } = await callApi(place, 'GET', `/api/v1/jobs/${submission.job}`);
      assert.equal(status, 200, 'a job whose submission was answered survived');
    }
    if (isHeld || (await answer) !== 201) seen.repeated += 1;
    // Again the same bytes, whatever became of the first time: one job.
    acknowledged.push(await submitUntilTold(submission));
  }
  await drain(t, acknowledged);
  t.diagnostic(JSON.stringify({ kills: KILLS, ...seen, tasks: acknowledged.length * TASKS }));
  await cluster.server.stop();

  const history = await readHistory(cluster.server.folder);
  const faults = judgeHistory(history, acknowledged, effects.effects);
  assert.deepEqual(faults, []);
  assert.equal(history.jobs.length, acknowledged.length, 'one job for each order');
  assert.ok(seen.effective >= KILLS * 0.8, `${seen.effective} of ${KILLS} kills hit while a task ran`);
  assert.ok(seen.held >= KILLS * 0.2, `${seen.held} of ${KILLS} kills fell between commit and answer`);
});

test('what ended while the server was away counts, and no attempt is lost', async () => {
  await using other = await startCluster({ agents: [{ name: 'server-away', slots: 3 }] });
  const { person, server, client } = other;
  const argv = effects.command(1_000, 'server-away');
  const said = await person.must(
    // One attempt: a task whose result is thrown away fails.
    ['submit', '--quiet', '--network', '--attempts', '1', '--array', '0-2', '--', ...argv],
  );
  const job = said.trim();
  const mine = () => effects.effects.filter((effect) => effect.job === job);
  await becomes('all run', () => mine().length === 3);
  assert.ok(server.kill(isServer) >= 1);
  assert.equal(mine().filter(({ isDone }) => isDone).length, 0, 'they ran when the server was killed');
  await becomes('all are done', () => mine().every(({ isDone }) => isDone));
  await server.start();
  await becomes('the job ends', async () => (await client.readJob(job)).ended !== null);
  assert.equal((await person.writ(['wait', job])).exitCode, 0);
  assert.deepEqual(
    mine().map(({ attempt }) => attempt),
    [1, 1, 1],
  );
});

interface Submission {
  readonly job: string;
  readonly digest: string;
  readonly bytes: Buffer;
}

function makeSubmission(): Submission {
  const { sets, key } = cluster;
  const job = randomId();
  const order = buildOrder(
    {
      argv: effects.command(150, 'kill-the-server'),
      array: { is: 'range', from: 1, to: TASKS },
      network: true,
      maxAttempts: 100,
    },
    {
      cluster: sets.cluster,
      set: { version: sets.newest.set.version, digest: sets.newest.digest },
      person: key.person,
      key: key.signer.key,
      job,
      now: Date.now(),
    },
  );
  const signed = signOrder(order, key.signer);
  return { job, digest: signed.digest, bytes: Buffer.from(JSON.stringify({ order: signed.envelope })) };
}

const JSON_BODY = { 'content-type': 'application/json' };

const submit = ({ bytes }: Submission) =>
  callApi(place, 'POST', '/api/v1/jobs', { bytes, headers: JSON_BODY });
const statusOf = ({ status }: { status: number }): number => status;

/** Sends the same bytes until there is an answer, as any client must that does not know whether it was heard. */
async function submitUntilTold(submission: Submission): Promise<Acknowledged> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await submit(submission).catch((error: unknown) => {
      if (performance.now() > until) throw error;
    });
    if (!answer) {
      await sleep(50);
      continue;
    }
    assert.ok([200, 201].includes(answer.status), `${answer.status} ${answer.bytes.toString()}`);
    assert.equal(answer.body.digest, submission.digest);
    return { job: submission.job, tasks: TASKS };
  }
}

interface Held {
  readonly answered: Promise<boolean>;
  readonly letGo: () => void;
}

/** Returns when the server has answered and before its answer is let through. */
async function submitAndHold({ bytes }: Submission): Promise<Held> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (method: string, path: string, body?: Buffer): Promise<boolean> =>
    new Promise((resolve) => {
      const headers = {
        authorization: `Bearer ${place.token}`,
        ...(body && { ...JSON_BODY, 'content-length': body.length }),
      };
      const options = { host: '127.0.0.1', servername: 'localhost', ca: 'ca' in place ? place.ca : '' };
      const asked = request({ ...options, port: proxy.port, method, path, headers, agent }, (answer) => {
        answer.resume().once('end', () => resolve(true));
      });
      asked.once('error', () => resolve(false));
      asked.end(body);
    });
  // The connection is made before anything is held.
  assert.ok(await ask('GET', '/api/v1/cluster'));
  const letGo = proxy.hold('down');
  const answered = ask('POST', '/api/v1/jobs', bytes);
  await proxy.holding('down', AbortSignal.timeout(PATIENCE_MS));
  return { answered, letGo };
}

const isServer = (one: Process): boolean =>
  one.line.startsWith('/writ/bin/node ') && isProgram(one, 'server');

function openTasks(acknowledged: readonly Acknowledged[]): number {
  const done = new Set(
    effects.effects.filter(({ isDone }) => isDone).map(({ job, index }) => `${job}.${index}`),
  );
  return acknowledged.length * TASKS - done.size;
}

async function drain(t: TestContext, acknowledged: readonly Acknowledged[]): Promise<void> {
  const start = performance.now();
  for (const { job } of acknowledged)
    await becomes(`${job} ends`, async () => (await cluster.client.readJob(job)).ended !== null);
  t.diagnostic(`drained in ${Math.round(performance.now() - start)} ms`);
}

async function becomes(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert.ok(performance.now() < until, `in ${PATIENCE_MS / 1000} s it did not happen that ${what}`);
    await sleep(5);
  }
}
