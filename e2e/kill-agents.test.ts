// needs: bubblewrap
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildOrder } from '@writ/client';
import { signOrder } from '@writ/trust';
import { startEffectLog, type Effect, type EffectLog } from '../testkit/src/effect-log.ts';
import { judgeHistory, type Acknowledged } from '../testkit/src/judge-history.ts';
import { randomId } from '../testkit/src/make-order.ts';
import { readHistory } from '../testkit/src/read-history.ts';
import { isProgram, type Process } from '../testkit/src/read-processes.ts';
import { startCluster, type AgentMember, type Cluster } from '../testkit/src/start-cluster.ts';

const KILLS = Number(process.env['WRIT_KILLS'] ?? 50);
const LATE = Number(process.env['WRIT_LATE_RESULTS'] ?? 20);
const TASKS = 12;
const PATIENCE_MS = 90_000;
const UIDS = 64;
const MARK = `kill-agents-${randomId()}`;

const victims = ['agent', 'launcher', 'both'] as const;
type Victim = (typeof victims)[number];

let cluster: Cluster;
let effects: EffectLog;
const acknowledged: Acknowledged[] = [];
const late: { readonly effect: Effect; readonly identity: string; readonly letGo: number }[] = [];

before(async () => {
  effects = await startEffectLog();
  cluster = await startCluster({
    leaseSeconds: 1,
    agents: ['one', 'two', 'three'].map((name) => ({ name: `kill-agents-${name}`, slots: 2 })),
  });
});
after(async () => {
  await cluster?.stop();
  await effects?.stop();
});

test(`agents and launchers are killed ${KILLS} times, and nothing of their jobs is left`, async (t) => {
  const effective: Record<Victim, number> = { agent: 0, launcher: 0, both: 0 };
  for (let kill = 0; kill < KILLS; kill += 1) {
    const agent = agentInTurn(kill);
    const victim = victims[Math.floor(kill / cluster.agents.length) % victims.length] ?? 'both';
    await becomes('a task runs there', async () => {
      await keepBusy();
      return aliveOn(agent).length > 0;
    });
    await sleep(Math.random() * 80);
    const found = agent.processes().filter((one) => isVictim(victim, one));
    // A process that has just been forked still looks like the one that forked it.
    const pids = found.filter(({ parent }) => !found.some(({ pid }) => pid === parent));
    if (aliveOn(agent).length > 0) effective[victim] += 1;
    for (const { pid } of pids) process.kill(pid, 'SIGKILL');
    assert.equal(pids.length, victim === 'both' ? 2 : 1, `there was what was to be killed: ${victim}`);
    await becomes('no process of its jobs is left', () => leftOf(agent).length === 0);
    await becomes('its own processes are gone', () => agent.processes().length === 0);
    await becomes('what the tasks held open is closed', () => aliveOn(agent).length === 0);
    assert.deepEqual(mountsOf(agent), []);
    await agent.start();
  }
  await drain();
  t.diagnostic(JSON.stringify({ kills: KILLS, effective, tasks: acknowledged.length * TASKS }));
  const sum = victims.reduce((all, victim) => all + effective[victim], 0);
  assert.ok(sum >= KILLS * 0.8, `${sum} of ${KILLS} kills hit while a task ran`);
});

test(`at least ${LATE} results that come after another agent has the task are refused`, async () => {
  for (let round = 0; late.length < LATE; round += 1) {
    const agent = agentInTurn(round);
    await becomes('tasks run there', async () => {
      await keepBusy();
      return aliveOn(agent).length > 0;
    });
    const [pid] = agent.processes().flatMap((one) => (isVictim('agent', one) ? [one.pid] : []));
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGSTOP');
    try {
      // What has not ended by now ends while nobody there can report it; what had just been reported is not late.
      let paused = aliveOn(agent);
      await keepBusy();
      await becomes('others have what it holds', async () => {
        const places = await Promise.all(paused.map((effect) => placeOf(effect, agent)));
        paused = paused.filter((_, at) => places[at] !== 'reported');
        return places.every((place) => place !== 'here');
      });
      await becomes('they ended there', () => paused.every(({ isAlive }) => !isAlive));
      const letGo = Date.now();
      for (const effect of paused) late.push({ effect, identity: agent.identity, letGo });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }
  await drain();
});

test('each task has one accepted result, late ones were refused as stale, and the books are right', async (t) => {
  await cluster.server.stop();
  const history = await readHistory(cluster.server.folder);
  assert.deepEqual(judgeHistory(history, acknowledged, effects.effects), []);
  const receipts = new Map(
    history.jobs.flatMap(({ tasks }) =>
      tasks.flatMap(({ receipts: all }) =>
        all.map((one) => [`${one.job}.${one.index}.${one.attempt}`, one] as const),
      ),
    ),
  );
  const refused = late.filter(({ effect, identity, letGo }) => {
    const receipt = receipts.get(`${effect.job}.${effect.index}.${effect.attempt}`);
    if (!receipt) return false;
    assert.equal(receipt.identity, identity);
    assert.equal(receipt.isAccepted, false);
    assert.equal(receipt.code, 'lease.stale');
    assert.equal(receipt.predicate.because, 'exit', 'it is a result like any other');
    assert.ok(receipt.received >= letGo, 'it came after its lease was given to another agent');
    return true;
  });
  t.diagnostic(JSON.stringify({ late: late.length, refusedAsStale: refused.length }));
  assert.ok(refused.length >= LATE, `${refused.length} of ${late.length} late results really came`);
});

test('when all has stopped no process, mount, cgroup or file of a task is left', async () => {
  const places = cluster.agents.map((agent) => `${agent.name}-${firstUid(agent)}`);
  await Promise.all(cluster.agents.map((agent) => agent.stop()));
  const files = readdirSync(cluster.folder, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(
    files.filter((file) => file.includes(MARK)),
    [],
  );
  for (const agent of cluster.agents) {
    assert.deepEqual(leftOf(agent), []);
    assert.deepEqual(mountsOf(agent), []);
  }
  for (const controller of readdirSync('/sys/fs/cgroup'))
    for (const place of places)
      assert.ok(!existsSync(join('/sys/fs/cgroup', controller, 'writ', place)), `${controller} ${place}`);
  for (const place of places) assert.ok(!existsSync(join('/run/writ-launcher', place)));
});

const agentInTurn = (turn: number): AgentMember => {
  const agent = cluster.agents[turn % cluster.agents.length];
  assert.ok(agent);
  return agent;
};

function isVictim(victim: Victim, one: Process): boolean {
  const isAgent = one.line.startsWith('/writ/bin/node ') && isProgram(one, 'agent');
  return (victim !== 'launcher' && isAgent) || (victim !== 'agent' && isProgram(one, 'launcher'));
}

function firstUid({ folder }: AgentMember): number {
  return (JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8')) as { firstUid: number }).firstUid;
}

/** The agent's own account is the first of its block; its slots have the others. */
const isOn = (agent: AgentMember, uid: number): boolean =>
  uid > firstUid(agent) && uid < firstUid(agent) + UIDS;

const aliveOn = (agent: AgentMember): Effect[] => effects.alive().filter(({ uid }) => isOn(agent, uid));

/** Where the task of an attempt is now. An agent that had it before may adopt its own late result, and start nothing. */
async function placeOf(
  { job, index, attempt }: Effect,
  { identity }: AgentMember,
): Promise<'here' | 'elsewhere' | 'reported'> {
  const { items } = await cluster.client.listTasks(job, { limit: 500 });
  const task = items.find((one) => one.index === index);
  assert.ok(task);
  if (task.attempt === attempt && task.ended !== null) return 'reported';
  return task.attempt > attempt && task.identity !== null && task.identity !== identity
    ? 'elsewhere'
    : 'here';
}

/** Whatever runs in the accounts of its slots. */
function leftOf(agent: AgentMember): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!isOn(agent, statSync(`/proc/${pid}`).uid)) return [];
        // One that ended and that nobody has waited for yet has no line.
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')].filter((line) => line !== '');
      } catch {
        return [];
      }
    });
}

const mountsOf = (agent: AgentMember): string[] =>
  readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(agent.folder) || line.includes('/run/writ'));

async function keepBusy(): Promise<void> {
  const done = new Set(
    effects.effects.filter(({ isDone }) => isDone).map(({ job, index }) => `${job}.${index}`),
  );
  if (acknowledged.length * TASKS - done.size >= 2 * TASKS) return;
  const { sets, key, client } = cluster;
  const job = randomId();
  const order = buildOrder(
    {
      argv: effects.command(200, MARK),
      array: { is: 'range', from: 1, to: TASKS },
      network: true,
      maxAttempts: 50,
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
  await client.submitJob(signOrder(order, key.signer).envelope, job);
  acknowledged.push({ job, tasks: TASKS });
}

async function drain(): Promise<void> {
  for (const { job } of acknowledged)
    await becomes(`${job} ends`, async () => (await cluster.client.readJob(job)).ended !== null);
}

async function becomes(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    assert.ok(performance.now() < until, `in ${PATIENCE_MS / 1000} s it did not happen that ${what}`);
    await sleep(10);
  }
}
