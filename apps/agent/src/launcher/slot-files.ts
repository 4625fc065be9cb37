import { closeSync, fchmodSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { runsPerSlot } from './messages.ts';
import type { LoopPlace } from './slot-loop.ts';

export interface LogFiles {
  readonly out: number;
  readonly err: number;
}

/** The files of one slot: a set of logs for each run that may wait in it, what a sandbox is made from and what it says. */
export class SlotFiles {
  readonly #folder: string;
  readonly #logs: readonly LogFiles[];
  /** Sets that a run may have written to since they were last seen empty. */
  readonly #mayHold = new Set<number>();
  readonly #args: number;
  readonly #status: number;
  /** As they were laid out; null where they are not the job's own. */
  readonly #mode: number | null;
  #lastArgs = '';

  constructor({ filesFolder, runFolder }: LoopPlace, belongToJob: boolean) {
    this.#folder = filesFolder;
    this.#logs = Array.from({ length: runsPerSlot }, (_, set) => {
      this.#mayHold.add(set);
      return {
        out: openSync(`${filesFolder}/out${set}`, 'r+'),
        err: openSync(`${filesFolder}/err${set}`, 'r+'),
      };
    });
    this.#mode = belongToJob ? fstatSync(this.#of(0).out).mode & 0o777 : null;
    this.#args = openSync(`${runFolder}/args`, 'r+');
    this.#status = openSync(`${runFolder}/status`, 'r+');
  }

  /** Whoever reads them before the job has begun must not find what the job before wrote. */
  begin(set: number): LogFiles {
    this.#reopen(set);
    const files = this.#of(set);
    if (this.#mayHold.has(set)) for (const file of [files.out, files.err]) ftruncateSync(file, 0);
    this.#mayHold.add(set);
    return files;
  }

  /** How many bytes a run wrote of which nothing lives any more. */
  end(set: number): { readonly out: number; readonly err: number } {
    this.#reopen(set);
    const files = this.#of(set);
    const sizes = { out: fstatSync(files.out).size, err: fstatSync(files.err).size };
    if (sizes.out + sizes.err === 0) this.#mayHold.delete(set);
    return sizes;
  }

  /** In place of what a run would have written. @returns how many bytes. */
  writeError(set: number, text: string): number {
    this.#reopen(set);
    this.#mayHold.add(set);
    const file = openSync(`${this.#folder}/err${set}`, 'w');
    const written = writeSync(file, text);
    closeSync(file);
    return written;
  }

  errorStart(set: number): string {
    return startOf(this.#of(set).err);
  }

  /** What the next sandbox is made from. */
  writeArgs(text: string): void {
    ftruncateSync(this.#status, 0);
    if (text === this.#lastArgs) return;
    const bytes = Buffer.from(text);
    ftruncateSync(this.#args, 0);
    writeSync(this.#args, bytes, 0, bytes.length, 0);
    this.#lastArgs = text;
  }

  /** What bwrap said of the sandbox that was made last. */
  status(): string {
    return startOf(this.#status);
  }

  close(): void {
    for (const { out, err } of this.#logs) [out, err].forEach((file) => closeSync(file));
    closeSync(this.#args);
    closeSync(this.#status);
  }

  #of(set: number): LogFiles {
    const files = this.#logs[set];
    if (files === undefined) throw new Error('no such set of files');
    return files;
  }

  /** Without accounts for slots a job owns the files that it writes to: what it forbids there holds for the next one too. */
  #reopen(set: number): void {
    if (this.#mode === null) return;
    const files = this.#of(set);
    for (const file of [files.out, files.err]) fchmodSync(file, this.#mode);
  }
}

const room = Buffer.alloc(1024);
const startOf = (file: number): string => room.toString('latin1', 0, readSync(file, room, 0, room.length, 0));
