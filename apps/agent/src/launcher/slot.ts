import { execFile } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { argumentsFile, bwrapArguments, jobEnv } from './bwrap-arguments.ts';
import type { BwrapOption, SandboxPlaces, WorkPlace } from './bwrap-arguments.ts';
import type { Cgroup, CgroupCounts } from './cgroup.ts';
import { clearCommand, collectCommand, placeInputsCommand } from './job-commands.ts';
import { LogWatch } from './log-watch.ts';
import { runsPerSlot } from './messages.ts';
import type { EndReason, FromLauncher, RunEnd, RunMessage } from './messages.ts';
import { descendantsOf, hasLivingChild, inGroupOf, isAlive } from './process-tree.ts';
import type { JobSocket } from './job-socket.ts';
import { blobName, giveBackInputs, takeInputs } from './take-inputs.ts';
import { SlotLoop } from './slot-loop.ts';
import type { LoopPlace } from './slot-loop.ts';
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
  readonly cpuBefore: number;
  cause: EndReason | null;
  isCollecting: boolean;
  killAt: number | null;
  isTold: boolean;
  sampledBytes: number;
  sampledCpuMs: number;
}

/** Runs what the agent asks for, one after another, and says of each how it ended. */
export class Slot {
  readonly #place: SlotPlace;
  readonly #clock: Clock;
  readonly #tell: (message: FromLauncher) => void;
  readonly #queue: RunMessage[] = [];
  readonly #files: ReadonlyArray<{ readonly out: number; readonly err: number }>;
  /** As they were laid out. */
  readonly #fileMode: number;
  readonly #argsFile: number;
  readonly #statusFile: number;
  #loop: SlotLoop;
  /** Between two loops there is nothing to kill; what comes next looks why it was stopped. */
  #isReplacing = false;
  #basePopulation = 0;
  #shell = 0;
  /** Counters at the end of the run before: nothing moves them between two runs but what the launcher does itself. */
  #counted: CgroupCounts | null = null;
  #countedCpuMs = 0;
  #running: Running | null = null;
  /** The run whose folder is being made, and whether it was cancelled meanwhile. */
  #preparing: number | null = null;
  #isPreparingInVain = false;
  #lastArgs = '';
  #folderWritten: RunMessage['profile'] | null = null;
  #isClosed = false;
  #drained: Promise<void> = Promise.resolve();
  #isDraining = false;

  constructor(place: SlotPlace, clock: Clock, tell: (message: FromLauncher) => void) {
    this.#place = place;
    this.#clock = clock;
    this.#tell = tell;
    const { filesFolder, runFolder } = place.loop;
    this.#files = Array.from({ length: runsPerSlot }, (_, set) => ({
      out: openSync(`${filesFolder}/out${set}`, 'r+'),
      err: openSync(`${filesFolder}/err${set}`, 'r+'),
    }));
    this.#fileMode = fstatSync(this.#files[0]?.out ?? -1).mode & 0o777;
    this.#argsFile = openSync(`${runFolder}/args`, 'r+');
    this.#statusFile = openSync(`${runFolder}/status`, 'r+');
    // A launcher before this one may have left there what was another's.
    if (place.workMount === null && !isEmptyFolder(place.loop.workFolder))
      this.#folderWritten = place.sandbox === null ? 'bare' : 'user';
    this.#loop = new SlotLoop(place.loop);
  }

  async open(): Promise<void> {
    if (!(await this.#loop.ready)) throw new Error('the loop did not start');
    this.#basePopulation = this.#place.cgroup?.processes().length ?? 0;
    this.#counted = this.#place.cgroup?.count() ?? null;
    this.#countedCpuMs = this.#place.cgroup?.cpuMs() ?? 0;
    this.#shell = this.#place.ownPidNamespace ? (descendantsOf(this.#loop.pid)[0]?.pid ?? 0) : this.#loop.pid;
  }

  /** Names of the namespaces that a sandbox of this slot is made from. */
  namespaces(): readonly string[] {
    return ['user', 'mnt', 'pid', 'ipc', 'net', 'uts', 'cgroup'].map((name) =>
      readlinkSync(`/proc/${this.#shell}/ns/${name}`),
    );
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
    if (running.killAt !== null && now >= running.killAt && !this.#isReplacing) this.#killLoop(running);
    if (running.cause !== null || running.isCollecting) return;
    if (now >= running.deadline) this.#stop('time_limit', limits.graceMs);
    else if (running.log.isOver(now)) this.#stop('log_limit', 0);
    else if (this.#place.cgroup !== null) {
      if (limits.cpuMs !== null && this.#place.cgroup.cpuMs() - running.cpuBefore > limits.cpuMs)
        this.#stop('cpu_limit', 0);
    } else if (turn % 5 === 0) this.#sample(running);
    if (turn % 20 === 0 && this.#place.workMount === null && this.#folderWritten !== null)
      this.#measureFolder(running);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#queue.length = 0;
    this.#loop.kill();
    await this.#drained;
    this.#loop.kill();
    await this.#loop.gone;
    for (let n = 0; n < 5000 && isAlive(this.#shell); n++) await this.#clock.sleep(1);
    for (let n = 0; n < 2000 && this.#place.cgroup?.holdsMoreThan(0) === true; n++)
      await this.#clock.sleep(1);
    await this.#place.workMount?.remove();
    this.#place.jobSocket.remove();
    for (const { out, err } of this.#files) [out, err].forEach((file) => closeSync(file));
    closeSync(this.#argsFile);
    closeSync(this.#statusFile);
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
        this.#reopenFiles(run.set);
        const nowMs = this.#clock.epochMs();
        const why = `writ: the sandbox could not be made: ${(error as Error).message}\n`;
        const stderrBytes = this.#writeError(run.set, why);
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
    const { cgroup, workMount } = this.#place;
    const { limits } = run;
    // The run before may have been killed after its own end: that is nothing of this one's.
    if (this.#loop.isGone) await this.#replaceLoop();
    if (workMount !== null && !workMount.isReadyFor(limits.diskBytes, limits.memoryBytes))
      await workMount.make(limits.diskBytes, limits.memoryBytes);
    if (workMount === null && this.#folderWritten !== null)
      await this.#clearFolder(this.#folderWritten, run.set);
    this.#preparing = null;
    if (this.#isPreparingInVain) return this.#tellNothingRan(run.id);
    takeInputs(run.inputs, this.#place.cacheFolder, this.#place.inputsFolder);
    cgroup?.limit({
      memoryBytes: limits.memoryBytes,
      pids: limits.pids + this.#overhead(run),
      cpuPercent: limits.cpuPercent,
    });
    cgroup?.forgetPeak();
    const before = this.#counted;
    const now = this.#clock.monotonicMs();
    const files = this.#files[run.set];
    if (files === undefined) throw new Error('no such set of files');
    this.#reopenFiles(run.set);
    // Whoever reads them before the job has begun must not find what the job before wrote.
    for (const file of [files.out, files.err, this.#statusFile]) ftruncateSync(file, 0);
    const running: Running = (this.#running = {
      run,
      startedMs: this.#clock.epochMs(),
      startedAt: now,
      deadline: now + limits.wallMs,
      log: new LogWatch(files, limits, now),
      cpuBefore: this.#countedCpuMs,
      cause: null,
      isCollecting: false,
      killAt: null,
      isTold: false,
      sampledBytes: 0,
      sampledCpuMs: 0,
    });
    const shellCode = await this.#execute(running);
    const after = cgroup?.count() ?? null;
    await this.#waitUntilDead(run);
    this.#reopenFiles(run.set);
    const cpuNow = cgroup?.cpuMs() ?? 0;
    const cpuMs = cgroup === null ? running.sampledCpuMs : cpuNow - running.cpuBefore;
    const memoryPeakBytes = after?.memoryPeakBytes ?? running.sampledBytes;
    this.#counted = after;
    this.#countedCpuMs = cpuNow;
    const log = running.log.sizes();
    let end = this.#judge(running, shellCode, log.out + log.err, before, after);
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
        cpuMs: Math.round(cpuMs),
        memoryPeakBytes,
        stdoutBytes: log.out,
        stderrBytes: log.err,
        hasOutputs,
      },
    ]);
  }

  /** Without accounts for slots a job owns the files that it writes to: what it forbids there holds for the next one too. */
  #reopenFiles(set: number): void {
    const files = this.#files[set];
    if (files !== undefined) for (const file of [files.out, files.err]) fchmodSync(file, this.#fileMode);
  }

  #tellNothingRan(id: number): void {
    const nowMs = this.#clock.epochMs();
    this.#tell(['ended', id, { ...nothingRan, reason: 'cancelled', startedMs: nowMs, endedMs: nowMs }]);
  }

  /** Processes that stand around the job and count: the loop and what holds it, and bwrap's two. */
  #overhead(run: RunMessage): number {
    return this.#basePopulation + (run.profile === 'bare' ? 0 : 2);
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
    const text = argumentsFile(bwrapArguments(run, sandbox, work, inputsFolder, jobSocket, without));
    if (text === this.#lastArgs) return;
    const bytes = Buffer.from(text);
    ftruncateSync(this.#argsFile, 0);
    writeSync(this.#argsFile, bytes, 0, bytes.length, 0);
    this.#lastArgs = text;
  }

  #stop(cause: EndReason, graceMs: number): void {
    const running = this.#running;
    if (running === null) return;
    running.cause ??= cause;
    const killAt = this.#clock.monotonicMs() + graceMs;
    if (this.#loop.isGone || this.#isReplacing) return;
    if (running.killAt === null || killAt < running.killAt) running.killAt = killAt;
    if (graceMs === 0) this.#killLoop(running);
    else this.#terminate(running.run);
  }

  /** Once: the loop that comes after it belongs to the next attempt. */
  #killLoop(running: Running): void {
    running.killAt = null;
    this.#loop.kill();
  }

  /** SIGTERM to the job itself: to bwrap it would end the sandbox at once. */
  #terminate(run: RunMessage): void {
    const below = descendantsOf(this.#loop.pid);
    const depth = (this.#place.ownPidNamespace ? 1 : 0) + (run.profile === 'bare' ? 0 : 2);
    let level = new Set([this.#loop.pid]);
    for (let n = 0; n < depth; n++)
      level = new Set(below.filter((each) => level.has(each.parent)).map((each) => each.pid));
    for (const { pid, parent } of below) if (level.has(parent)) signal(pid, 'SIGTERM');
  }

  async #waitUntilDead(run: RunMessage): Promise<void> {
    const { cgroup } = this.#place;
    if (cgroup !== null) {
      if (!cgroup.holdsMoreThan(this.#basePopulation) && !this.#loop.isGone) return;
      // The namespace of a sandbox needs a moment to fall; what a bare job left behind does not go by itself.
      for (let n = 0; n < 50 && run.profile !== 'bare' && cgroup.holdsMoreThan(this.#basePopulation); n++)
        await this.#clock.sleep(1);
      if (!cgroup.holdsMoreThan(this.#basePopulation) && !this.#loop.isGone) return;
      this.#loop.kill();
    } else if (this.#place.ownPidNamespace) {
      for (let n = 0; n < 50 && run.profile !== 'bare' && hasLivingChild(this.#shell); n++)
        await this.#clock.sleep(1);
      if (!hasLivingChild(this.#shell) && !this.#loop.isGone) return;
      this.#loop.kill();
    } else if (run.profile === 'bare') {
      if (inGroupOf(this.#loop.pid).length <= 1 && !this.#loop.isGone) return;
      this.#loop.kill();
    } else {
      const first = Number(/"child-pid": (\d+)/.exec(this.#status())?.[1] ?? 0);
      for (let n = 0; n < 5000 && first > 0 && isAlive(first); n++) await this.#clock.sleep(1);
      if (!this.#loop.isGone) return;
    }
    await this.#replaceLoop();
  }

  async #replaceLoop(): Promise<void> {
    this.#isReplacing = true;
    try {
      this.#loop.kill();
      await this.#loop.gone;
      for (let n = 0; n < 5000 && isAlive(this.#shell); n++) await this.#clock.sleep(1);
      for (let n = 0; n < 5000 && this.#place.cgroup?.holdsMoreThan(0) === true; n++)
        await this.#clock.sleep(1);
      if (!this.#isClosed) await this.#startLoop();
    } finally {
      this.#isReplacing = false;
    }
  }

  async #startLoop(): Promise<void> {
    this.#loop = new SlotLoop(this.#place.loop);
    await this.open();
  }

  #judge(
    running: Running,
    shellCode: number | null,
    logBytes: number,
    before: CgroupCounts | null,
    after: CgroupCounts | null,
  ): RunEnd {
    const { run } = running;
    const isBare = run.profile === 'bare';
    const status = isBare ? '' : this.#status();
    const ran = isBare || status.includes('"exit-code"');
    const code = shellCode !== null && ran ? shellCode : null;
    const byShell = exitOrSignal(code ?? shellCode);
    const end = (reason: EndReason): RunEnd => ({ ...nothingRan, ...byShell, reason });
    if (running.cause !== null) return end(running.cause);
    if (logBytes > run.limits.logBytes) return end('log_limit');
    // A job that lost a process to a limit may end with 0 all the same: the kernel's counters tell, not its exit code.
    if (after !== null && before !== null) {
      if (after.oomKills > before.oomKills) return end('memory_limit');
      if (after.pidRefusals > before.pidRefusals) return end('pid_limit');
    }
    if (shellCode !== 0 && (this.#place.workMount?.isFull() === true || byShell.signal === 'SIGXFSZ'))
      return end('disk_limit');
    if (!ran && shellCode !== null) {
      const missing = /^bwrap: execvp .*: (No such file|Permission denied)?/.exec(this.#errorStart(run.set));
      if (missing === null) return end('sandbox');
      return { ...nothingRan, code: missing[1] === 'Permission denied' ? 126 : 127, reason: 'exit' };
    }
    return end(byShell.signal === null ? 'exit' : 'signal');
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
    await this.#waitUntilDead(run);
    if (code === 0) return 'whole';
    // Stopped from outside: its outputs had no part in that.
    if (this.#running?.cause) return this.#running.cause;
    return code === null || exitOrSignal(code).signal === 'SIGXFSZ' ? 'output_limit' : 'sandbox';
  }

  /** With the files of the run that comes next: those of others may not have been read yet. */
  async #clearFolder(profile: RunMessage['profile'], fileSet: number): Promise<void> {
    for (const file of Object.values(this.#files[fileSet] ?? {})) ftruncateSync(file, 0);
    // A job may have closed it to its own account, which is the next one's too.
    chmodSync(this.#place.loop.workFolder, 0o755);
    const command = { env: noEnv, fileSet, fileSizeBytes: 1_048_576, nofile: 256, argv: clearCommand };
    if (profile !== 'bare')
      this.#writeArgs(
        { env: [], inputs: [], network: false, limits: clearLimits },
        { is: 'folder', path: this.#place.loop.workFolder },
      );
    const code = await this.#loop.run({ ...command, how: profile === 'bare' ? 'bare' : 'sandbox' });
    if (code !== 0) throw new Error(`the work folder could not be emptied: ${this.#errorStart(fileSet)}`);
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

  #sample(running: Running): void {
    const below = descendantsOf(this.#loop.pid);
    const bytes = below.reduce((sum, each) => sum + each.residentBytes, 0);
    running.sampledBytes = Math.max(running.sampledBytes, bytes);
    running.sampledCpuMs = Math.max(
      running.sampledCpuMs,
      below.reduce((sum, each) => sum + each.cpuMs, 0),
    );
    const { limits } = running.run;
    if (bytes > limits.memoryBytes) this.#stop('memory_limit', 0);
    else if (limits.cpuMs !== null && running.sampledCpuMs > limits.cpuMs) this.#stop('cpu_limit', 0);
  }

  #status(): string {
    return statusRoom.toString('latin1', 0, readSync(this.#statusFile, statusRoom, 0, statusRoom.length, 0));
  }

  #errorStart(set: number): string {
    const file = this.#files[set]?.err ?? -1;
    return statusRoom.toString('latin1', 0, readSync(file, statusRoom, 0, statusRoom.length, 0));
  }

  /** @returns how many bytes. */
  #writeError(set: number, text: string): number {
    const file = openSync(`${this.#place.loop.filesFolder}/err${set}`, 'w');
    const written = writeSync(file, text);
    closeSync(file);
    return written;
  }
}

const noEnv: ReadonlyMap<string, string> = new Map();
const statusRoom = Buffer.alloc(1024);
const collectMs = 120_000;
const clearLimits = { diskBytes: 1_048_576 } as RunMessage['limits'];
const nothingRan: RunEnd = {
  reason: 'exit',
  code: null,
  signal: null,
  startedMs: 0,
  endedMs: 0,
  cpuMs: 0,
  memoryPeakBytes: 0,
  stdoutBytes: 0,
  stderrBytes: 0,
  hasOutputs: false,
};

const signalNames = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number as number, name]),
);

/** A shell says 128 + n for signal n. */
function exitOrSignal(code: number | null): { code: number | null; signal: string | null } {
  if (code === null) return { code: null, signal: 'SIGKILL' };
  if (code > 128 && code <= 192)
    return { code: null, signal: signalNames.get(code - 128) ?? `SIG${code - 128}` };
  return { code, signal: null };
}

function isEmptyFolder(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch {
    // A job closed it.
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself.
  }
}
