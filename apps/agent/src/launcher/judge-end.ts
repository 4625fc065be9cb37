import { constants } from 'node:os';
import type { EndReason, RunEnd, RunMessage } from './messages.ts';

export interface RunFacts {
  /** Why the launcher stopped it, if it did. */
  readonly cause: EndReason | null;
  /** As a shell tells it; null when the loop died. */
  readonly shellCode: number | null;
  readonly logBytes: number;
  /** The limit that the kernel held it to. */
  readonly over: EndReason | null;
  /** Whether its work folder is full. */
  readonly isDiskFull: () => boolean;
  /** What bwrap said of the sandbox; null for a bare run. */
  readonly sandboxStatus: string | null;
  readonly errorStart: () => string;
}

/** How a run ended, and by whose doing, from what was seen of it. */
export function judgeEnd({ profile, limits }: RunMessage, facts: RunFacts): RunEnd {
  const { cause, shellCode } = facts;
  const ran = profile === 'bare' || facts.sandboxStatus?.includes('"exit-code"') === true;
  const byShell = exitOrSignal(shellCode);
  const end = (reason: EndReason): RunEnd => ({ ...nothingRan, ...byShell, reason });
  if (cause !== null) return end(cause);
  if (facts.logBytes > limits.logBytes) return end('log_limit');
  if (facts.over !== null) return end(facts.over);
  if (shellCode !== 0 && (facts.isDiskFull() || byShell.signal === 'SIGXFSZ')) return end('disk_limit');
  if (!ran && shellCode !== null) {
    const missing = /^bwrap: execvp .*: (No such file|Permission denied)?/.exec(facts.errorStart());
    if (missing === null) return end('sandbox');
    return { ...nothingRan, code: missing[1] === 'Permission denied' ? 126 : 127, reason: 'exit' };
  }
  return end(byShell.signal === null ? 'exit' : 'signal');
}

export const nothingRan: RunEnd = {
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
export function exitOrSignal(code: number | null): { code: number | null; signal: string | null } {
  if (code === null) return { code: null, signal: 'SIGKILL' };
  if (code > 128 && code <= 192)
    return { code: null, signal: signalNames.get(code - 128) ?? `SIG${code - 128}` };
  return { code, signal: null };
}
