import type { Profile } from './owner-file.ts';

// What passes between agent and launcher: one JSON value a line. The launcher checks each line of the agent's by hand.

export interface RunMessage {
  readonly do: 'run';
  readonly id: number;
  readonly slot: number;
  /** Which of the slot's sets of files log and outputs go to. */
  readonly set: number;
  readonly profile: Profile;
  readonly argv: readonly string[];
  readonly env: ReadonlyArray<readonly [string, string]>;
  readonly inputs: ReadonlyArray<readonly [path: string, digestHex: string, executable: boolean]>;
  readonly limits: RunLimits;
  readonly network: boolean;
  readonly outputs: { readonly patterns: readonly string[]; readonly maxBytes: number } | null;
}

export interface RunLimits {
  readonly wallMs: number;
  readonly memoryBytes: number;
  readonly pids: number;
  readonly cpuMs: number | null;
  readonly cpuPercent: number | null;
  readonly diskBytes: number;
  readonly nofile: number;
  readonly logBytes: number;
  readonly logBytesPerSecond: number;
  readonly graceMs: number;
}

export interface CancelMessage {
  readonly do: 'cancel';
  readonly id: number;
  readonly how: 'terminate' | 'kill';
}

export type ToLauncher = RunMessage | CancelMessage | { readonly do: 'close' };

export interface Wall {
  readonly name: string;
  readonly is: 'denied' | 'open';
}

export interface Offer {
  readonly profile: Profile;
  readonly measured: boolean;
  readonly walls: readonly Wall[];
  readonly down: readonly string[];
  readonly memory: 'cgroup' | 'sampled' | 'none';
  readonly pids: 'cgroup' | 'rlimit' | 'none';
  readonly cpu: 'cgroup' | 'sampled' | 'none';
  readonly disk: 'mount' | 'sampled' | 'none';
  readonly accountPerSlot: boolean;
  readonly network: 'asked' | 'never';
}

export type EndReason =
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

export interface RunEnd {
  readonly reason: EndReason;
  readonly code: number | null;
  readonly signal: string | null;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly cpuMs: number;
  readonly memoryPeakBytes: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly hasOutputs: boolean;
}

/** Of a run that is over in a moment only `ended` is said. `running` tells for how many milliseconds it has run. */
export type FromLauncher =
  | readonly [
      'ready',
      {
        readonly format: 1;
        readonly slots: number;
        readonly runsPerSlot: number;
        readonly offers: readonly Offer[];
      },
    ]
  | readonly ['running', id: number, forMs: number]
  | readonly ['refused', id: number, why: string]
  | readonly ['ended', id: number, end: RunEnd];

export const runsPerSlot = 4;
/** Longest line that the launcher reads: an order is at most 256 KiB. */
export const longestLine = 1_048_576;
