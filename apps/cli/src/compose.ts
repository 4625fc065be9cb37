import { setTimeout as sleep } from 'node:timers/promises';
import { readSettings } from './config/read-settings.ts';
import type { Surroundings } from './surroundings.ts';

/** The real clock, terminal, randomness and environment. @param umask what it was before this program closed it */
export function compose(umask: number): Surroundings {
  return {
    settings: readSettings(),
    cwd: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    now: () => Date.now(),
    random: (bytes) => crypto.getRandomValues(bytes),
    wait: async (milliseconds, signal) => {
      try {
        await sleep(milliseconds, undefined, signal ? { signal } : {});
      } catch (error) {
        if (signal?.aborted !== true) throw error;
      }
    },
    onInterrupt(tell) {
      process.on('SIGINT', tell);
      return { [Symbol.dispose]: () => void process.off('SIGINT', tell) };
    },
    pid: process.pid,
    umask,
  };
}
