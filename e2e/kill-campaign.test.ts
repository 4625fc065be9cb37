// needs: bubblewrap, network-namespaces, postgresql
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { runKillCampaign } from '../testkit/src/campaign/kill-campaign.ts';
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
  const left = readdirSync(tmpdir()).filter((name) => /^writ-(kit|pg)-/.test(name) && !before.has(name));
  assert.deepEqual(
    left.filter((name) => existsSync(`${tmpdir()}/${name}/submissions`)),
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
