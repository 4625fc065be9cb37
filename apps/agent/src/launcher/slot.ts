import { execFile } from 'node:child_process';
import { chmodSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { argumentsFile, bwrapArguments, jobEnv } from './bwrap-arguments.ts';
import type { BwrapOption, SandboxPlaces, WorkPlace } from './bwrap-arguments.ts';
import type { Cgroup } from './cgroup.ts';
import { HeldLoop } from './held-loop.ts';
import { clearCommand, collectCommand, placeInputsCommand } from './job-commands.ts';
import type { JobSocket } from './job-socket.ts';
import { exitOrSignal, judgeEnd, nothingRan } from './judge-end.ts';
import { LogWatch } from './log-watch.ts';
import type { EndReason, FromLauncher, RunMessage } from './messages.ts';
import { SlotFiles } from './slot-files.ts';
import type { LoopPlace } from './slot-loop.ts';
import { SlotUsage } from './slot-usage.ts';
import { blobName, giveBackInputs, takeInputs } from './take-inputs.ts';
import type { WorkMount } from './work-folder.ts';

export interface Clock {
  epochMs(): number;
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
}

export interface SlotPlace {
  readonly loop: LoopPlace;
  /** Where the agent puts blobs; it is the agent's, so nothing in it is believed. */
  readonly cacheFolder: string;
  /** Where the launcher puts those of the running attempt, as the slot's account knows it. */
  readonly inputsFolder: string;
  readonly jobSocket: JobSocket;
  readonly node: string;
  readonly sandbox: SandboxPlaces | null;
  readonly cgroup: Cgroup | null;
  /** Null where nothing can be mounted: then a plain folder, or bwrap's own memory. */
  readonly workMount: WorkMount | null;
  /** Whether the slot has an account of its own, which owns none of the slot's files. */
  readonly hasAccount: boolean;
  /** Whether the loop is the first process of a namespace, so that killing it kills all below. */
  readonly ownPidNamespace: boolean;
  /** What a bare job without that must be started through, to die with its loop. */
  readonly barePrefix: readonly string[];
  readonly without?: ReadonlySet<BwrapOption>;
}

interface Running {
  readonly run: RunMessage;
  readonly startedMs: number;
  /** Monotonic, as the deadline is. */
  readonly startedAt: number;
  readonly deadline: number;
  readonly log: LogWatch;
  cause: EndReason | null;
  isCollecting: boolean;
  killAt: number | null;
  isTold: boolean;
}

/** Runs what the agent asks for, one after another, and says of each how it ended. */
export class Slot {
  readonly #place: SlotPlace;
  readonly #clock: Clock;
  readonly #tell: (message: FromLauncher) => void;
  readonly #queue: RunMessage[] = [];
  readonly #files: SlotFiles;
  readonly #loop: HeldLoop;
  readonly #usage: SlotUsage;
  #running: Running | null = null;
  /** The run whose folder is being made, and whether it was cancelled meanwhile. */
  #preparing: number | null = null;
  #isPreparingInVain = false;
  #folderWritten: RunMessage['profile'] | null = null;
  #isClosed = false;
  #drained: Promise<void> = Promise.resolve();
  #isDraining = false;

  constructor(place: SlotPlace, clock: Clock, tell: (message: FromLauncher) => void) {
    this.#place = place;
    this.#clock = clock;
    this.#tell = tell;
    const { loop, cgroup, ownPidNamespace } = place;
    this.#files = new SlotFiles(loop, !place.hasAccount);
    this.#usage = new SlotUsage(cgroup);
    // A launcher before this one may have left there what was another's.
    if (place.workMount === null && !isEmptyFolder(loop.workFolder))
      this.#folderWritten = place.sandbox === null ? 'bare' : 'user';
    this.#loop = new HeldLoop({
      loop,
      cgroup,
      ownPidNamespace,
      sleep: (ms) => clock.sleep(ms),
      sandboxStatus: () => this.#files.status(),
    });
  }

  async open(): Promise<void> {
    await this.#loop.open();
    this.#usage.settle();
  }

  /** Names of the namespaces that a sandbox of this slot is made from. */
  namespaces(): readonly string[] {
    return this.#loop.namespaces();
  }

  /** From the moment a run is taken: one whose folder is still being made must be watched when it starts. */
  get isBusy(): boolean {
    return this.#isDraining;
  }

  /** Whether a set of files belongs to a run that has not ended. */
  uses(set: number): boolean {
    return this.#running?.run.set === set || this.#queue.some((run) => run.set === set);
  }

  /** How many runs wait behind the one that runs. */
  get waiting(): number {
    return this.#queue.length;
  }

  take(run: RunMessage): void {
    this.#queue.push(run);
    if (!this.#isDraining) this.#drained = this.#drain();
  }

  cancel(id: number, how: 'terminate' | 'kill'): boolean {
    if (this.#running?.run.id === id) {
      this.#stop('cancelled', how === 'kill' ? 0 : this.#running.run.limits.graceMs);
      return true;
    }
    const at = this.#queue.findIndex((run) => run.id === id);
    if (at >= 0) {
      this.#queue.splice(at, 1);
      this.#tellNothingRan(id);
    } else if (this.#preparing === id) this.#isPreparingInVain = true;
    else return false;
    return true;
  }

  /** Looks whether the running attempt is over a limit. Called every 50 ms while one runs. */
  look(turn: number): void {
    const running = this.#running;
    if (running === null) return;
    const now = this.#clock.monotonicMs();
    const { limits } = running.run;
    if (!running.isTold) {
      running.isTold = true;
      this.#tell(['running', running.run.id, Math.round(now - running.startedAt)]);
    }
    if (running.killAt !== null && now >= running.killAt && this.#loop.isKillable) this.#killLoop(running);
    if (running.cause !== null || running.isCollecting) return;
    if (now >= running.deadline) this.#stop('time_limit', limits.graceMs);
    else if (running.log.isOver(now)) this.#stop('log_limit', 0);
    else {
      const over = this.#usage.look(limits, this.#loop.pid, turn % 5 === 0);
      if (over !== null) this.#stop(over, 0);
    }
    if (turn % 20 === 0 && this.#place.workMount === null && this.#folderWritten !== null)
      this.#measureFolder(running);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#queue.length = 0;
    this.#loop.stop();
    await this.#drained;
    await this.#loop.close();
    await this.#place.workMount?.remove();
    this.#place.jobSocket.remove();
    this.#files.close();
    this.#place.cgroup?.remove();
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    for (let run = this.#queue.shift(); run !== undefined && !this.#isClosed; run = this.#queue.shift()) {
      this.#preparing = run.id;
      this.#isPreparingInVain = false;
      try {
        await this.#runOne(run);
      } catch (error) {
        const nowMs = this.#clock.epochMs();
        const why = `writ: the sandbox could not be made: ${(error as Error).message}\n`;
        const stderrBytes = this.#files.writeError(run.set, why);
        this.#tell([
          'ended',
          run.id,
          { ...nothingRan, reason: 'sandbox', startedMs: nowMs, endedMs: nowMs, stderrBytes },
        ]);
      } finally {
        giveBackInputs(run.inputs, this.#place.inputsFolder);
        this.#place.jobSocket.hide();
        this.#running = null;
      }
    }
    this.#isDraining = false;
  }

  async #runOne(run: RunMessage): Promise<void> {
    const { workMount } = this.#place;
    const { limits } = run;
    const isBare = run.profile === 'bare';
    // The run before may have been killed after its own end: that is nothing of this one's.
    if (this.#loop.isGone) await this.#replaceLoop();
    if (workMount !== null && !workMount.isReadyFor(limits.diskBytes, limits.memoryBytes))
      await workMount.make(limits.diskBytes, limits.memoryBytes);
    if (workMount === null && this.#folderWritten !== null)
      await this.#clearFolder(this.#folderWritten, run.set);
    this.#preparing = null;
    if (this.#isPreparingInVain) return this.#tellNothingRan(run.id);
    takeInputs(run.inputs, this.#place.cacheFolder, this.#place.inputsFolder);
    // bwrap has two of its own around the job.
    this.#usage.begin(limits, this.#loop.basePopulation + (isBare ? 0 : 2));
    const now = this.#clock.monotonicMs();
    const running: Running = (this.#running = {
      run,
      startedMs: this.#clock.epochMs(),
      startedAt: now,
      deadline: now + limits.wallMs,
      log: new LogWatch(this.#files.begin(run.set), limits, now),
      cause: null,
      isCollecting: false,
      killAt: null,
      isTold: false,
    });
    workMount?.lend();
    const shellCode = await this.#execute(running);
    await this.#loop.waitUntilDead(isBare);
    const usage = this.#usage.end();
    if (this.#loop.isGone) await this.#replaceLoop();
    const log = this.#files.end(run.set);
    let end = judgeEnd(run, {
      cause: running.cause,
      shellCode,
      logBytes: log.out + log.err,
      over: usage.over,
      isDiskFull: () => workMount?.isFull() === true,
      sandboxStatus: isBare ? null : this.#files.status(),
      errorStart: () => this.#files.errorStart(run.set),
    });
    const endedMs = this.#clock.epochMs();
    let hasOutputs = false;
    if (run.outputs !== null && end.reason !== 'sandbox' && end.reason !== 'cancelled') {
      const collected = await this.#collect(run, run.outputs);
      if (collected === 'whole') hasOutputs = true;
      else if (end.reason === 'exit' || end.reason === 'signal') end = { ...end, reason: collected };
    }
    if (workMount?.wasWritten() === true) await workMount.make(limits.diskBytes, limits.memoryBytes);
    this.#tell([
      'ended',
      run.id,
      {
        ...end,
        startedMs: running.startedMs,
        endedMs,
        cpuMs: Math.round(usage.cpuMs),
        memoryPeakBytes: usage.memoryPeakBytes,
        stdoutBytes: log.out,
        stderrBytes: log.err,
        hasOutputs,
      },
    ]);
  }

  #tellNothingRan(id: number): void {
    const nowMs = this.#clock.epochMs();
    this.#tell(['ended', id, { ...nothingRan, reason: 'cancelled', startedMs: nowMs, endedMs: nowMs }]);
  }

  async #execute(running: Running): Promise<number | null> {
    const { run } = running;
    const { limits } = run;
    const fileSizeBytes = Math.max(limits.diskBytes, limits.logBytes);
    const isDirect = this.#place.cgroup !== null && this.#place.workMount !== null;
    if (!this.#loop.canGive(limits.nofile)) await this.#replaceLoop();
    if (running.cause !== null) return null;
    const { jobSocket } = this.#place;
    const hasSocket = jobSocket.show(run.set);
    const command = { env: noEnv, fileSet: run.set, fileSizeBytes, nofile: limits.nofile, isDirect };
    if (run.profile === 'bare') {
      this.#folderWritten = 'bare';
      if (run.inputs.length > 0) {
        const blobs = run.inputs.map(
          ([path, hex, executable]) =>
            [path, `${this.#place.inputsFolder}/${blobName(hex, executable)}`] as const,
        );
        const placed = await this.#loop.run({ ...command, how: 'bare', argv: placeInputsCommand(blobs) });
        if (placed !== 0) return placed;
      }
      const env = jobEnv(
        run.env,
        this.#place.loop.workFolder,
        dirname(this.#place.node),
        hasSocket ? jobSocket.path : null,
      );
      return this.#loop.run({ ...command, how: 'bare', argv: [...this.#place.barePrefix, ...run.argv], env });
    }
    const work = this.#workOf(run);
    if (this.#place.workMount === null && work.is === 'folder') this.#folderWritten = run.profile;
    this.#writeArgs(run, work, hasSocket ? jobSocket.bound : null);
    const argv =
      this.#place.cgroup === null
        ? ['/usr/bin/prlimit', `--nproc=${run.limits.pids}`, '--', ...run.argv]
        : run.argv;
    return this.#loop.run({ ...command, how: 'sandbox', argv });
  }

  #workOf(run: RunMessage): WorkPlace {
    if (this.#place.workMount !== null || run.outputs !== null || run.limits.diskBytes > 268_435_456)
      return { is: 'folder', path: this.#place.loop.workFolder };
    return { is: 'memory', bytes: run.limits.diskBytes };
  }

  #writeArgs(
    run: Parameters<typeof bwrapArguments>[0],
    work: WorkPlace,
    jobSocket: string | null = null,
  ): void {
    const { sandbox, inputsFolder, without } = this.#place;
    if (sandbox === null) throw new Error('bubblewrap is not installed');
    this.#files.writeArgs(
      argumentsFile(bwrapArguments(run, sandbox, work, inputsFolder, jobSocket, without)),
    );
  }

  #stop(cause: EndReason, graceMs: number): void {
    const running = this.#running;
    if (running === null) return;
    running.cause ??= cause;
    const killAt = this.#clock.monotonicMs() + graceMs;
    if (!this.#loop.isKillable) return;
    if (running.killAt === null || killAt < running.killAt) running.killAt = killAt;
    if (graceMs === 0) this.#killLoop(running);
    else this.#loop.terminateJob(running.run.profile === 'bare');
  }

  /** What its start used is nobody's run. */
  async #replaceLoop(): Promise<void> {
    await this.#loop.replace();
    this.#usage.settle();
  }

  /** Once: the loop that comes after it belongs to the next attempt. */
  #killLoop(running: Running): void {
    running.killAt = null;
    this.#loop.kill();
  }

  /** A second run in the sandbox, as the job's own account, with the folder read-only and nothing of the job alive. */
  async #collect(run: RunMessage, outputs: NonNullable<RunMessage['outputs']>): Promise<'whole' | EndReason> {
    const how = run.profile === 'bare' ? 'collect-bare' : 'collect';
    const argv = collectCommand(outputs.patterns);
    const command = {
      argv,
      env: noEnv,
      fileSet: run.set,
      fileSizeBytes: outputs.maxBytes + 1_048_576,
      nofile: 256,
    };
    if (how === 'collect') {
      const work = { is: 'folder', path: this.#place.loop.workFolder } as const;
      this.#writeArgs({ env: [], inputs: [], network: false, limits: run.limits }, work);
    }
    if (this.#running !== null) {
      this.#running.isCollecting = true;
      this.#running.killAt = this.#clock.monotonicMs() + collectMs;
    }
    const code = await this.#loop.run({ ...command, how });
    await this.#loop.waitUntilDead(run.profile === 'bare');
    if (this.#loop.isGone) await this.#replaceLoop();
    if (code === 0) return 'whole';
    // Stopped from outside: its outputs had no part in that.
    if (this.#running?.cause) return this.#running.cause;
    return code === null || exitOrSignal(code).signal === 'SIGXFSZ' ? 'output_limit' : 'sandbox';
  }

  /** With the files of the run that comes next: those of others may not have been read yet. */
  async #clearFolder(profile: RunMessage['profile'], fileSet: number): Promise<void> {
    this.#files.begin(fileSet);
    // A job may have closed it to its own account, which is the next one's too.
    chmodSync(this.#place.loop.workFolder, 0o755);
    const command = { env: noEnv, fileSet, fileSizeBytes: 1_048_576, nofile: 256, argv: clearCommand };
    if (profile !== 'bare')
      this.#writeArgs(
        { env: [], inputs: [], network: false, limits: clearLimits },
        { is: 'folder', path: this.#place.loop.workFolder },
      );
    const code = await this.#loop.run({ ...command, how: profile === 'bare' ? 'bare' : 'sandbox' });
    if (code !== 0)
      throw new Error(`the work folder could not be emptied: ${this.#files.errorStart(fileSet)}`);
    this.#folderWritten = null;
  }

  /** `du` follows no links; it looks at names and sizes only. */
  #measureFolder(running: Running): void {
    execFile('/usr/bin/du', ['-sxB1', this.#place.loop.workFolder], { env: {} }, (_error, text) => {
      const bytes = Number.parseInt(text, 10);
      if (this.#running === running && !running.isCollecting && bytes > running.run.limits.diskBytes)
        this.#stop('disk_limit', 0);
    });
  }
}

const noEnv: ReadonlyMap<string, string> = new Map();
const collectMs = 120_000;
const clearLimits = { diskBytes: 1_048_576 } as RunMessage['limits'];

function isEmptyFolder(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch {
    // A job closed it.
    return false;
  }
}
