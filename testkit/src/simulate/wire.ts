import type { Program, Timeline } from './virtual-time.ts';

export type Direction = 'to server' | 'to agent';

/** The weather between one host and the server. */
export interface Path {
  /** Nothing passes in this direction before that moment; what was sent waits in the kernels and is repeated. */
  blockedUntil: Record<Direction, number>;
  /** Milliseconds that a message takes, at least and at most. */
  slowness: readonly [number, number];
}

export const clearPath = (): Path => ({
  blockedUntil: { 'to server': 0, 'to agent': 0 },
  slowness: [0.1, 3],
});

/** A stream between two programs: in order, and whole until it is cut. */
export interface Wire {
  readonly isOver: boolean;
  send(direction: Direction, lines: readonly string[]): void;
  /** A request beside the stream: it overtakes and is overtaken. */
  pass(direction: Direction, what: () => void): void;
  /** Both ends see the end, each in its own time; what is under way is lost, or arrives first. */
  close(by: 'agent' | 'server' | 'both'): void;
  /** Neither end hears of it: a machine lost its power, or something between forgot the connection. */
  vanish(): void;
}

export interface WireEnd {
  readonly program: Program;
  onLines(lines: readonly string[]): void;
  onOver(): void;
}

/** For the recorder: what was sent, and what has arrived. */
export type OnMessage = (at: 'sent' | 'arrived', direction: Direction, line: string) => void;

export function openWire(given: {
  readonly timeline: Timeline;
  readonly path: Path;
  readonly agent: () => WireEnd;
  readonly server: () => WireEnd;
  readonly onMessage: OnMessage;
}): Wire {
  const { timeline, path } = given;
  const { dice } = timeline;
  const last: Record<Direction, number> = { 'to server': 0, 'to agent': 0 };
  let isOver = false;
  let hasVanished = false;

  const arrival = (direction: Direction): number =>
    Math.max(timeline.now, path.blockedUntil[direction]) + dice.between(...path.slowness);
  const endOf = (direction: Direction): WireEnd =>
    direction === 'to server' ? given.server() : given.agent();

  const cutAt: Record<Direction, number> = {
    'to server': Number.POSITIVE_INFINITY,
    'to agent': Number.POSITIVE_INFINITY,
  };

  const close: Wire['close'] = (by) => {
    if (isOver) return;
    isOver = true;
    if (hasVanished) return;
    for (const direction of ['to server', 'to agent'] as const) {
      if (`to ${by}` === direction) continue;
      // What was sent before may still arrive; often it does not.
      const at = dice.chance(0.5) ? Math.max(last[direction], arrival(direction)) : arrival(direction);
      const end = endOf(direction);
      timeline.after(at - timeline.now, end.program, () => {
        cutAt[direction] = 0;
        end.onOver();
      });
    }
  };
  return {
    get isOver() {
      return isOver;
    },
    send(direction, lines) {
      if (isOver) return;
      for (const line of lines) given.onMessage('sent', direction, line);
      if (hasVanished) return;
      const at = Math.max(last[direction], arrival(direction));
      last[direction] = at;
      const end = endOf(direction);
      timeline.after(at - timeline.now, end.program, () => {
        if (hasVanished || cutAt[direction] === 0) return;
        for (const line of lines) given.onMessage('arrived', direction, line);
        end.onLines(lines);
      });
    },
    pass(direction, what) {
      if (isOver || hasVanished) return;
      const end = endOf(direction);
      timeline.after(arrival(direction) - timeline.now, end.program, () => {
        if (!hasVanished && cutAt[direction] !== 0) what();
      });
    },
    close,
    vanish() {
      hasVanished = true;
    },
  };
}
