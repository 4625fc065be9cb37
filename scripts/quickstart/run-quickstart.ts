import { mkdirSync, mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentView } from '@writ/contract';
import { bringPrograms } from '../build/bring-programs.ts';
import { spliceStrips } from '../../examples/mandelbrot/splice-strips.ts';
import { writePng } from '../../examples/mandelbrot/write-png.ts';
import { fetchStrips } from './fetch-strips.ts';
import { findSandbox, type Machine } from './find-sandbox.ts';
import { openPerson, type Person } from './open-person.ts';
import type { Wish } from './read-arguments.ts';
import { openShell, type Shell } from './run-writ.ts';
import { showBars, showLines } from './show-progress.ts';
import { showResults } from './show-results.ts';
import { AGENTS, joinAgent, startServer } from './start-writ.ts';
import { FOLDER_PREFIX, stopWrit } from './stop-writ.ts';
import { STRIPS, submitPicture } from './submit-picture.ts';
import { verifyStrips } from './verify-strips.ts';
import { watchTasks } from './watch-tasks.ts';

export interface Outside {
  /** The checkout. */
  readonly root: string;
  readonly machine: Machine;
  readonly cores: number;
  readonly isTerminal: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where temporary folders are made. */
  readonly temporary: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  write(text: string): void;
}

/** A test stands between these: it changes what was fetched before it is verified. */
export interface Steps {
  readonly fetchStrips: typeof fetchStrips;
}

/** @returns the exit code. */
export async function runQuickstart(
  wish: Wish,
  outside: Outside,
  steps: Steps = { fetchStrips },
): Promise<number> {
  const say = (line: string): void => outside.write(`${line}\n`);
  const program = join(await bringPrograms(outside.root), 'cli.js');
  if (wish.stop !== undefined) return stopKept(wish.stop, program, outside, say);
  const lacking = wish.bare ? undefined : findSandbox(outside.machine, say);
  if (lacking !== undefined) {
    say(lacking);
    return 1;
  }
  const folder = realpathSync(mkdtempSync(join(outside.temporary, FOLDER_PREFIX)));
  let isKept = false;
  try {
    const code = await drawPicture(wish, outside, { folder, program, say, steps });
    isKept = wish.keep && code === 0;
    return code;
  } catch (error) {
    if (outside.signal.aborted) {
      say('\ninterrupted');
      return 130;
    }
    say(`✗ ${(error as Error).message}`);
    return 1;
  } finally {
    if (isKept) sayHowToGoOn(folder, program, say);
    else await stopAll(folder, program, outside, say);
  }
}

interface Run {
  readonly folder: string;
  /** The command `writ`, as it is published. */
  readonly program: string;
  readonly say: (line: string) => void;
  readonly steps: Steps;
}

async function drawPicture(
  wish: Wish,
  outside: Outside,
  { folder, program, say, steps }: Run,
): Promise<number> {
  const { root, signal } = outside;
  const shell = (name: string): Shell =>
    openShell(program, join(folder, 'people', name), outside.environment, signal);
  const ana = shell('ana');
  const place = { root, folder, bare: wish.bare };
  say(`Writ draws one picture as eight tasks on three agents. All of it stays in ${folder}.`);
  if (wish.bare) say('  ! without a sandbox: the tasks can do whatever you can do on this machine');

  await startServer(ana, place);
  say('  ✓ a server on loopback, and a signing key in the account of whoever started it');
  await Promise.all(AGENTS.map((name) => joinAgent(ana, shell(name), name, place)));
  await using person = await openPerson(ana.configuration);
  const agents = await waitForAgents(person, signal);
  say(`  ✓ three agents joined by three invites: ${agents.map(({ name }) => name).join(', ')}`);

  const start = performance.now();
  const picture = await submitPicture(person, place, signal);
  say(`  ✓ job ${picture.job.slice(0, 8)}…: one signed order, ${STRIPS} tasks`);
  const display = outside.isTerminal ? showBars(outside.write) : showLines(outside.write);
  await watchTasks(person.client, { job: picture.job, tasks: STRIPS, agents: AGENTS }, display, signal);
  const wallMs = performance.now() - start;

  const fetched = join(folder, 'strips');
  await steps.fetchStrips(person, picture, fetched, signal);
  const anchors = { cluster: person.sets.cluster, order: picture.digest };
  const { strips, faults } = verifyStrips(fetched, STRIPS, anchors);
  if (faults.length > 0) {
    for (const fault of faults) say(`✗ ${fault}`);
    say(`${strips.length} of ${STRIPS} strips are proved. No picture was made.`);
    return 1;
  }
  say(`  ✓ ${strips.length} of ${STRIPS} receipts verified, each signed by an agent that ana admitted`);

  const file = join(root, 'out', 'mandelbrot.png');
  mkdirSync(join(root, 'out'), { recursive: true });
  const whole = spliceStrips(strips, STRIPS);
  const png = writePng(whole);
  writeFileSync(file, png);
  say('');
  // Their speed was measured after they had joined.
  const measured = await waitForAgents(person, signal);
  for (const line of showResults(strips, measured, { wallMs, cores: outside.cores })) say(line);
  say(`${relative(root, file)}   ${whole.width} × ${whole.height}, ${(png.length / 1e6).toFixed(1)} MB`);
  return 0;
}

const PATIENCE_MS = 30_000;

async function waitForAgents(person: Person, signal: AbortSignal): Promise<AgentView[]> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const { items } = await person.client.listAgents();
    const ready = items.filter((agent) => agent.isConnected && agent.profiles.length > 0);
    if (ready.length === AGENTS.length)
      return ready.toSorted((left, right) => (left.name < right.name ? -1 : 1));
    if (performance.now() > until) {
      const missing = AGENTS.filter((name) => !ready.some((agent) => agent.name === name));
      throw new Error(
        `${missing.join(', ')} did not become ready in ${PATIENCE_MS / 1000} s: not connected, or no sandbox that holds was measured there`,
      );
    }
    await sleep(50, undefined, { signal });
  }
}

async function stopAll(
  folder: string,
  program: string,
  outside: Outside,
  say: (line: string) => void,
): Promise<void> {
  // Not the signal of Ctrl-C: stopping is what follows it.
  const shell = openShell(
    program,
    join(folder, 'people', 'ana'),
    outside.environment,
    new AbortController().signal,
  );
  const left = await stopWrit(shell, folder);
  for (const line of left) say(`  ! did not stop by itself and was killed: ${line}`);
  say('  ✓ server and agents stopped, their folders removed');
}

async function stopKept(
  given: string,
  program: string,
  outside: Outside,
  say: (line: string) => void,
): Promise<number> {
  try {
    await stopAll(realpathSync(given), program, outside, say);
    return 0;
  } catch (error) {
    say(`✗ ${(error as Error).message}`);
    return 1;
  }
}

function sayHowToGoOn(folder: string, program: string, say: (line: string) => void): void {
  const configuration = join(folder, 'people', 'ana', 'config');
  say('');
  say('Server and agents go on. To use them from a shell:');
  say(`  export XDG_CONFIG_HOME=${configuration}`);
  say(`  alias writ='${process.execPath} ${program}'`);
  say('  writ agent list');
  say('To stop them and remove their folders:');
  say(`  npm run quickstart -- --stop ${folder}`);
}
