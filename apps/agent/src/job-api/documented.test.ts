import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { JOB_API_CODES } from './judge-request.ts';
import { openJobApi } from './open-job-api.ts';

const page = readFileSync(join(import.meta.dirname, '../../../../docs/job-api.md'), 'utf8');
const examples = Array.from(
  page.matchAll(/```(sh|python|js)\n([^]*?)```/g),
  ([, language = '', program = '']) => ({ language, program }),
);
const has = (program: string): boolean => spawnSync('/bin/sh', ['-c', `command -v ${program}`]).status === 0;

describe('the page on what a job may say', () => {
  const folder = mkdtempSync(join(tmpdir(), 'writ-job-api-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('lists every code, and no other', () => {
    const listed = Array.from(page.matchAll(/^\| `(job_api\.\w+)` \|/gm), ([, code]) => code);
    assert.deepEqual(listed, [...JOB_API_CODES]);
  });

  test('shows programs that say what they seem to', async () => {
    let ran = 0;
    for (const { language, program } of examples) {
      const needs = /^(curl|python3?)\b|\| (nc) /m.exec(`${language}\n${program}`);
      if (needs && !has((needs[2] ?? needs[1] ?? '').replace(/^python$/, 'python3'))) continue;
      const heard: unknown[] = [];
      const api = await openJobApi({
        folder: join(folder, 'sockets'),
        slots: 1,
        sets: 1,
        monotonic: () => performance.now(),
        onFault: (error) => assert.fail(error),
      });
      api.begin({ slot: 0, set: 0 }, { onProgress: (said) => heard.push(said), whyNotOutput: () => null });
      const [command, ...args] =
        language === 'sh'
          ? ['/bin/sh', '-c', program]
          : language === 'python'
            ? ['python3', '-c', program]
            : [process.execPath, '--input-type=module', '-e', program];
      const job = spawn(command ?? '', args, {
        env: {
          PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
          WRIT_JOB_API: join(folder, 'sockets/0.0'),
        },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [out] = await Promise.all([text(job.stdout), once(job, 'close')]);
      api.end({ slot: 0, set: 0 });
      await api.close();
      assert.match(out, /^(?:ok\n)+$/, program);
      assert.deepEqual(heard.at(-1), { progress: 400, message: 'four of ten' }, program);
      ran += 1;
    }
    assert.ok(ran >= 2, `${ran} of ${examples.length}`);
  });
});
