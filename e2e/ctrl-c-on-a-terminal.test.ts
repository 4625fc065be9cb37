// needs: bubblewrap, util-linux
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster, type Cluster } from '../testkit/src/start-cluster.ts';

const PATIENCE_MS = 60_000;
const CTRL_C = '\u0003';
const TALKING = 'echo begun; while :; do echo tick; sleep 0.1; done';

let cluster: Cluster;
before(async () => {
  cluster = await startCluster({ agents: [{ name: 'terminal-one', slots: 4 }] });
});
after(async () => {
  await cluster?.stop();
});

/** `writ run` with a terminal of its own: keys go in, and everything that it shows comes out. */
class Terminal {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #shown = '';

  constructor(script: string) {
    const { program, environment, home } = cluster.person;
    const { WRIT_NO_INPUT: _off, ...env } = environment;
    const line = `stty cols 100 rows 40; exec '${process.execPath}' '${program}' run -- /bin/sh -c '${script}'`;
    this.#child = spawn('script', ['-qefc', line, '/dev/null'], { cwd: home, env, stdio: 'pipe' });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#shown += text));
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', resolve);
    });
  }

  get shown(): string {
    return this.#shown;
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  async shows(what: RegExp): Promise<void> {
    for (const until = performance.now() + PATIENCE_MS; !what.test(this.#shown);) {
      assert.ok(performance.now() < until, `${what} is not on the terminal:\n${this.#shown}`);
      await sleep(20);
    }
  }

  async exitCode(): Promise<number | null> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }
}

const newestJob = async (): Promise<{ id: string; state: string }> => {
  const [job] = (await cluster.client.listJobs({ limit: 1 })).items;
  assert.ok(job);
  return job;
};

describe('Ctrl-C during writ run on a terminal', { timeout: 240_000 }, () => {
  test('asks once; no leaves the job alone, and nothing is written into the question', async () => {
    const terminal = new Terminal(TALKING);
    await terminal.shows(/tick/);
    terminal.type(CTRL_C);
    await terminal.shows(/Cancel job [a-z2-7]{26}\?/);
    await sleep(200);
    const asked = terminal.shown.length;
    await sleep(1_000);
    assert.equal(terminal.shown.slice(asked), '');
    terminal.type('n');
    assert.equal(await terminal.exitCode(), 130, terminal.shown);
    assert.match(terminal.shown, /Left job [a-z2-7]{26} alone: it goes on/);
    const job = await newestJob();
    assert.equal(job.state, 'running');
    await cluster.person.must(['cancel', job.id, '--yes', '--kill']);
  });

  test('yes cancels it, with what it wrote meanwhile, and ends with the exit code of the job', async () => {
    const terminal = new Terminal(TALKING);
    await terminal.shows(/tick/);
    terminal.type(CTRL_C);
    await terminal.shows(/Cancel job/);
    const before = terminal.shown.split('tick').length;
    await sleep(500);
    terminal.type('y');
    assert.equal(await terminal.exitCode(), 143, terminal.shown);
    assert.match(terminal.shown, /cancelling; Ctrl-C once more leaves it to end by itself/);
    assert.match(terminal.shown, /The job was cancelled/);
    assert.ok(terminal.shown.split('tick').length > before + 3, terminal.shown);
    assert.equal((await newestJob()).state, 'cancelled');
  });

  test('a second one is no, and once more after yes leaves a job that does not end to itself', async () => {
    const twice = new Terminal(TALKING);
    await twice.shows(/tick/);
    twice.type(CTRL_C);
    await twice.shows(/Cancel job/);
    twice.type(CTRL_C);
    assert.equal(await twice.exitCode(), 130, twice.shown);
    const left = await newestJob();
    assert.equal(left.state, 'running');
    await cluster.person.must(['cancel', left.id, '--yes', '--kill']);

    const deaf = new Terminal(`trap "" TERM; ${TALKING}`);
    await deaf.shows(/tick/);
    deaf.type(CTRL_C);
    await deaf.shows(/Cancel job/);
    deaf.type('y');
    await deaf.shows(/cancelling;/);
    deaf.type(CTRL_C);
    assert.equal(await deaf.exitCode(), 130, deaf.shown);
    await cluster.person.must(['cancel', (await newestJob()).id, '--yes', '--kill']);
  });

  test('the question goes when the job ends meanwhile, and its own exit code comes', async () => {
    const terminal = new Terminal('echo tick; sleep 2; echo last words; exit 7');
    await terminal.shows(/tick/);
    terminal.type(CTRL_C);
    await terminal.shows(/Cancel job/);
    assert.equal(await terminal.exitCode(), 7, terminal.shown);
    assert.match(terminal.shown, /last words/);
    assert.match(terminal.shown, /failed with 7/);
  });
});
