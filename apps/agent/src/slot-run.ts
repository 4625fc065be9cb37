import type { SlotRun } from './isolate/isolation.ts';
import type { LeasedJob } from './leased-job.ts';
import { variablesOf } from './variables.ts';

const OPEN_FILES = 1024;

/** Only what was verified, and what this machine adds by its own rules. */
export function slotRunOf({ task, verified, inputs }: LeasedJob, slot: number): SlotRun {
  const { order, variant, profile } = verified;
  const { command } = variant.variant;
  const { limits, outputs } = order;
  return {
    slot,
    profile,
    argv: command.argv,
    env: variablesOf(order, command, task.index, task.attempt),
    inputs: inputs.map((file) => ({
      path: file.path,
      digestHex: file.digest.slice('sha256:'.length),
      executable: file.mode === 'executable',
    })),
    limits: {
      wallMs: limits.timeSeconds * 1000,
      memoryBytes: limits.memoryBytes,
      pids: limits.pids,
      cpuMs: limits.cpuSeconds === null ? null : limits.cpuSeconds * 1000,
      cpuPercent: limits.cpus === null ? null : limits.cpus * 100,
      diskBytes: limits.diskBytes,
      nofile: OPEN_FILES,
      logBytes: limits.logBytes,
      logBytesPerSecond: limits.logRate ?? limits.logBytes,
      graceMs: limits.cancelGraceSeconds * 1000,
    },
    network: order.network,
    outputs:
      outputs.patterns.length === 0 ? null : { patterns: outputs.patterns, maxBytes: limits.outputBytes },
  };
}
