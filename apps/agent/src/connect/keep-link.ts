import type { TLSSocket } from 'node:tls';
import type { FromServer } from '@writ/contract';
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
}

export function keepLink(keeping: LinkKeeping): LinkKeeper {
  let link: Link | undefined;
  let welcomedAt = Number.POSITIVE_INFINITY;

  const hold = (socket: TLSSocket): Link => {
    welcomedAt = Number.POSITIVE_INFINITY;
    const opened: Link = keeping.open(socket, (message) => {
      if (message.is === 'welcome') welcomedAt = keeping.clock.monotonic();
      keeping.onMessage(opened, message);
    });
    link = opened;
    keeping.onOpen(opened);
    return opened;
  };
  const untilOver = async (opened: Link): Promise<void> => {
    const reason = await opened.over;
    if (link === opened) link = undefined;
    keeping.onOver(reason);
  };

  return {
    get link() {
      return link;
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
