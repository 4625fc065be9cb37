import type { CancelJob, Envelope, JobEvent, JobView } from '@writ/contract';
import {
  type FillRandom,
  type HeldSets,
  newId,
  openOrder,
  setRef,
  type Signer,
  signOrder,
} from '@writ/trust';
import { buildOrder, type OrderWish } from './build-order.ts';
import { cancelJob } from './cancel-job.ts';
import type { Client } from './connect.ts';
import { followJob } from './follow-job.ts';
import { readResults, readVerifiedJob, type VerifiedJob } from './read-results.ts';
import { readVerifiedLog } from './read-verified-log.ts';
import { submitJob } from './submit-job.ts';
import type { VerifiedResult } from './verify-results.ts';

/** What somebody needs to submit jobs: a way to the server, the pins, and a key. */
export interface SubmitterParts {
  /** The way to the server. Nothing that it answers is believed unverified. */
  readonly client: Client;
  /** The pinned chain of signer sets, from version 1: what everything is judged by. */
  readonly sets: HeldSets;
  /** Id of the person in the signer set. */
  readonly person: string;
  /** The person's key. It stays in this program. */
  readonly signer: Signer;
  /** Keeps an order before it is sent, so that a program that ends meanwhile can send the same bytes again. */
  readonly keepOrder?: ((job: string, order: Envelope) => Promise<void>) | undefined;
  /** Keeps the pins when the server has shown newer sets that follow from them. */
  readonly keepSets?: ((sets: HeldSets) => Promise<void>) | undefined;
  /** Milliseconds since 1970; the system's clock when left out. */
  readonly now?: (() => number) | undefined;
  /** Fills an array with random bytes; `crypto.getRandomValues` when left out. */
  readonly random?: FillRandom | undefined;
  /** Waits that many milliseconds, or until the signal; a timer when left out. */
  readonly wait?: ((milliseconds: number, signal?: AbortSignal) => Promise<void>) | undefined;
}

/**
 * Signs orders with one person's key, submits them to one cluster, and believes of the answers only what verifies. Runs
 * in browsers and in Node.
 *
 * @example
 * ```ts
 * const submitter = new Submitter({ client, sets, person, signer });
 * const job = await submitter.submit({ argv: ['uname', '-a'] });
 * for await (const event of job.follow()) if (event.is === 'job') console.log(event.job.state);
 * for await (const { predicate } of job.results()) console.log(predicate.exit);
 * ```
 */
export class Submitter {
  /** The way to the server, for every other call. */
  readonly client: Client;
  readonly #parts: SubmitterParts;
  #sets: HeldSets;

  /** Nothing is sent yet. */
  constructor(parts: SubmitterParts) {
    this.client = parts.client;
    this.#parts = parts;
    this.#sets = parts.sets;
  }

  /** Waits as this program waits. */
  protected readonly wait = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
    (this.#parts.wait ?? waitFor)(milliseconds, signal);

  /** The pins, as far as the server has shown sets that follow from them. */
  get sets(): HeldSets {
    return this.#sets;
  }

  /**
   * Signs an order and submits it. Sent again after a lost answer it is the same job: its id is made here.
   *
   * @param wish what to run; {@link OrderWish} says what is taken when something is left out.
   * @returns as soon as the job is durable on the server.
   * @throws {@link ClientError} `order.invalid` for what no agent would take, and what the server refuses.
   */
  async submit(wish: OrderWish, signal: AbortSignal = never()): Promise<SubmittedJob> {
    const { person, signer, keepOrder, now = Date.now, random = fillRandom, wait = waitFor } = this.#parts;
    const order = buildOrder(wish, {
      cluster: this.#sets.cluster,
      set: setRef(this.#sets.newest),
      person,
      key: signer.key,
      job: newId(random),
      now: now(),
    });
    const { envelope, digest } = signOrder(order, signer);
    await keepOrder?.(order.job, envelope);
    await submitJob(this.client, { envelope, digest, job: order.job }, { signal, wait });
    return this.open(order.job, envelope);
  }

  /**
   * A job that was submitted earlier, by this program or another one. Nothing is asked yet.
   *
   * @param kept the signed bytes, when this program has them: then the server's copy is not looked at.
   */
  open(job: string, kept?: Envelope): SubmittedJob {
    const { client } = this;
    const verify = (): Promise<VerifiedJob> => this.#verify(job, kept);
    const wait = this.wait;
    return {
      id: job,
      async *follow(signal = never()) {
        for await (const { event } of followJob(client, job, { signal, wait })) yield event;
      },
      async *results() {
        yield* readResults(client, await verify());
      },
      readLog: (result, stream = 'stdout') => readVerifiedLog(client, job, result, stream),
      cancel: (how = 'terminate', indexes = null) => this.#cancel(job, kept, how, indexes),
    };
  }

  async #verify(job: string, kept: Envelope | undefined): Promise<VerifiedJob> {
    const verified = await readVerifiedJob(this.client, { job, sets: this.#sets, kept });
    if (verified.sets !== this.#sets) {
      this.#sets = verified.sets;
      await this.#parts.keepSets?.(verified.sets);
    }
    return verified;
  }

  async #cancel(
    job: string,
    kept: Envelope | undefined,
    how: CancelJob['how'],
    indexes: number[] | null,
  ): Promise<JobView> {
    const { person, signer, now = Date.now } = this.#parts;
    const order = openOrder(kept ?? (await this.client.readOrder(job)), this.#sets);
    const by = { person, signer };
    return await cancelJob(this.client, { order, sets: this.#sets, how, indexes, now: now(), by });
  }
}

/** One job on a server: what the server says of it, and what its agents signed. */
export interface SubmittedJob {
  /** 26 characters, made by the submitter. */
  readonly id: string;
  /**
   * What happens to the job, until it has ended, through lost connections and restarts of the server. This is the
   * server's word: to show, not to rely on.
   */
  follow(signal?: AbortSignal): AsyncGenerator<JobEvent, void, undefined>;
  /**
   * The results that have come, in order of index, each verified: exit code and outputs are what an agent signed that a
   * signer admitted. Of a task that was tried again, the last attempt.
   *
   * @throws {@link ClientError} `receipt.unverified`, `order.unverified`, `set.unverified`: the server shows something
   *   that nobody in the pinned signer sets has signed.
   */
  results(): AsyncGenerator<VerifiedResult, void, undefined>;
  /**
   * What a task wrote, verified: these are the bytes whose digest its agent signed.
   *
   * @param stream `stdout` when left out.
   * @throws {@link ClientError} `log.digest_wrong`
   */
  readLog(result: VerifiedResult, stream?: 'stdout' | 'stderr'): Promise<Uint8Array>;
  /**
   * Asks the server to end the job, and signs that it may not start any more: agents keep that word.
   *
   * @param how `terminate` leaves it the time that the order grants, `kill` none. `terminate` when left out.
   * @param indexes of tasks; all of them when left out or null.
   */
  cancel(how?: CancelJob['how'], indexes?: number[] | null): Promise<JobView>;
}

/** A signal that nobody gives: one each, because whoever listens to it may leave something behind. */
const never = (): AbortSignal => new AbortController().signal;
const fillRandom: FillRandom = (bytes) => crypto.getRandomValues(bytes);

function waitFor(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    if (signal?.aborted) done();
    else signal?.addEventListener('abort', done);
  });
}
