import { type JobEvent, jobEventCheck } from '@writ/contract';
import { ClientError } from './client-error.ts';
import type { Client } from './connect.ts';
import { readEvents } from './read-events.ts';

/** How a job is followed. */
export interface Following {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Waits that many milliseconds, or until the signal. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Id of the last event that was seen, to go on from there. */
  readonly after?: string | undefined;
  /** Told when the connection is lost and when it is back; following goes on by itself. */
  readonly onConnection?: ((is: 'lost' | 'back') => void) | undefined;
}

/** One event and where it stands. */
export interface SeenEvent {
  /** For {@link Following.after}; undefined before the first that has one. */
  readonly id: string | undefined;
  /** What the server tells. */
  readonly event: JobEvent;
}

const longestWaitMs = 5_000;

/**
 * Follows a job to its end, through lost connections and restarts of the server: each new connection goes on after the
 * last event seen (`Last-Event-ID`). What is told here is the server's word.
 *
 * @example
 * ```ts
 * for await (const { event } of followJob(client, id, { signal, wait }))
 *   if (event.is === 'job') console.log(event.job.state);
 * ```
 */
export async function* followJob(
  client: Client,
  id: string,
  following: Following,
): AsyncGenerator<SeenEvent, void, undefined> {
  const { signal, wait, onConnection } = following;
  let { after } = following;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const body = await client.openEvents(id, after, signal);
      if (failures > 0) onConnection?.('back');
      failures = 0;
      for await (const { id: eventId, data } of readEvents(body)) {
        after = eventId ?? after;
        const event = parse(data);
        if (!jobEventCheck.is(event)) {
          throw new ClientError(
            'answer.malformed',
            'The server told of an event that this program does not know.',
          );
        }
        yield { id: after, event };
        if (event.is === 'job' && event.job.ended !== null) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) throw error;
    }
    if (failures === 0) onConnection?.('lost');
    failures += 1;
    await wait(Math.min(longestWaitMs, 100 * 2 ** Math.min(failures, 6)), signal);
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new ClientError('answer.malformed', 'The server told of an event that is not JSON.', { cause });
  }
}

const PASSING: ReadonlySet<ClientError['code']> = new Set([
  'server.unreachable',
  'server.unavailable',
  'request.rate',
] as const);

/** What a restart of the server or of its database, or a cut line looks like from here. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ClientError) {
    return PASSING.has(error.code);
  }
  // A body that breaks off: browsers and undici each have their words for it.
  const code =
    (error as { code?: unknown; cause?: { code?: unknown } } | null)?.cause?.code ??
    (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && /^(UND_ERR_|ECONN|EPIPE)/.test(code)) return true;
  return (
    error instanceof TypeError && ['terminated', 'network error', 'fetch failed'].includes(error.message)
  );
}
