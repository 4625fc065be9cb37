// needs: bubblewrap, network-namespaces, postgresql
import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runKillCampaign } from '../testkit/src/campaign/kill-campaign.ts';
import { findProcesses, isProgram } from '../testkit/src/read-processes.ts';
import { ROLES } from '../testkit/src/campaign/kill.ts';

test('a short campaign kills each role on PostgreSQL, finds nothing wrong and leaves nothing behind', async (t) => {
  const before = new Set(readdirSync(tmpdir()));
  const result = await runKillCampaign(
    { database: 'postgres', roles: ROLES, agents: 2, minutes: 1, kills: 1, seed: 1 },
    (line) => t.diagnostic(line),
    t.signal,
  );
  assert.deepEqual(result.faults, []);
  for (const role of result.roles) assert.ok(role.effective >= 1, `${role.role}: ${role.kills} kills`);
  assert.equal(result.roles.length, ROLES.length);
  assert.ok(result.counts.tasks > 0 && result.counts.fetchedResults > 0);
  assert.match(result.database, /^postgresql/);
  const left = readdirSync(tmpdir()).filter(
    (name) => /^writ-(kit|pg|evidence)-/.test(name) && !before.has(name),
  );
  assert.deepEqual(
    left.filter((name) => existsSync(join(tmpdir(), name, 'submissions'))),
    [],
  );
});

test('a campaign that is ended early ends what it started', async () => {
  const ending = new AbortController();
  const running = runKillCampaign(
    { database: 'sqlite', roles: ['server', 'agent'], agents: 1, minutes: 1, kills: null, seed: 2 },
    () => {},
    ending.signal,
  );
  setTimeout(() => ending.abort(), 3_000);
  await assert.rejects(running, { name: 'AbortError' });
});

test('a campaign that finds a fault keeps what tells of it, and no key', async (t) => {
  const said: string[] = [];
  const running = runKillCampaign(
    { database: 'sqlite', roles: ['server'], agents: 1, minutes: 0.1, kills: null, seed: 3 },
    (line) => void said.push(line),
    t.signal,
  );
  // Somebody else kills it: for the campaign an agent has ended by itself.
  const killed = (async () => {
    for (;;) {
      const agent = findOwnAgent();
      if (agent !== undefined) return process.kill(agent, 'SIGKILL');
      await sleep(50, undefined, { signal: t.signal });
    }
  })();
  const [{ faults, evidence }] = await Promise.all([running, killed]);
  assert.match(faults.join('\n'), /an agent ended by itself: campaign-4/);
  assert.ok(evidence !== null && said.some((line) => line.includes(evidence)), said.join('\n'));
  const files = readdirSync(evidence, { recursive: true, encoding: 'utf8' });
  const wanted = ['submissions', 'effects', 'kills', 'server/writ.db', 'server/log', 'agent-run.log'];
  for (const name of wanted)
    assert.ok(
      files.some((file) => file.endsWith(name)),
      `${name} of ${files.join(' ')}`,
    );
  assert.deepEqual(
    files.filter((file) => /key|tls|authority/.test(file)),
    [],
  );
  rmSync(evidence, { recursive: true });
});

/** Of the campaign that this process runs. Submissions begin when its agents are connected. */
function findOwnAgent(): number | undefined {
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith('writ-kit-') && existsSync(join(tmpdir(), name, 'submissions')))
    .map((name) => findProcesses(join(tmpdir(), name)))
    .filter((all) => all.some(({ parent }) => parent === process.pid))
    .flatMap((all) => all.filter((one) => isProgram(one, 'agent') && one.line.startsWith('/writ/bin/node ')))
    .at(0)?.pid;
}
