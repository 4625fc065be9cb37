import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { counted, id, openReady } from '../conformance/samples.ts';
import { temporaryDatabase } from './temporary-database.ts';

const CHILD = fileURLToPath(new URL('testing/write-until-killed.ts', import.meta.url));

test('what a process killed before its commit had written is not there, and the trail is whole', async () => {
  const database = await temporaryDatabase();
  await (await openReady(database)).close();
  const lines = await killAfter(database.file, 'before commit', 1);
  assert.deepEqual(lines, ['begun']);
  const store = await database.open();
  try {
    assert.equal(await store.jobs.readJob(id('begun')), null);
    assert.deepEqual((await store.jobs.listJobs({ after: null, limit: 10 })).items, []);
    assert.equal((await store.audit.verifyAudit()).isWhole, true);
  } finally {
    await store.close();
    await database.remove();
  }
});

test('what was acknowledged before kill -9 is there, with its counters and its audit records', async () => {
  const database = await temporaryDatabase();
  await (await openReady(database)).close();
  try {
    const said = new Set<string>();
    for (const lines of [17, 30, 41]) {
      for (const line of await killAfter(database.file, `after ${lines}`, lines)) said.add(line);
      const store = await database.open();
      try {
        for (const line of said) {
          const [what, job = '', index] = line.split(' ');
          if (what === 'submitted') assert.ok(await store.jobs.readJob(job), line);
          else assert.equal((await store.jobs.readTask(job, Number(index)))?.state, 'succeeded', line);
        }
        assert.equal((await store.audit.verifyAudit()).isWhole, true);
        for (const job of (await store.jobs.listJobs({ after: null, limit: 500 })).items) {
          const tasks = await store.jobs.listTasks(job.id, { after: null, limit: 10 });
          const tally: Record<string, number> = {};
          for (const task of tasks.items) tally[task.state] = (tally[task.state] ?? 0) + 1;
          assert.deepEqual(await counted(store, job.id), tally);
        }
      } finally {
        await store.close();
      }
    }
    assert.ok(said.size >= 40);
  } finally {
    await database.remove();
  }
});

/** The whole lines that it said before it was killed, when it had said so many. */
async function killAfter(file: string, moment: string, count: number): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, file, moment], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === count) child.kill('SIGKILL');
  }
  const [, signal] = (await ended) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL');
  return lines;
}
