import type { Clock } from './clock.ts';

const GATHER_MS = 50;

/**
 * Ends that come while more work waits here leave together: several share one fdatasync, one message and one commit of
 * the server. Nobody waits for that who has nothing else to do.
 *
 * @returns what each end waits for before it is made durable.
 */
export function gatherEnds(
  clock: Clock,
  signal: AbortSignal,
  isWorkWaiting: () => boolean,
): () => Promise<void> {
  let gathering: Promise<void> | undefined;
  return () => {
    if (!gathering && isWorkWaiting())
      gathering = clock.wait(GATHER_MS, signal).finally(() => (gathering = undefined));
    return gathering ?? Promise.resolve();
  };
}
