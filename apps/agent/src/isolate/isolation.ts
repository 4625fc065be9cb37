// What the agent may ask of its launcher. Nothing here starts a process: the launcher does, in another program.

/** How strictly a job is kept apart, strongest first. */
export type Profile = 'strict' | 'user' | 'bare';

/** One attempt to escape, made by the probe job when the agent started. */
export interface Wall {
  readonly name: string;
  readonly is: 'denied' | 'open';
}

/** A profile that this machine offers, and what was measured about it. */
export interface ProfileMeasured {
  readonly profile: Profile;
  /** True when every wall that the profile requires was found 'denied'. `bare` promises none, so it is always true there. */
  readonly measured: boolean;
  readonly walls: readonly Wall[];
  /** Walls that the profile requires and that were found open. */
  readonly down: readonly string[];
  /** `cgroup`: the kernel holds the limit. `sampled`: looked at every 250 ms. `none`: not held. */
  readonly memory: 'cgroup' | 'sampled' | 'none';
  readonly pids: 'cgroup' | 'rlimit' | 'none';
  readonly cpu: 'cgroup' | 'sampled' | 'none';
  readonly disk: 'mount' | 'sampled' | 'none';
  /** Whether a slot has an account of its own. */
  readonly accountPerSlot: boolean;
  readonly network: 'asked' | 'never';
}

/** Limits of one attempt. The launcher lowers none of them silently: above the owner's maximum it refuses. */
export interface SlotLimits {
  readonly wallMs: number;
  readonly memoryBytes: number;
  readonly pids: number;
  /** Processor time of all its processes together, or null for no limit but the wall clock. */
  readonly cpuMs: number | null;
  /** Hundredths of one core: 200 is two cores. Null: whatever is free. */
  readonly cpuPercent: number | null;
  readonly diskBytes: number;
  readonly nofile: number;
  /** Standard output and standard error together. */
  readonly logBytes: number;
  /** Over this rate for 5 s ends the attempt. */
  readonly logBytesPerSecond: number;
  /** Time between SIGTERM and SIGKILL. */
  readonly graceMs: number;
}

export interface SlotInput {
  /** Relative to the job's folder, checked by the launcher again. */
  readonly path: string;
  /** Lower-case hex of the SHA-256. The blob lies in the agent's cache folder as `<hex>` (0444), or `<hex>.x` (0555) when executable. */
  readonly digestHex: string;
  readonly executable: boolean;
}

export interface SlotOutputs {
  /** As `readOutputPatterns` reads them, against paths below the job's folder. */
  readonly patterns: readonly string[];
  readonly maxBytes: number;
}

export interface SlotRun {
  /** 0 … slots - 1. */
  readonly slot: number;
  readonly profile: Profile;
  readonly argv: readonly string[];
  /** Beside `PATH`, `HOME`, `LANG` and `TMPDIR`, which the launcher sets and these may replace. */
  readonly env: ReadonlyArray<readonly [name: string, value: string]>;
  readonly inputs: readonly SlotInput[];
  readonly limits: SlotLimits;
  readonly network: boolean;
  readonly outputs: SlotOutputs | null;
}

export type SlotEndReason =
  | 'exit'
  | 'signal'
  | 'time_limit'
  | 'cpu_limit'
  | 'memory_limit'
  | 'pid_limit'
  | 'disk_limit'
  | 'output_limit'
  | 'log_limit'
  | 'sandbox'
  | 'cancelled';

export interface SlotEnd {
  /** `sandbox`: the job's command never ran, standard error says why. `cancelled`: `cancel` ended it. */
  readonly reason: SlotEndReason;
  /** The exit code when `reason` is `exit`; also beside a limit when the process still ended by itself. */
  readonly code: number | null;
  /** `SIGKILL` and the like: a shell tells a signal as 128 + n, so an exit code of 129 … 192 is read as one. */
  readonly signal: string | null;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly cpuMs: number;
  readonly memoryPeakBytes: number;
  /** How long the two files are. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  /** A tar made inside the sandbox after every process was dead: hostile input, read it with `readOutputs`. */
  readonly outputsTar: string | null;
}

export interface SlotStarted {
  readonly slot: number;
  /** Which of the slot's sets of files it has, until it is released. */
  readonly set: number;
  readonly stdoutFile: string;
  readonly stderrFile: string;
  /**
   * Resolves with the milliseconds since the slot began with it, once it is seen to run for a moment or has ended.
   * Rejects with an `IsolateError` like `ended`.
   */
  readonly running: Promise<number>;
  /**
   * Resolves after every process of the attempt is dead. Rejects with `isolate.refused` when the launcher did not take
   * the run, with `isolate.lost` when it is gone.
   */
  readonly ended: Promise<SlotEnd>;
  /** Gives the files back to the slot. Call it when log and outputs were read; they are overwritten afterwards. */
  release(): void;
  /** They are not given back before that. */
  holdBack(until: Promise<void>): void;
}

export interface Isolation {
  readonly slots: number;
  /**
   * How many runs a slot takes at once: one runs, the others wait in the launcher and start without a round trip.
   * `start` for a slot with all of its files in use waits until one is released.
   */
  readonly runsPerSlot: number;
  readonly offers: readonly ProfileMeasured[];
  /** Where the agent puts blobs, as the agent sees it. */
  readonly cacheFolder: string;
  /** Resolves when the run is on its way to the launcher. */
  start(run: SlotRun): Promise<SlotStarted>;
  /** Asks, when files are free and nothing is waited for any more. Undefined: it may not, and nothing was started. */
  start(run: SlotRun, mayStart: () => boolean): Promise<SlotStarted | undefined>;
  /** Cancels the run that `started` stands for; a run that still waits ends `cancelled` without having started. */
  cancel(started: SlotStarted, how: 'terminate' | 'kill'): void;
  /** Resolves when the launcher is gone for whatever reason: then no job runs any more and the agent should end. */
  readonly lost: Promise<void>;
  /** Kills every slot, waits for the launcher to go. */
  close(): Promise<void>;
}

export type IsolateErrorCode =
  | 'isolate.refused'
  | 'isolate.lost'
  | 'isolate.closed'
  | 'isolate.protocol'
  | 'outputs.path'
  | 'outputs.pattern'
  | 'outputs.kind'
  | 'outputs.duplicate'
  | 'outputs.too_many'
  | 'outputs.too_large'
  | 'outputs.malformed';

export class IsolateError extends Error {
  readonly code: IsolateErrorCode;
  constructor(code: IsolateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'IsolateError';
    this.code = code;
  }
}
