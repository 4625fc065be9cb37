import type { TLSSocket } from 'node:tls';
import type { FromServer } from '@writ/contract';
import { AgentError } from '../agent-error.ts';
import type { Clock } from '../clock.ts';
import { reasonOf } from '../log.ts';
import type { Log } from '../log.ts';
import type { Link } from './link.ts';

/** Waits between tries: the first is quick, then longer and longer, each at a random part so that many agents do not come at once. */
export function backOff(failures: number, random: () => number): number {
  if (failures <= 1) return random() * 100;
  return (0.5 + random() / 2) * Math.min(5_000, 200 * 2 ** (failures - 2));
}

const GOOD_LINK_MS = 250;

export interface LinkKeeping {
  /** One try to connect to one of the owner's addresses; rejects when it fails. */
  dial(signal: AbortSignal): Promise<TLSSocket>;
  /** Takes a judged connection. What `onMessage` throws ends the link. */
  open(socket: TLSSocket, onMessage: (message: FromServer) => void): Link;
  onOpen(link: Link): void;
  onMessage(link: Link, message: FromServer): void;
  onOver(reason: Error | undefined): void;
  /** The server says something several times in so many milliseconds; when it does not, the link is made anew. */
  readonly silenceMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

export interface LinkKeeper {
  /** Dials until the signal fires; one link at a time. Resolves when it has ended. */
  dialAlways(signal: AbortSignal): Promise<void>;
  /** A server dialed: the same code from here on. A second link while one is open is refused. */
  take(socket: TLSSocket): void;
  readonly link: Link | undefined;
  /** Resolves when there is one. */
  readonly linked: Promise<void>;
}

export function keepLink(keeping: LinkKeeping): LinkKeeper {
  let link: Link | undefined;
  let linked = Promise.withResolvers<void>();
  let welcomedAt = Number.POSITIVE_INFINITY;
  let heardAt = 0;

  const hold = (socket: TLSSocket): Link => {
    welcomedAt = Number.POSITIVE_INFINITY;
    heardAt = keeping.clock.monotonic();
    const opened: Link = keeping.open(socket, (message) => {
      heardAt = keeping.clock.monotonic();
      if (message.is === 'welcome') welcomedAt = keeping.clock.monotonic();
      keeping.onMessage(opened, message);
    });
    link = opened;
    keeping.onOpen(opened);
    linked.resolve();
    return opened;
  };
  const untilOver = async (opened: Link): Promise<void> => {
    const over = new AbortController();
    const watching = watchSilence(opened, over.signal);
    const reason = await opened.over;
    over.abort();
    await watching;
    if (link === opened) {
      link = undefined;
      linked = Promise.withResolvers();
    }
    keeping.onOver(reason);
  };

  /** A connection that something between has forgotten looks like one on which nobody speaks: no end of it is ever told. */
  const watchSilence = async (opened: Link, over: AbortSignal): Promise<void> => {
    while (!over.aborted) {
      await keeping.clock.wait(keeping.silenceMs / 4, over);
      if (over.aborted || keeping.clock.monotonic() - heardAt <= keeping.silenceMs) continue;
      opened.close(
        new AgentError(
          'link.closed',
          `Nothing was heard from the server for ${keeping.silenceMs / 1000} seconds.`,
        ),
      );
    }
  };

  return {
    get link() {
      return link;
    },
    get linked() {
      return linked.promise;
    },
    take(socket) {
      if (link) socket.destroy();
      else void untilOver(hold(socket));
    },
    async dialAlways(signal) {
      let failures = 0;
      const stop = (): void => link?.close();
      signal.addEventListener('abort', stop, { once: true });
      while (!signal.aborted) {
        if (link) {
          await link.over;
          continue;
        }
        welcomedAt = Number.POSITIVE_INFINITY;
        try {
          const socket = await keeping.dial(signal);
          if (link) socket.destroy();
          else await untilOver(hold(socket));
        } catch (error) {
          if (signal.aborted) break;
          keeping.log('link.not_made', { why: reasonOf(error) });
        }
        // A server that took this agent in and then died is back soon; one that fails while taking it in is not to be pressed.
        failures = keeping.clock.monotonic() - welcomedAt > GOOD_LINK_MS ? 1 : failures + 1;
        await keeping.clock.wait(backOff(failures, keeping.random), signal);
      }
      signal.removeEventListener('abort', stop);
    },
  };
}
