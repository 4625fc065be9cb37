import { Worker } from 'node:worker_threads';
import './solve-linear.ts';

// The thread loads this very file, so that a bundle needs no second one: solve-linear answers when it is in a thread.

/** Thousandths of a GFLOPS, best of three, in a thread of its own so that the agent stays awake. 0: measured nothing. */
export async function measureSpeed(signal: AbortSignal): Promise<number> {
  const worker = new Worker(new URL(import.meta.url), {
    env: {},
    stdout: true,
    stderr: true,
  });
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<number>((resolve) => {
      worker.once('message', (value: unknown) => resolve(typeof value === 'number' ? value : 0));
      worker.once('error', () => resolve(0));
      worker.once('exit', () => resolve(0));
    });
  } finally {
    signal.removeEventListener('abort', stop);
    await worker.terminate();
  }
}
