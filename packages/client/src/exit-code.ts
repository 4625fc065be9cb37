import type { ReceiptPredicate } from '@writ/contract';

/** What `timeout` and shells say of a job that ran into its time limit. */
export const EXIT_TIME_LIMIT = 124;
/** Writ's own failure: no statement about the job. */
export const EXIT_WRIT = 125;

const SIGNALS: Record<string, number> = {
  SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGILL: 4, SIGTRAP: 5, SIGABRT: 6, SIGBUS: 7, SIGFPE: 8, SIGKILL: 9, SIGUSR1: 10,
  SIGSEGV: 11, SIGUSR2: 12, SIGPIPE: 13, SIGALRM: 14, SIGTERM: 15, SIGSTKFLT: 16, SIGCHLD: 17, SIGCONT: 18, SIGSTOP: 19,
  SIGTSTP: 20, SIGTTIN: 21, SIGTTOU: 22, SIGURG: 23, SIGXCPU: 24, SIGXFSZ: 25, SIGVTALRM: 26, SIGPROF: 27, SIGWINCH: 28,
  SIGIO: 29, SIGPWR: 30, SIGSYS: 31,
}; // prettier-ignore

/**
 * How a program that ran this job ends: the job's own exit code, 128 + n for a signal, 124 for the time limit, and 125
 * when there is no such code, or when the job's own code says success and the job failed all the same.
 */
export function exitCodeOf({
  kind,
  because,
  exit,
}: Pick<ReceiptPredicate, 'kind' | 'because' | 'exit'>): number {
  if (kind === 'refused') return EXIT_WRIT;
  if (because === 'time_limit') return EXIT_TIME_LIMIT;
  if (exit === null) return EXIT_WRIT;
  const code = 'code' in exit ? exit.code : signalCode(exit.signal);
  // A code of another system that does not fit into eight bits would end as some other one, perhaps as 0.
  if (code > 255) return EXIT_WRIT;
  return code === 0 && because !== 'exit' ? EXIT_WRIT : code;
}

function signalCode(signal: string): number {
  const number = SIGNALS[signal];
  return number === undefined ? EXIT_WRIT : 128 + number;
}
