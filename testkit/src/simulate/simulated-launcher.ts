import type { Isolation, SlotEnd, SlotRun, SlotStarted } from '../../../apps/agent/src/isolate/isolation.ts';
import { IsolateError } from '../../../apps/agent/src/isolate/isolation.ts';
import type { Program, Timeline } from './virtual-time.ts';
import { ProgramOver, wallOf } from './virtual-time.ts';

/** What a job does, as its command says it: for how long it runs, and how it ends. */
export interface Behaviour {
  readonly milliseconds: number;
  readonly code: number;
}
export const commandOf = ({ milliseconds, code }: Behaviour): string[] => [
  'act',
  String(milliseconds),
  String(code),
];

/** One start, as the machine itself saw it. */
export interface Execution {
  readonly agent: string;
  readonly run: number;
  readonly job: string;
  readonly index: number;
  readonly attempt: number;
  /** When its agent handed it over: it may wait for the run before it. */
  readonly handedAt: number;
  /** Virtual milliseconds; the end is null while it runs. */
  readonly from: number;
  to: number | null;
  /** The exit code of a job that came to its own end. */
  code: number | null;
}

export interface Watching {
  onStart(execution: Execution, run: SlotRun): void;
  onEnd(execution: Execution): void;
  /** It did not take this attempt. */
  onRefused(agent: string, attempt: string): void;
}

interface Live {
  readonly execution: Execution;
  readonly end: (how: Pick<SlotEnd, 'reason' | 'code' | 'signal'>) => void;
}

export interface SimulatedLauncher extends Isolation {
  readonly isGone: boolean;
  /** It is killed, and everything that runs in its slots with it. */
  die(): void;
}

/** Runs nothing: a job is a stretch of virtual time on its machine. All of them end with their agent. */
export function simulateLauncher(given: {
  readonly timeline: Timeline;
  readonly program: Program;
  readonly slots: number;
  readonly runsPerSlot: number;
  readonly number: () => number;
  readonly watching: Watching;
  /** How often it does not take a run. */
  readonly failing: number;
}): SimulatedLauncher {
  const { timeline, program, slots, watching } = given;
  const { dice } = timeline;
  const live = new Map<SlotStarted, Live>();
  const waitingOf = new Map<number, (() => void)[]>();
  const busy = new Set<number>();
  const lost = Promise.withResolvers<void>();
  /** What it was asked to run and has not told the end of. */
  const taken = new Map<SlotStarted, (error: IsolateError) => void>();
  let isGone = false;
  let isHeard = false;
  const gone = (): IsolateError => new IsolateError('isolate.lost', 'simulated: the launcher is gone');

  const endAll = (): void => {
    for (const { execution } of live.values()) {
      if (execution.to !== null) continue;
      execution.to = timeline.now;
      watching.onEnd(execution);
    }
    live.clear();
  };
  // The launcher sees the end of its agent, and every job dies with it.
  program.onOver.push(endAll);

  const nextOf = (slot: number): void => {
    const next = waitingOf.get(slot)?.shift();
    if (next) next();
    else busy.delete(slot);
  };

  return {
    slots,
    runsPerSlot: given.runsPerSlot,
    offers: [
      {
        profile: 'strict',
        measured: true,
        walls: [],
        down: [],
        memory: 'cgroup',
        pids: 'cgroup',
        cpu: 'cgroup',
        disk: 'mount',
        accountPerSlot: true,
        network: 'asked',
      },
    ],
    cacheFolder: `/${program.host.name}/cache`,
    start: (async (run: SlotRun, mayStart: () => boolean = () => true) => {
      await timeline.wait(dice.between(0, 3), program);
      if (program.isOver) throw new ProgramOver(program.name);
      if (isHeard) throw gone();
      if (!mayStart()) return undefined;
      const valueOf = (name: string): string => run.env.find(([key]) => key === name)?.[1] ?? '';
      if (dice.chance(given.failing)) {
        const attempt = `${valueOf('WRIT_JOB')}.${valueOf('WRIT_INDEX')}.${valueOf('WRIT_ATTEMPT')}`;
        watching.onRefused(program.host.name, attempt);
        throw new IsolateError('isolate.refused', 'simulated: not taken');
      }
      const handedAt = timeline.now;
      const ended = Promise.withResolvers<SlotEnd>();
      const begun = Promise.withResolvers<number>();
      let isOver = false;
      let startedMs = wallOf(program.host, timeline);
      const finish = (end: Pick<SlotEnd, 'reason' | 'code' | 'signal'>): void => {
        if (isOver) return;
        isOver = true;
        taken.delete(started);
        begun.resolve(0);
        ended.resolve({
          ...end,
          startedMs,
          endedMs: wallOf(program.host, timeline),
          cpuMs: 0,
          memoryPeakBytes: 0,
          stdoutBytes: 0,
          stderrBytes: 0,
          outputsTar: null,
        });
      };
      const folder = `/${program.host.name}/slots/${run.slot}`;
      const started: SlotStarted = {
        stdoutFile: `${folder}/stdout`,
        stderrFile: `${folder}/stderr`,
        running: begun.promise,
        ended: ended.promise,
        release: () => undefined,
        slot: run.slot,
        set: 0,
        holdBack: () => undefined,
      };
      // The machine's own events: they happen also while the agent is paused, and it hears of them afterwards.
      const tell = (what: () => void): void => void timeline.after(dice.between(0, 2), program, what);
      const begin = (): void => {
        if (isGone) return;
        if (isOver) return nextOf(run.slot);
        startedMs = wallOf(program.host, timeline);
        const execution: Execution = {
          agent: program.host.name,
          run: given.number(),
          job: valueOf('WRIT_JOB'),
          index: Number(valueOf('WRIT_INDEX')),
          attempt: Number(valueOf('WRIT_ATTEMPT')),
          handedAt,
          from: timeline.now,
          to: null,
          code: null,
        };
        const end: Live['end'] = (how) => {
          if (execution.to !== null || program.isOver || isGone) return;
          execution.to = timeline.now;
          execution.code = how.code;
          live.delete(started);
          watching.onEnd(execution);
          tell(() => finish(how));
          nextOf(run.slot);
        };
        live.set(started, { execution, end });
        watching.onStart(execution, run);
        tell(() => begun.resolve(0));
        const [, milliseconds, code] = run.argv;
        timeline.after(Number(milliseconds), null, () =>
          end({ reason: 'exit', code: Number(code), signal: null }),
        );
      };
      begun.promise.catch(() => undefined);
      ended.promise.catch(() => undefined);
      taken.set(started, (error) => {
        isOver = true;
        begun.reject(error);
        ended.reject(error);
      });
      statusFiles(program, folder);
      if (busy.has(run.slot)) waitingOf.set(run.slot, [...(waitingOf.get(run.slot) ?? []), begin]);
      else {
        busy.add(run.slot);
        begin();
      }
      cancels.set(started, (how) => {
        const run = live.get(started);
        const cancelled = { reason: 'cancelled', code: null, signal: 'SIGKILL' } as const;
        if (run) timeline.after(how === 'kill' ? dice.between(0, 5) : 100, null, () => run.end(cancelled));
        // It still waited: it ends without having started.
        else finish(cancelled);
      });
      return started;
    }) as Isolation['start'],
    cancel: (started, how) => {
      if (!program.isOver) cancels.get(started)?.(how);
    },
    lost: lost.promise,
    async close() {
      endAll();
      lost.resolve();
    },
    get isGone() {
      return isGone;
    },
    die() {
      isGone = true;
      endAll();
      // What it had told before is read first.
      timeline.after(dice.between(2, 4), program, () => {
        isHeard = true;
        for (const fail of taken.values()) fail(gone());
        taken.clear();
        lost.resolve();
      });
    },
  };
}

const cancels = new WeakMap<SlotStarted, (how: 'terminate' | 'kill') => void>();

/** Both logs of a slot are empty files. */
function statusFiles(program: Program, folder: string): void {
  for (const name of ['stdout', 'stderr']) program.host.disk.open(`${folder}/${name}`, 'write');
}
