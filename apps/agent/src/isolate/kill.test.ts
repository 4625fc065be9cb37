import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { after, test } from 'node:test';
import { isRoot, openTestIsolation, processesOf, until, usualLimits } from './testing/open-test-isolation.ts';
import type { TestIsolation } from './testing/open-test-isolation.ts';

const kinds = isRoot ? (['strict', 'user'] as const) : (['user'] as const);
const forever = ['/bin/sh', '-c', '(setsid sh -c "sleep 91 & sleep 92" &); echo started; sleep 93'];

const open: TestIsolation[] = [];
after(async () => {
  await Promise.allSettled(open.map((it) => it[Symbol.asyncDispose]()));
});

for (const kind of kinds)
  for (const who of ['agent', 'launcher'] as const)
    test(`after the ${who} dies under ${kind} no process, mount or work file is left`, async () => {
      const it = await openTestIsolation({
        as: kind === 'strict' ? 'root' : 'caller',
        profiles: [kind, 'bare'],
      });
      open.push(it);
      const started = [];
      for (const [slot, profile] of [kind, 'bare'].entries()) {
        const run = {
          slot,
          profile: profile as 'bare',
          argv: forever,
          env: [],
          inputs: [],
          limits: usualLimits,
          network: false,
        };
        started.push(await it.isolation.start({ ...run, outputs: { patterns: ['*'], maxBytes: 1000 } }));
      }
      for (const { stdoutFile, ended } of started) {
        ended.catch(() => {});
        assert.ok(await until(() => readFileSync(stdoutFile, 'utf8') === 'started\n', 3000));
      }
      const busy = (): string[] => processesOf(it).filter((line) => /sleep 9[123]/.test(line));
      assert.ok(busy().length >= 4, busy().join('\n'));
      if (who === 'agent') it.socket.destroy();
      else process.kill(it.launcherPid, 'SIGKILL');
      assert.ok(await until(() => processesOf(it).length === 0, 5000), processesOf(it).join('\n'));
      await it.launcherGone;
      assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(it.folder));
      if (who === 'agent')
        for (const folder of ['memory', 'pids', 'freezer'])
          assert.ok(
            !existsSync(`/sys/fs/cgroup/${folder}/writ/${it.name}-${it.firstUid}`),
            'the launcher took its cgroups away',
          );
      await assert.rejects(it.run(['/bin/true']), { code: 'isolate.lost' });
    });

for (const how of ['killed', 'closed'] as const)
  test(`a job finds nothing of those before it, nor do its outputs, after the launcher was ${how}`, async () => {
    const first = await openTestIsolation({ as: 'caller', profiles: ['user', 'bare'] });
    const outputs = { patterns: ['left', 'more/*'], maxBytes: 1e6 };
    for (const [slot, profile] of (['user', 'bare'] as const).entries()) {
      const leave = 'echo secret >left; mkdir more; echo secret >more/key; chmod 0 more/key more .';
      const { end } = await first.run(['/bin/sh', '-c', leave], { slot, profile, outputs });
      assert.equal(end.code, 0);
    }
    if (how === 'killed') process.kill(first.launcherPid, 'SIGKILL');
    else await first.isolation.close();
    await first.launcherGone;
    const second = await openTestIsolation({
      as: 'caller',
      profiles: ['user', 'bare'],
      folder: first.folder,
    });
    open.push(second);
    for (const [slot, profile] of (['user', 'bare'] as const).entries()) {
      const { end, out } = await second.run(['/bin/ls', '-AR'], { slot, profile, outputs });
      assert.deepEqual([end.reason, end.code, out], ['exit', 0, '.:\n'], profile);
      assert.ok(end.outputsTar !== null);
      assert.ok(!readFileSync(end.outputsTar, 'latin1').includes('secret'));
    }
  });

if (isRoot)
  test('a launcher takes away the cgroups and files that a killed one left', async () => {
    const first = await openTestIsolation({ as: 'root', profiles: ['strict'] });
    process.kill(first.launcherPid, 'SIGKILL');
    await first.launcherGone;
    const place = `${first.name}-${first.firstUid}`;
    const folder = `/sys/fs/cgroup/memory/writ/${place}`;
    const isV1 = existsSync('/sys/fs/cgroup/memory');
    if (isV1) assert.ok(existsSync(folder));
    const stray = spawn('/bin/sh', ['-c', `echo $$ >${folder}/0/cgroup.procs; exec sleep 61`], {
      stdio: 'ignore',
    });
    if (isV1)
      assert.ok(
        await until(() => readFileSync(`${folder}/0/cgroup.procs`, 'utf8').includes(String(stray.pid)), 2000),
      );
    const gone = new Promise((resolve) => stray.once('exit', (_code, signal) => resolve(signal)));
    const second = await openTestIsolation({ as: 'root', profiles: ['strict'], owner: { name: first.name } });
    open.push(first, second);
    assert.equal((await second.run(['/bin/true'])).end.code, 0);
    if (isV1) assert.equal(await gone, 'SIGKILL');
    await second[Symbol.asyncDispose]();
    assert.ok(!existsSync(folder));
    assert.ok(!existsSync(`/run/writ-launcher/${place}`));
    assert.ok(!readdirSync('/sys/fs/cgroup').includes(first.name));
  });
