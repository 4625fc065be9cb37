import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmdirSync, statSync } from 'node:fs';
import process from 'node:process';
import { BOUNDS } from '@writ/contract';
import { after, before, describe, test } from 'node:test';
import { isRoot, openTestIsolation, processesOf, until, usualLimits } from './testing/open-test-isolation.ts';
import type { TestIsolation } from './testing/open-test-isolation.ts';
import { runsPerSlot } from '../launcher/messages.ts';
import { IsolateError } from './isolation.ts';
import { readOutputs } from './read-outputs.ts';

const kinds = isRoot ? (['strict', 'user'] as const) : (['user'] as const);

for (const kind of kinds) {
  describe(`profile ${kind}`, () => {
    const usualRun = {
      slot: 0,
      profile: kind,
      env: [],
      inputs: [],
      limits: usualLimits,
      network: false,
      outputs: null,
    } as const;
    let it: TestIsolation;
    before(async () => {
      it = await openTestIsolation({
        as: kind === 'strict' ? 'root' : 'caller',
        profiles: [kind, 'bare'],
        leak: existsSync('/bin/bash'),
      });
    });
    after(() => it[Symbol.asyncDispose]());

    test('is measured, with at least 40 walls and none of them down', () => {
      const offer = it.isolation.offers.find((each) => each.profile === kind);
      assert.deepEqual(offer?.down, []);
      assert.ok(offer.measured);
      assert.ok(offer.walls.length >= 40, String(offer.walls.length));
      assert.equal(offer.memory, kind === 'strict' ? 'cgroup' : 'sampled');
    });

    test('tells output, exit code and signal apart', async () => {
      const { end, out, err } = await it.run(['/bin/sh', '-c', 'echo out; echo err >&2; exit 3']);
      assert.deepEqual([end.reason, end.code, end.signal, out, err], ['exit', 3, null, 'out\n', 'err\n']);
      assert.ok(end.endedMs >= end.startedMs);
      const killed = await it.run(['/bin/sh', '-c', 'kill -TERM $$']);
      assert.deepEqual([killed.end.reason, killed.end.code, killed.end.signal], ['signal', null, 'SIGTERM']);
      const missing = await it.run(['no-such-program']);
      assert.deepEqual([missing.end.reason, missing.end.code], ['exit', 127]);
    });

    test('starts with the environment of the order and nothing else', async () => {
      const { out } = await it.run(['/usr/bin/env'], {
        env: [
          ['WRIT_X', 'a b\nc'],
          ['LANG', 'C'],
        ],
      });
      const names = out
        .split('\n')
        .filter((line) => line !== '' && line !== 'c')
        .map((line) => line.split('=')[0]);
      assert.deepEqual(
        names.toSorted((a, b) => String(a).localeCompare(String(b))),
        ['HOME', 'LANG', 'PATH', 'PWD', 'TMPDIR', 'WRIT_X'],
      );
      assert.ok(out.includes('WRIT_X=a b\nc\n') && out.includes('LANG=C\n') && out.includes('HOME=/job\n'));
    });

    test('shows neither environment nor arguments of its own in /proc/1', async () => {
      const { out } = await it.run(
        ['/bin/sh', '-c', 'cat /proc/1/environ | wc -c; tr "\\0" " " </proc/1/cmdline; cat /proc/*/environ'],
        {
          env: [['WRIT_SECRET', 'a-canary']],
        },
      );
      assert.match(out, /^0\n/);
      assert.ok(!out.split('PATH=')[0]?.includes('a-canary'));
      assert.ok(!out.includes('the-agents-secret'));
      assert.ok(!out.includes(it.folder));
    });

    test('has descriptors 0 to 2 only, though the launcher was started with 40 and 200 open', async () => {
      for (const profile of [kind, 'bare'] as const) {
        const { out } = await it.run(
          [
            '/bin/sh',
            '-c',
            'for n in /proc/$PPID/../self/fd/*; do echo "${n##*/}"; done; exec readlink /proc/self/fd/0',
          ],
          { profile },
        );
        assert.deepEqual(
          out
            .trim()
            .split('\n')
            .filter((line) => line !== '3'),
          ['0', '1', '2', '/dev/null'],
          profile,
        );
      }
    });

    test('runs as the account it should, without rights, filtered', async () => {
      const { out } = await it.run(['/bin/cat', '/proc/self/status']);
      const field = (name: string): string | undefined =>
        new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(out)?.[1]?.trim();
      const uid = String(kind === 'strict' ? it.firstUid + 1 : field('Uid')?.split('\t')[0]);
      assert.equal(field('Uid'), [uid, uid, uid, uid].join('\t'));
      assert.equal(field('Gid'), field('Uid'));
      assert.notEqual(uid, '0');
      if (kind === 'strict') assert.ok(['', uid].includes(field('Groups') ?? '?'), field('Groups'));
      assert.deepEqual(
        [field('CapEff'), field('NoNewPrivs'), field('Seccomp')],
        ['0000000000000000', '1', '2'],
      );
      const other = await it.run(['/usr/bin/id', '-u'], { slot: 1 });
      if (kind === 'strict') assert.equal(other.out.trim(), String(it.firstUid + 2));
    });

    test('runs Node from its own PATH, with threads', async () => {
      const text =
        'new (require("node:worker_threads").Worker)("console.log(process.version)", { eval: true })';
      const { end, out, err } = await it.run(['node', '-e', text]);
      assert.deepEqual([end.reason, end.code, out.trim()], ['exit', 0, process.version], err);
    });

    test('reaches no network, nor the machine by a socket', async () => {
      const text = `const net=require('node:net'),dgram=require('node:dgram');
const tell=(name,is)=>console.log(name+': '+is);
for (const [name,to] of [['loopback',{port:22,host:'127.0.0.1'}],['outside',{port:80,host:'192.0.2.1'}],['abstract',{path:'\\0/tmp/.X11-unix/X0'}],['metadata',{port:80,host:'169.254.169.254'}]])
  net.connect(to).on('connect',()=>tell(name,'open')).on('error',(e)=>tell(name,e.code));
const u=dgram.createSocket('udp4'); u.on('error',(e)=>tell('udp',e.code)); u.send('x',53,'192.0.2.1',(e)=>{tell('udp',e?e.code:'open');u.close()});`;
      const { out, err } = await it.run(['node', '-e', text]);
      assert.equal(out.trim().split('\n').length, 5, out + err);
      assert.ok(!out.includes('open'), out);
    });

    test('ends a job that uses more memory than it may, whatever its exit code', async () => {
      const { end } = await it.run(['node', '-e', 'const a=[];for(;;)a.push(Buffer.alloc(4e6,1))'], {
        limits: { ...usualLimits, memoryBytes: 96e6 },
      });
      assert.equal(end.reason, 'memory_limit');
      assert.ok(end.memoryPeakBytes > 48e6, String(end.memoryPeakBytes));
      if (kind !== 'strict') return;
      const text = 'node -e "const a=[];for(;;)a.push(Buffer.alloc(4e6,1))"; echo $?; exit 0';
      const survived = await it.run(['/bin/sh', '-c', text], {
        limits: { ...usualLimits, memoryBytes: 96e6 },
      });
      assert.deepEqual([survived.end.reason, survived.end.code, survived.out], ['memory_limit', 0, '137\n']);
    });

    test('holds a fork bomb, while the slot beside it goes on', async () => {
      const bomb = it.run(['/bin/sh', '-c', 'while :; do sleep 30 & done'], {
        limits: { ...usualLimits, pids: 24, wallMs: 3000, graceMs: 0 },
      });
      const beside = await it.run(['/bin/true'], { slot: 1 });
      assert.deepEqual([beside.end.reason, beside.end.code], ['exit', 0]);
      const { end, err } = await bomb;
      if (kind === 'strict') assert.equal(end.reason, 'pid_limit');
      else assert.match(err, /[Cc]annot fork/);
      assert.ok(await until(() => processesOf(it).every((line) => !line.includes('sleep 30')), 2000));
    });

    test('ends what takes too long, too much processor time, or writes too much', async () => {
      const [slow, busy, loud] = [
        await it.run(['/bin/sleep', '30'], { limits: { ...usualLimits, wallMs: 200 } }),
        await it.run(['/bin/sh', '-c', 'while :; do :; done'], { limits: { ...usualLimits, cpuMs: 250 } }),
        await it.run(['/usr/bin/yes'], { limits: { ...usualLimits, logBytes: 5e6 } }),
      ];
      assert.equal(slow.end.reason, 'time_limit');
      assert.equal(busy.end.reason, 'cpu_limit');
      assert.ok(busy.end.cpuMs >= 200, String(busy.end.cpuMs));
      assert.equal(loud.end.reason, 'log_limit');
      assert.ok(loud.out.length <= 16_777_216 + 4096);
    });

    test('stops a job that fills its folder', async () => {
      const { end, err } = await it.run(['/bin/sh', '-c', 'head -c 90000000 /dev/zero >big'], {
        limits: { ...usualLimits, diskBytes: 4_194_304, logBytes: 1_048_576 },
        outputs: { patterns: ['nothing'], maxBytes: 1000 },
      });
      assert.equal(end.reason, 'disk_limit', err);
    });

    test('stops a job that fills its folder with many files', async () => {
      const text = 'n=0; while :; do head -c 900000 /dev/zero >f$n || exit 1; n=$((n+1)); sleep 0.02; done';
      const { end } = await it.run(['/bin/sh', '-c', text], {
        limits: { ...usualLimits, diskBytes: 4_194_304 },
        outputs: { patterns: ['nothing'], maxBytes: 1000 },
      });
      assert.equal(end.reason, 'disk_limit');
    });

    test('puts a folder larger than memory allows on a file of its own', async () => {
      const { end, out } = await it.run(
        ['/bin/sh', '-c', 'head -c 300000000 /dev/zero >big; wc -c <big; ls -A'],
        {
          limits: { ...usualLimits, diskBytes: 2 ** 30 },
        },
      );
      assert.deepEqual([end.reason, out], ['exit', '300000000\nbig\n']);
    });

    test('shows inputs that the job can neither write nor replace, and gives outputs back', async () => {
      const inputs = [
        { path: 'data.csv', digestHex: it.putBlob('1,2\n'), executable: false },
        { path: 'deep/er/tool', digestHex: it.putBlob('#!/bin/sh\necho tool\n', true), executable: true },
      ];
      const text =
        'cat data.csv; deep/er/tool; echo x 2>/dev/null >data.csv; chmod 777 data.csv 2>/dev/null; mkdir -p result/a; echo one >result/a/1; printf two >result/2; chmod +x result/2; echo scratch >scratch';
      const started = await it.isolation.start({
        slot: 0,
        profile: kind,
        argv: ['/bin/sh', '-c', text],
        env: [],
        inputs,
        limits: usualLimits,
        network: false,
        outputs: { patterns: ['result/**', '*.csv'], maxBytes: 1000 },
      });
      const end = await started.ended;
      assert.equal(
        readFileSync(started.stdoutFile, 'utf8'),
        '1,2\ntool\n',
        readFileSync(started.stderrFile, 'utf8'),
      );
      assert.ok(end.outputsTar !== null, JSON.stringify(end));
      const found: string[] = [];
      const rules = {
        patterns: ['result/**', '*.csv'],
        inputs: new Set(inputs.map((input) => input.path)),
        maxBytes: 1000,
        maxFiles: 10,
      };
      for await (const file of readOutputs(end.outputsTar, rules)) {
        let content = '';
        for await (const chunk of file.content) content += String(chunk);
        found.push(`${file.path}=${content}${file.executable ? ' x' : ''}`);
      }
      assert.deepEqual(found.sort(), ['result/2=two x', 'result/a/1=one\n']);
      started.release();
      const next = await it.run(['/bin/ls', '-A']);
      assert.equal(next.out, '', 'the next job finds nothing');
    });

    test('does not follow links that an agent puts in its cache', async () => {
      const { symlinkSync } = await import('node:fs');
      const hex = 'ab'.repeat(32);
      symlinkSync('/etc/passwd', `${it.folder}/cache/${hex}`);
      const { end, out } = await it.run(['/bin/cat', 'in'], {
        inputs: [{ path: 'in', digestHex: hex, executable: false }],
      });
      if (kind === 'strict') assert.deepEqual([end.reason, out], ['sandbox', '']);
    });

    test('takes outputs as they lie: links and pipes are not followed or opened, sparse files are bounded', async () => {
      const text =
        'mkdir r; ln -s /etc/passwd r/link; mkfifo r/pipe; ln -s / r/root; truncate -s 1T r/sparse 2>/dev/null || :';
      const { end } = await it.run(['/bin/sh', '-c', text], {
        outputs: { patterns: ['r/**'], maxBytes: 1e6 },
      });
      assert.ok(end.reason === 'output_limit' || end.outputsTar !== null, JSON.stringify(end));
    });

    test('cancels with time to clean up, and without', async () => {
      const started = await it.isolation.start({
        slot: 0,
        profile: kind,
        argv: ['/bin/sh', '-c', 'trap "echo cleaned; exit 0" TERM; echo go; while :; do sleep 0.02; done'],
        env: [],
        inputs: [],
        limits: { ...usualLimits, graceMs: 10_000 },
        network: false,
        outputs: null,
      });
      await until(() => readFileSync(started.stdoutFile, 'utf8') === 'go\n', 3000);
      it.isolation.cancel(started, 'terminate');
      assert.equal((await started.ended).reason, 'cancelled');
      assert.equal(readFileSync(started.stdoutFile, 'utf8'), 'go\ncleaned\n');
      started.release();
      const stubborn = await it.isolation.start({
        slot: 0,
        profile: kind,
        argv: ['/bin/sh', '-c', 'trap "" TERM; while :; do sleep 1; done'],
        env: [],
        inputs: [],
        limits: { ...usualLimits, graceMs: 100 },
        network: false,
        outputs: null,
      });
      const behind = await it.isolation.start({
        slot: 0,
        profile: kind,
        argv: ['/bin/true'],
        env: [],
        inputs: [],
        limits: usualLimits,
        network: false,
        outputs: null,
      });
      it.isolation.cancel(behind, 'kill');
      const never = await behind.ended;
      assert.deepEqual([never.reason, never.cpuMs], ['cancelled', 0], 'at once, not when its turn comes');
      assert.deepEqual([never.stdoutBytes, never.stderrBytes], [0, 0], 'not what an earlier run left');
      it.isolation.cancel(stubborn, 'terminate');
      assert.equal((await stubborn.ended).reason, 'cancelled');
      stubborn.release();
      behind.release();
      assert.equal((await it.run(['/bin/true'])).end.code, 0, 'the slot goes on');
    });

    test('tells a cancel that comes while outputs are collected as a cancel, not as outputs that are too large', async () => {
      for (const profile of [kind, 'bare'] as const) {
        const started = await it.isolation.start({
          slot: 0,
          profile,
          argv: ['/bin/sh', '-c', 'mkdir r; head -c 200M /dev/zero >r/large'],
          env: [],
          inputs: [],
          limits: { ...usualLimits, diskBytes: 268_435_456 },
          network: false,
          outputs: { patterns: ['r/**'], maxBytes: 1e9 },
        });
        const isCollecting = (): boolean => processesOf(it).some((line) => line.includes('do find'));
        assert.ok(await until(isCollecting, 10_000));
        it.isolation.cancel(started, 'kill');
        const end = await started.ended;
        started.release();
        assert.deepEqual([end.reason, end.outputsTar], ['cancelled', null], profile);
      }
    });

    test('leaves no process behind, daemons included, in the sandbox and bare', async () => {
      for (const profile of [kind, 'bare'] as const) {
        const { end } = await it.run(['/bin/sh', '-c', '(setsid sh -c "sleep 47 & sleep 48" &) ; exit 0'], {
          profile,
        });
        assert.deepEqual([end.reason, end.code], ['exit', 0]);
        const left = (): string[] => processesOf(it).filter((line) => /sleep 4[78]/.test(line));
        assert.deepEqual(left(), [], profile);
      }
    });

    test('refuses what the owner does not allow and what is no message, and goes on', async () => {
      const refused = (more: object): Promise<unknown> => it.run(['/bin/true'], more);
      const isRefusal = (error: unknown): boolean =>
        error instanceof IsolateError && error.code === 'isolate.refused';
      await assert.rejects(refused({ profile: kind === 'strict' ? 'user' : 'strict' }), isRefusal);
      await assert.rejects(refused({ limits: { ...usualLimits, memoryBytes: 2 ** 40 } }), isRefusal);
      await assert.rejects(
        refused({ inputs: [{ path: '../x', digestHex: '0'.repeat(64), executable: false }] }),
        isRefusal,
      );
      await assert.rejects(refused({ env: [['A=B', '']] }), isRefusal);
      await assert.rejects(refused({ uid: 0 }), isRefusal);
      it.socket.write('nonsense\n{"do":"run"}\n[]\nnull\n{"do":"cancel","id":99,"how":"kill"}\n');
      assert.equal((await it.run(['/bin/true'])).end.code, 0);
    });

    test('refuses a run that is too long for a line, and what runs beside it goes on', async () => {
      const beside = await it.isolation.start({ ...usualRun, slot: 1, argv: ['/bin/sleep', '15'] });
      const inputs = Array.from({ length: 12_000 }, (_, n) => ({
        path: `${'deep/'.repeat(30)}${n}`,
        digestHex: '0'.repeat(64),
        executable: false,
      }));
      await assert.rejects(it.run(['/bin/true'], { inputs }), { code: 'isolate.refused', message: /longer/ });
      it.isolation.cancel(beside, 'kill');
      assert.equal((await beside.ended).reason, 'cancelled');
      beside.release();
      assert.equal((await it.run(['/bin/true'])).end.code, 0, 'its set of files is free again');
    });

    test('runs with as many inputs as an order may have', async () => {
      if (kind === 'strict') return;
      const digestHex = it.putBlob('x');
      const inputs = Array.from({ length: BOUNDS.inputFiles }, (_, n) => ({
        path: `in/${n}`,
        digestHex,
        executable: false,
      }));
      const { out, err } = await it.run(['/bin/sh', '-c', 'set -- in/*; echo $#'], {
        inputs,
        limits: { ...usualLimits, wallMs: 300_000 },
      });
      assert.equal(out, `${BOUNDS.inputFiles}\n`, err);
    });

    test('says how much was written, and that it runs once it has run for a moment', async () => {
      const { end } = await it.run(['/bin/sh', '-c', 'printf 123; printf 12345 >&2; exit 4']);
      assert.deepEqual([end.stdoutBytes, end.stderrBytes, end.code], [3, 5, 4]);
      const started = await it.isolation.start({ ...usualRun, argv: ['/bin/sleep', '0.5'] });
      let hasEnded = false;
      void started.ended.then(() => (hasEnded = true));
      assert.ok((await started.running) >= 0);
      assert.equal(hasEnded, false);
      await started.ended;
      started.release();
    });

    test('shows nothing of an earlier job to whoever reads the log before the job has begun', async () => {
      await it.run(['/bin/sh', '-c', 'echo a-canary; echo a-canary >&2'], { slot: 0 });
      for (let n = 0; n < runsPerSlot; n += 1) {
        const shells = processesOf(it)
          .filter((line) => /^\d+ \/bin\/sh -c files=/.test(line))
          .map((line) => Number.parseInt(line, 10));
        assert.ok(shells.length > 0);
        for (const pid of shells) process.kill(pid, 'SIGSTOP');
        const started = await it.isolation.start({ ...usualRun, argv: ['/bin/true'] });
        await started.running;
        const read = [started.stdoutFile, started.stderrFile].map((file) => readFileSync(file, 'latin1'));
        for (const pid of shells) process.kill(pid, 'SIGCONT');
        assert.deepEqual(read, ['', '']);
        await started.ended;
        started.release();
      }
    });

    test('a job that closes its log to everybody closes it neither to the agent nor to the next job', async () => {
      const close = 'echo mine; chmod 0 /proc/self/fd/1 /proc/self/fd/2 && echo closed';
      for (let n = 0; n < runsPerSlot; n += 1) {
        const started = await it.isolation.start({ ...usualRun, argv: ['/bin/sh', '-c', close] });
        assert.equal((await started.ended).reason, 'exit');
        assert.equal(statSync(started.stdoutFile).mode & 0o777, kind === 'strict' ? 0o660 : 0o640);
        assert.equal(
          readFileSync(started.stdoutFile, 'latin1'),
          kind === 'strict' ? 'mine\n' : 'mine\nclosed\n',
          'where slots have accounts, it may not even try',
        );
        started.release();
      }
      for (let n = 0; n < runsPerSlot; n += 1) {
        const { end, out } = await it.run(['/bin/echo', 'hello']);
        assert.deepEqual([end.reason, end.code, out], ['exit', 0, 'hello\n']);
      }
    });

    test('a run whose log cannot be opened never ran, whatever the run before it said', async () => {
      for (let n = 0; n < runsPerSlot; n += 1) await it.run(['/bin/true']);
      const logs = Array.from({ length: runsPerSlot }, (_, set) => `${it.folder}/slots/0/out${set}`);
      for (const log of logs) {
        renameSync(log, `${log}.kept`);
        mkdirSync(log);
      }
      try {
        const started = await it.isolation.start({ ...usualRun, argv: ['/bin/true'] });
        const { reason } = await started.ended;
        started.release();
        assert.equal(reason, 'sandbox');
      } finally {
        for (const log of logs) {
          rmdirSync(log);
          renameSync(`${log}.kept`, log);
        }
      }
      assert.equal((await it.run(['/bin/echo', 'again'])).out, 'again\n');
    });

    test('killing a run that has just ended does nothing to the one after it', async () => {
      for (let round = 0; round < 40; round += 1) {
        const first = await it.isolation.start({ ...usualRun, argv: ['/bin/sh', '-c', 'echo x > file'] });
        const second = await it.isolation.start({ ...usualRun, argv: ['/bin/true'] });
        await new Promise((resolve) => setTimeout(resolve, 4 + round));
        it.isolation.cancel(first, 'kill');
        await first.ended;
        const { reason, code } = await second.ended;
        assert.deepEqual([reason, code], ['exit', 0], `round ${round}`);
        first.release();
        second.release();
      }
    });

    test('a run that is ended while its slot makes ready for it does not run', async () => {
      if (kind !== 'strict') return;
      // A slot that gave fewer open files must begin anew for more; only where the rest is bounded does it give them.
      await it.run(['/bin/true'], { limits: { ...usualLimits, nofile: 64 } });
      for (const how of ['kill', 'terminate'] as const) {
        const started = await it.isolation.start({ ...usualRun, argv: ['/bin/echo', 'ran'] });
        it.isolation.cancel(started, how);
        assert.equal((await started.ended).reason, 'cancelled');
        assert.equal(readFileSync(started.stdoutFile, 'latin1'), '');
        started.release();
        await it.run(['/bin/true'], { limits: { ...usualLimits, nofile: 64 } });
      }
      assert.equal((await it.run(['/bin/echo', 'next'])).out, 'next\n');
    });

    test('many at once in one slot all end, in their order', async () => {
      const ends: number[] = [];
      const many = Array.from({ length: 12 }, async (_, n) => {
        const { end } = await it.run(['/bin/sh', '-c', `exit ${n}`], { profile: 'bare' });
        ends.push(end.code ?? -1);
      });
      await Promise.all(many);
      assert.deepEqual(
        ends,
        many.map((_, n) => n),
      );
    });

    test('hands arguments over byte for byte', async () => {
      const argv = [
        '',
        '-n',
        '--',
        '$(touch /tmp/x)',
        '`id`',
        'a\nb\n',
        '\\',
        '\'"',
        'ü€𝄞',
        '\u0001\u007f',
        ' lead',
        'x',
        's',
        'a/bin/true\nx\n',
      ];
      for (const profile of [kind, 'bare'] as const) {
        const { out } = await it.run(['node', '-p', 'JSON.stringify(process.argv.slice(1))', '--', ...argv], {
          profile,
          env: [
            ['A', 'x\ny'],
            ['WRIT_V', '$(id)'],
          ],
        });
        assert.deepEqual(JSON.parse(Buffer.from(out, 'latin1').toString()), argv.slice(0), profile);
      }
    });
  });
}

test('the launcher has no network module, the agent side starts no process', () => {
  for (const [folder, forbidden] of [
    ['launcher', /from '(?:node:)?(?:net|tls|https?|http2|dgram)'/],
    ['isolate', /from '(?:node:)?child_process'/],
  ] as const)
    for (const name of readdirSync(`${import.meta.dirname}/../${folder}`)) {
      if (name.endsWith('.test.ts') || !name.endsWith('.ts')) continue;
      assert.doesNotMatch(
        readFileSync(`${import.meta.dirname}/../${folder}/${name}`, 'utf8'),
        forbidden,
        name,
      );
    }
});
