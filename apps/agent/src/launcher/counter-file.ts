import { closeSync, openSync, readSync, writeSync } from 'node:fs';

const room = Buffer.alloc(4096);

/** A kernel file that is read again and again; opened once, because opening costs more than reading. */
export class CounterFile {
  readonly #descriptor: number;

  constructor(path: string, flags: 'r' | 'r+' = 'r') {
    this.#descriptor = openSync(path, flags);
  }

  text(): string {
    return room.toString('latin1', 0, readSync(this.#descriptor, room, 0, room.length, 0));
  }

  number(): number {
    return Number(this.text());
  }

  /** The number behind a name at the start of a line, 0 when there is none. */
  named(name: string): number {
    const text = this.text();
    const at = text.startsWith(`${name} `) ? 0 : text.indexOf(`\n${name} `) + 1;
    if (at === 0 && !text.startsWith(`${name} `)) return 0;
    return Number.parseInt(text.slice(at + name.length + 1), 10);
  }

  write(text: string): void {
    writeSync(this.#descriptor, text, 0);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
