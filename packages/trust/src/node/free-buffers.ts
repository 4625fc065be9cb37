import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Few enough to be small beside a program, enough that a collection for each costs nothing that could be measured. */
const EVERY_BYTES = 8 * 1024 * 1024;

type Collect = (options: { readonly type: 'minor' }) => void;

let passed = 0;
let collect: Collect | undefined;

/**
 * Is told of bytes that went through this program in buffers that nobody holds any more. V8 counts what lies outside its
 * heap, but lets 64 MiB of it gather before it looks: a file of any size would cost that much. A collection of what is
 * young, from time to time, frees it in less than a millisecond.
 */
export function freeBuffers(bytes: number): void {
  passed += bytes;
  if (passed < EVERY_BYTES) return;
  passed = 0;
  collect ??= findCollector();
  collect({ type: 'minor' });
}

/** Only a context that is made after the flag has it. */
function findCollector(): Collect {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collect;
}
