/** Numbers that follow from a seed alone: the same seed, the same run. */
export interface Dice {
  /** From 0 up to 1. */
  next(): number;
  between(least: number, most: number): number;
  /** A whole number, both ends included. */
  whole(least: number, most: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  fill(bytes: Uint8Array): Uint8Array;
  /** A stream of its own, so that what one part draws does not move another. */
  fork(name: string): Dice;
}

export function throwDice(seed: number, name = ''): Dice {
  let state = hash(`${seed} ${name}`);
  const next = (): number => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const whole = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    whole,
    between: (least, most) => least + next() * (most - least),
    chance: (probability) => next() < probability,
    pick(list) {
      const picked = list[whole(0, list.length - 1)];
      if (picked === undefined) throw new RangeError('nothing to pick from');
      return picked;
    },
    fill(bytes) {
      for (let at = 0; at < bytes.length; at += 1) bytes[at] = Math.floor(next() * 256);
      return bytes;
    },
    fork: (child) => throwDice(seed, `${name}/${child}`),
  };
}

/** FNV-1a */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value | 0;
}
