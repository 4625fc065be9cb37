import assert from 'node:assert/strict';
import {
  chownSync,
  linkSync,
  lstatSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isRoot, openTestIsolation, usualLimits } from '../isolate/testing/open-test-isolation.ts';
import type { TestIsolation } from '../isolate/testing/open-test-isolation.ts';
import type { SlotRun, SlotStarted } from '../isolate/isolation.ts';
import { openJobApi } from './open-job-api.ts';
import type { JobApi } from './open-job-api.ts';

/** Says one line and prints the answer; `connect` tells only whether it got through. */
const say = `const [socket, line] = process.argv.slice(1);
const it = require('node:net').connect(socket, () => it.end(line + '\\n'));
it.on('data', (bytes) => process.stdout.write(bytes));
it.on('error', (error) => console.log(error.code));`;

for (const kind of isRoot ? (['strict', 'user'] as const) : (['user'] as const))
  describe(`the socket of a job in ${kind}`, () => {
    let it: TestIsolation;
    let api: JobApi;
    const heard: Array<{ by: string; said: string }> = [];

    before(async () => {
      it = await openTestIsolation({
        as: kind === 'strict' ? 'root' : 'caller',
        profiles: [kind, 'bare'],
      });
      const folder = join(it.isolation.cacheFolder, 'job-api');
      api = await openJobApi({
        folder,
        slots: 2,
        sets: it.isolation.runsPerSlot,
        monotonic: () => performance.now(),
        onFault: (error) => assert.fail(error),
      });
      // This test runs as root and is the agent of an account.
      const { uid } = lstatSync(it.isolation.cacheFolder);
      chownSync(folder, uid, uid);
      for (const name of readdirSync(folder)) chownSync(join(folder, name), uid, uid);
    });
    after(async () => {
      await api.close();
      await it[Symbol.asyncDispose]();
    });

    const start = async (by: string, script: string, more: Partial<SlotRun> = {}): Promise<SlotStarted> => {
      const started = await it.isolation.start({
        slot: 0,
        profile: kind,
        argv: ['/bin/sh', '-c', script, 'job', say],
        env: [],
        inputs: [],
        limits: usualLimits,
        network: false,
        outputs: null,
        ...more,
      });
      api.begin(started, {
        onProgress: () => {},
        whyNotOutput: (said) => {
          heard.push({ by, said });
          return null;
        },
      });
      void started.ended.then(() => started.holdBack(api.end(started).quiet));
      return started;
    };
    const run = async (by: string, script: string, more: Partial<SlotRun> = {}): Promise<string> => {
      const started = await start(by, script, more);
      await started.ended;
      const out = readFileSync(started.stdoutFile, 'utf8') + readFileSync(started.stderrFile, 'utf8');
      started.release();
      return out;
    };

    const speak = (said: string): string => `node -e "$1" "$WRIT_JOB_API" "output ${said}"`;
    const heardOf = (name: string): string[] => heard.filter(({ said }) => said === name).map(({ by }) => by);
    const ownsAccounts = kind === 'strict';

    for (const profile of [kind, 'bare'] as const) {
      test(`is where $WRIT_JOB_API says, in ${profile}`, async () => {
        const out = await run('a', `${speak('hello')}; echo $WRIT_JOB_API`, { profile });
        const [answer, path] = out.split('\n');
        assert.equal(answer, 'ok', out);
        assert.ok((path ?? '').length <= 100);
        if (profile !== 'bare') assert.equal(path, '/writ/job.sock');
      });

      test(`is the attempt's own, however many follow one another, in ${profile}`, async () => {
        const all = await Promise.all(
          Array.from({ length: 10 }, async (_, n) => {
            const out = await run(`${profile}-${n}`, speak(`of-${profile}-${n}`), { profile });
            assert.equal(out, 'ok\n');
            return n;
          }),
        );
        for (const n of all) assert.deepEqual(heardOf(`of-${profile}-${n}`), [`${profile}-${n}`]);
      });

      test(`is there for the next when a job tried to remove or replace it, in ${profile}`, async () => {
        const away = `rm -f "$WRIT_JOB_API"; mkdir "$WRIT_JOB_API" && echo replaced; mv "$WRIT_JOB_API" "$WRIT_JOB_API.x" && echo moved;
          chmod 000 "$WRIT_JOB_API" && echo changed`;
        const out = await run('bad', away, { profile });
        // In bare, without an account of its own, a job owns what its launcher owns.
        if (profile !== 'bare' || ownsAccounts) assert.doesNotMatch(out, /replaced|moved|changed/);
        for (let n = 0; n < 5; n += 1) assert.match(await run('good', speak('fine'), { profile }), /^ok$/m);
      });
    }

    // Without root all bare jobs have one account, and no wall between them.
    const inOwnAccounts = ownsAccounts ? test : () => undefined;
    void inOwnAccounts('is reached by no job of another slot', async () => {
      const victim = await start('victim', 'echo $WRIT_JOB_API; sleep 1', { slot: 1, profile: 'bare' });
      await victim.running;
      const path = readFileSync(victim.stdoutFile, 'utf8').trim();
      assert.match(path, /\/1\/api\/job\.sock$/);
      const attack = `node -e "$1" ${path} "output stolen"; ls ${dirname(path)}; ls /run/writ /tmp/writ-* 2>/dev/null | grep sock`;
      for (const profile of [kind, 'bare'] as const) {
        const out = await run('thief', attack, { profile });
        assert.match(out, profile === 'bare' ? /^EACCES$/m : /^ENOENT$/m, out);
        assert.doesNotMatch(out, /ok|job\.sock$/m);
      }
      await victim.ended;
      victim.release();
      assert.deepEqual(heardOf('stolen'), []);
    });

    test('is not the socket of an attempt that waits behind it', async () => {
      const thief = await start(
        'first',
        `${speak('mine')}; node -e "$1" "\${WRIT_JOB_API%/*}/0.1" "output x"; ls "\${WRIT_JOB_API%/*}"`,
        { profile: 'bare' },
      );
      const waiting = await start('second', 'true', { profile: 'bare' });
      await Promise.all([thief.ended, waiting.ended]);
      const out = readFileSync(thief.stdoutFile, 'utf8');
      thief.release();
      waiting.release();
      assert.match(out, ownsAccounts ? /^ok\nENOENT\n$/ : /^ok\nENOENT\njob\.sock\n/);
    });

    test('is nothing but a socket of the agent, whatever lies where the agent says', async () => {
      const sockets = join(it.isolation.cacheFolder, 'job-api');
      const others = createServer().listen(join(it.folder, 'others.sock'));
      const { uid } = lstatSync(it.isolation.cacheFolder);
      chownSync(join(it.folder, 'others.sock'), uid + 1, uid + 1);
      const lies: Array<(name: string) => void> = [
        (name) => writeFileSync(name, 'secret', { mode: 0o666 }),
        (name) => symlinkSync('/etc/passwd', name),
        (name) => symlinkSync(join(it.folder, 'others.sock'), name),
        (name) => linkSync(join(it.folder, 'others.sock'), name),
        () => {},
      ];
      try {
        for (const lie of lies) {
          for (let set = 0; set < it.isolation.runsPerSlot; set += 1) {
            rmSync(join(sockets, `1.${set}`), { force: true });
            lie(join(sockets, `1.${set}`));
          }
          const out = await run('none', 'echo "<$WRIT_JOB_API>"; ls /writ', { slot: 1 });
          assert.match(out, /^<>\nbin\n$/, String(lie));
        }
      } finally {
        others.close();
      }
    });
  });
