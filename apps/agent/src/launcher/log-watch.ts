import { fstatSync } from 'node:fs';

export interface LogLimits {
  readonly logBytes: number;
  readonly logBytesPerSecond: number;
}

const windowMs = 5000;

/** Size and rate of what an attempt writes to its two files. Nothing is throttled: over the limit ends the attempt. */
export class LogWatch {
  readonly #files: { readonly out: number; readonly err: number };
  readonly #limits: LogLimits;
  #seen: Array<{ readonly at: number; readonly bytes: number }>;

  constructor(files: { readonly out: number; readonly err: number }, limits: LogLimits, now: number) {
    this.#files = files;
    this.#limits = limits;
    this.#seen = [{ at: now, bytes: 0 }];
  }

  sizes(): { readonly out: number; readonly err: number } {
    return { out: fstatSync(this.#files.out).size, err: fstatSync(this.#files.err).size };
  }

  isOver(now: number): boolean {
    const { out, err } = this.sizes();
    const bytes = out + err;
    if (bytes > this.#limits.logBytes) return true;
    const newest = this.#seen.at(-1);
    if (newest === undefined || now - newest.at >= 500) this.#seen.push({ at: now, bytes });
    while (this.#seen.length > 2 && now - (this.#seen[1]?.at ?? now) >= windowMs) this.#seen.shift();
    const oldest = this.#seen[0];
    if (oldest === undefined || now - oldest.at < windowMs) return false;
    return ((bytes - oldest.bytes) * 1000) / (now - oldest.at) > this.#limits.logBytesPerSecond;
  }
}
