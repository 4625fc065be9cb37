import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeEnd } from './judge-end.ts';
import type { RunFacts } from './judge-end.ts';
import type { RunMessage } from './messages.ts';

const run = (profile: RunMessage['profile']): RunMessage => ({
  do: 'run',
  id: 1,
  slot: 0,
  set: 0,
  profile,
  argv: ['/bin/true'],
  env: [],
  inputs: [],
  limits: {
    wallMs: 1000,
    memoryBytes: 2 ** 24,
    pids: 10,
    cpuMs: null,
    cpuPercent: null,
    diskBytes: 2 ** 20,
    nofile: 64,
    logBytes: 100,
    logBytesPerSecond: 100,
    graceMs: 0,
  },
  network: false,
  outputs: null,
});

const seen = (more: Partial<RunFacts>): RunFacts => ({
  cause: null,
  shellCode: 0,
  logBytes: 0,
  over: null,
  isDiskFull: () => false,
  sandboxStatus: '{ "exit-code": 0 }',
  errorStart: () => '',
  ...more,
});

const judge = (profile: RunMessage['profile'], more: Partial<RunFacts>): readonly unknown[] => {
  const { reason, code, signal } = judgeEnd(run(profile), seen(more));
  return [reason, code, signal];
};

test('a job that nobody stopped ends with its own code or signal', () => {
  assert.deepEqual(judge('bare', {}), ['exit', 0, null]);
  assert.deepEqual(judge('bare', { shellCode: 3 }), ['exit', 3, null]);
  assert.deepEqual(judge('bare', { shellCode: 139 }), ['signal', null, 'SIGSEGV']);
  assert.deepEqual(judge('strict', { shellCode: 137 }), ['signal', null, 'SIGKILL']);
  assert.deepEqual(judge('bare', { shellCode: 255 }), ['exit', 255, null]);
});

test('why it was stopped comes before everything that was seen of it', () => {
  const everything = {
    shellCode: 137,
    logBytes: 101,
    over: 'memory_limit',
    isDiskFull: () => true,
  } as const;
  assert.equal(judge('strict', { ...everything, cause: 'time_limit' })[0], 'time_limit');
  assert.equal(judge('strict', { ...everything, shellCode: null, cause: 'cancelled' })[0], 'cancelled');
  assert.equal(judge('strict', everything)[0], 'log_limit');
  assert.equal(judge('strict', { ...everything, logBytes: 100 })[0], 'memory_limit');
  assert.equal(judge('strict', { ...everything, logBytes: 0, over: null })[0], 'disk_limit');
});

test('a limit of the kernel counts also when the job ends with 0, a full disk only when it fails', () => {
  assert.equal(judge('strict', { over: 'pid_limit' })[0], 'pid_limit');
  assert.equal(judge('strict', { isDiskFull: () => true })[0], 'exit');
  assert.equal(judge('bare', { shellCode: 128 + 25 })[0], 'disk_limit', 'SIGXFSZ');
});

test('a sandbox that did not come to the job is told apart from a command that is not there', () => {
  const notRun = { shellCode: 1, sandboxStatus: '{ "child-pid": 7 }' };
  assert.deepEqual(judge('strict', notRun), ['sandbox', 1, null]);
  const missing = (why: string) => ({ ...notRun, errorStart: () => `bwrap: execvp /no: ${why}` });
  assert.deepEqual(judge('user', missing('No such file or directory')), ['exit', 127, null]);
  assert.deepEqual(judge('user', missing('Permission denied')), ['exit', 126, null]);
  assert.deepEqual(judge('strict', { shellCode: null, sandboxStatus: '' }), ['signal', null, 'SIGKILL']);
});
