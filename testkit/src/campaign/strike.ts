import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TemporaryCluster } from '../../../packages/store/src/postgres/testing/temporary-cluster.ts';
import type { Effect, EffectLog } from '../effect-log.ts';
import { findProcesses, isProgram } from '../read-processes.ts';
import type { AgentMember, Cluster } from '../start-cluster.ts';
import type { Kill, Role } from './kill.ts';

/** Something that can be killed and comes back. */
export interface Victim {
  readonly name: string;
  readonly identity: string | null;
  isUp(): boolean;
  running(): Effect[];
  /** Returns when the signal is sent. @returns false when there was nothing to kill. */
  kill(): boolean;
  /** Resolves when it has been started again: server and PostgreSQL answer by then. */
  back(): Promise<void>;
  /** Resolves when something came of it: the next one is not killed earlier. */
  works(): Promise<void>;
}

const PATIENCE_MS = 60_000;

async function becomes(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > until)
      throw new Error(`in ${PATIENCE_MS / 1000} s it did not happen that ${what}`);
    await sleep(20);
  }
}

const UIDS = 64;

/** The agent's own account is the first of its block; its slots have the others. */
export function accountsOf({ folder }: AgentMember): { readonly first: number; readonly end: number } {
  const file = readFileSync(join(folder, 'owner.json'), 'utf8');
  const { firstUid } = JSON.parse(file) as { firstUid: number };
  return { first: firstUid + 1, end: firstUid + UIDS };
}

type Listed = ReturnType<typeof findProcesses>[number];

/** A process that has just been forked still looks like the one that forked it. */
function killAll(folder: string, which: (one: Listed) => boolean): boolean {
  const found = findProcesses(folder).filter(which);
  const victims = found.filter(({ parent }) => !found.some(({ pid }) => pid === parent));
  for (const { pid } of victims) process.kill(pid, 'SIGKILL');
  return victims.length > 0;
}

const isInside = (one: Listed, program: 'server' | 'agent'): boolean =>
  one.line.startsWith('/writ/bin/node ') && isProgram(one, program);

/** Tasks that were not done before came to their end: no kill keeps all from ever getting on. */
async function getOn(effects: EffectLog): Promise<void> {
  const before = effects.done.size;
  await becomes('tasks come to their end again', () => effects.done.size >= before + 3);
}

export function serverVictim({ server }: Cluster, effects: EffectLog): Victim {
  return {
    name: 'server',
    identity: null,
    isUp: () => true,
    running: () => effects.alive(),
    kill: () => killAll(server.folder, (one) => isInside(one, 'server')),
    back: () => server.start(),
    works: () => getOn(effects),
  };
}

export function postmasterVictim(postgres: TemporaryCluster, effects: EffectLog): Victim {
  let stopped: Promise<void> | undefined;
  return {
    name: 'postmaster',
    identity: null,
    isUp: () => true,
    running: () => effects.alive(),
    kill() {
      stopped = postgres.stop('postmaster');
      return true;
    },
    async back() {
      await stopped;
      await postgres.start();
    },
    works: () => getOn(effects),
  };
}

/** An agent whose owner starts it again whenever it ends. */
export interface Supervised {
  readonly agent: AgentMember;
  /** The last that it wrote whenever it had ended without being killed. */
  endedByItself(): readonly string[];
  /** It was killed and is not started again yet. */
  isDown(): boolean;
  /** How many tasks had begun anywhere when it was started for the last time. */
  since(): number;
  struck(): void;
  back(): Promise<void>;
  /** From now on nothing is started again. */
  leave(): void;
}

function lastLines(folder: string): string {
  return readFileSync(join(folder, 'agent-run.log'), 'utf8').trimEnd().split('\n').slice(-3).join(' | ');
}

export function supervise(agent: AgentMember, effects: EffectLog): Supervised {
  let since = 0;
  const ends: string[] = [];
  let isDown = false;
  let isLeft = false;
  let started = Promise.withResolvers<void>();
  const watch = async (): Promise<void> => {
    for (;;) {
      await agent.ended();
      if (isLeft) return;
      if (!isDown) ends.push(`${agent.name}: ${lastLines(agent.folder)}`);
      await agent.start();
      since = effects.effects.length;
      isDown = false;
      started.resolve();
    }
  };
  watch().catch((error: unknown) => started.reject(error));
  return {
    agent,
    endedByItself: () => ends,
    isDown: () => isDown,
    since: () => since,
    struck() {
      isDown = true;
      started = Promise.withResolvers<void>();
    },
    back: () => started.promise,
    leave() {
      isLeft = true;
    },
  };
}

export function agentVictim(role: 'agent' | 'launcher', supervised: Supervised, effects: EffectLog): Victim {
  const { agent } = supervised;
  const { first, end } = accountsOf(agent);
  const isThere = ({ uid }: Effect): boolean => uid >= first && uid < end;
  return {
    name: agent.name,
    identity: agent.identity,
    // One that never finishes anything would show little but its start.
    isUp: () =>
      !supervised.isDown() &&
      effects.effects.slice(supervised.since()).some((effect) => effect.isDone && isThere(effect)),
    running: () => effects.alive().filter(isThere),
    kill() {
      supervised.struck();
      return killAll(agent.folder, (one) =>
        role === 'agent' ? isInside(one, 'agent') : isProgram(one, 'launcher'),
      );
    },
    back: supervised.back,
    // The others go on meanwhile.
    works: () => Promise.resolve(),
  };
}

/** @returns what happened; `back` is filled in when it is. */
export function strike(
  role: Role,
  victim: Victim,
  unanswered: number,
): { readonly kill: Kill; readonly back: Promise<void> } | undefined {
  const kill: { -readonly [K in keyof Kill]: Kill[K] } = {
    role,
    victim: victim.name,
    identity: victim.identity,
    running: victim.running(),
    unanswered,
    at: Date.now(),
    back: null,
  };
  if (!victim.kill()) return undefined;
  kill.at = Date.now();
  return {
    kill,
    back: victim.back().then(() => {
      kill.back = Date.now();
    }),
  };
}
