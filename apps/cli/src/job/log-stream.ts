import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { type Client, ClientError, isPassing } from '@writ/client';
import { startDigest } from '@writ/trust/digest';

type StreamName = 'stdout' | 'stderr';

const againMs = 500;

/** One log as it grows: what was shown is remembered by its digest, to be compared with the receipt at the end. */
export class LogStream {
  readonly #client: Client;
  readonly #job: string;
  readonly #index: number;
  readonly #stream: StreamName;
  readonly #show: (bytes: Uint8Array) => Promise<void>;
  #attempt = 0;
  #offset = 0;
  #digest = startDigest();

  constructor(
    client: Client,
    job: string,
    index: number,
    stream: StreamName,
    show: (bytes: Uint8Array) => Promise<void>,
  ) {
    this.#client = client;
    this.#job = job;
    this.#index = index;
    this.#stream = stream;
    this.#show = show;
  }

  /** Shows what came since the last time. */
  async pump(signal?: AbortSignal, attempt?: number): Promise<void> {
    const asked = { offset: this.#offset, attempt, ...(signal ? { signal } : {}) };
    const answer = await this.#client.readLog(this.#job, this.#index, this.#stream, asked);
    if (answer.attempt !== this.#attempt) {
      const isLater = this.#attempt !== 0;
      this.#begin(answer.attempt);
      if (isLater) {
        await answer.body?.cancel();
        await this.pump(signal, answer.attempt);
        return;
      }
    }
    await this.#take(answer.body);
  }

  /** Shows what comes until that attempt has ended or the signal fires, through lost connections. */
  async follow(
    attempt: number,
    { signal, wait }: { signal: AbortSignal; wait: (ms: number, signal: AbortSignal) => Promise<void> },
  ): Promise<void> {
    if (attempt !== this.#attempt) this.#begin(attempt);
    while (!signal.aborted) {
      try {
        const asked = { offset: this.#offset, attempt, follow: true, signal };
        const { body } = await this.#client.readLog(this.#job, this.#index, this.#stream, asked);
        await this.#take(body);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) throw error;
      }
      await wait(againMs, signal);
    }
  }

  /** Shows the rest, and compares all of it with what the agent signed. @throws ClientError `log.digest_wrong` */
  async finish(
    signed: { readonly digest: string; readonly size: number },
    attempt: number,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.#attempt !== attempt && this.#attempt !== 0) this.#begin(attempt);
    if (this.#offset < signed.size) await this.pump(signal, attempt);
    if (this.#offset === signed.size && this.#digest.digest() === signed.digest) return;
    throw new ClientError(
      'log.digest_wrong',
      `What the server shows as ${this.#stream} of task ${this.#job}.${this.#index} is not what the agent signed.`,
    );
  }

  #begin(attempt: number): void {
    this.#attempt = attempt;
    this.#offset = 0;
    this.#digest = startDigest();
  }

  async #take(body: ReadableStream<Uint8Array> | null): Promise<void> {
    for await (const chunk of body ?? []) {
      this.#digest.update(chunk);
      this.#offset += chunk.length;
      await this.#show(chunk);
    }
  }
}

/** Waits for whoever reads, so that a slow terminal does not fill the memory. */
export async function writeTo(sink: Writable, bytes: Uint8Array): Promise<void> {
  if (!sink.write(bytes)) await once(sink, 'drain');
}

const MARK = Buffer.from('::writ::');
const NEWLINE = 10;
const mostHeld = 4096;

/** Leaves out the lines by which a job reports its progress. They stay in the log itself. */
export function withoutReports(show: (bytes: Uint8Array) => Promise<void>): {
  show: (bytes: Uint8Array) => Promise<void>;
  flush: () => Promise<void>;
} {
  let held = Buffer.alloc(0);
  let isAtLineStart = true;
  const take = async (bytes: Buffer): Promise<void> => {
    const shown: Buffer[] = [];
    let at = 0;
    while (at < bytes.length) {
      const end = bytes.indexOf(NEWLINE, at);
      const line = bytes.subarray(at, end < 0 ? bytes.length : end + 1);
      const mayBeReport =
        isAtLineStart &&
        (line.length >= MARK.length
          ? line.subarray(0, MARK.length).equals(MARK)
          : MARK.subarray(0, line.length).equals(line));
      if (end < 0 && mayBeReport && line.length < mostHeld) {
        held = Buffer.from(line);
        break;
      }
      const isReport = mayBeReport && end >= 0 && line.length > MARK.length && line.length <= mostHeld;
      if (!isReport) shown.push(line);
      isAtLineStart = end >= 0;
      at += line.length;
    }
    if (shown.length > 0) await show(Buffer.concat(shown));
  };
  return {
    async show(bytes) {
      const all =
        held.length > 0
          ? Buffer.concat([held, bytes])
          : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      held = Buffer.alloc(0);
      await take(all);
    },
    async flush() {
      const rest = held;
      held = Buffer.alloc(0);
      if (rest.length > 0 && !rest.subarray(0, MARK.length).equals(MARK)) await show(rest);
    },
  };
}
