import type { ChildProcess } from 'node:child_process';
import process from 'node:process';

/** What was started is not left behind when this program is ended by a signal. */
export function endWithUs<T extends ChildProcess>(child: T): T {
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.removeListener('exit', end));
  return child;
}
