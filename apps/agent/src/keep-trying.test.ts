import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from './clock.ts';
import { keepTryingWith } from './keep-trying.ts';
import type { LeasedJob } from './leased-job.ts';

describe('what is done for a job', () => {
  const open = () => {
    const stop = new AbortController();
    const waits: number[] = [];
    const clock: Clock = {
      now: () => 0,
      monotonic: () => 0,
      wait: async (milliseconds) => void waits.push(milliseconds),
    };
    const job = { stop: undefined, task: { isMine: true } } as unknown as LeasedJob;
    const whileMine = keepTryingWith({
      clock,
      signal: stop.signal,
      isLinked: () => true,
      linked: async () => undefined,
    });
    /** Fails so often; `then` is done before each failure. */
    const failing = (times: number, then: () => void = () => undefined) => {
      let tries = 0;
      return async () => {
        tries += 1;
        if (tries > times) return tries;
        then();
        throw new Error(`failure ${tries}`);
      };
    };
    return { stop, waits, job, whileMine, failing };
  };

  it('is tried again, with longer and longer waits between', async () => {
    const { waits, job, whileMine, failing } = open();
    assert.equal(await whileMine(job, failing(3)), 4);
    assert.deepEqual(waits, [50, 150, 250]);
  });

  it('is given up with its lease, when it is stopped as lost, at the end of the program, and after many failures', async () => {
    const given = open();
    const { job, whileMine, failing } = given;
    await assert.rejects(
      whileMine(
        job,
        failing(9, () => (job.task.isMine = false)),
      ),
      /failure 1$/,
    );
    job.task.isMine = true;
    await assert.rejects(
      whileMine(
        job,
        failing(9, () => (job.stop = 'lost')),
      ),
      /failure 1$/,
    );
    job.stop = 'cancelled';
    assert.equal(await whileMine(job, failing(1)), 2, 'a cancelled job still sends what it has');
    await assert.rejects(whileMine(job, failing(1_000)), /failure 102$/);
    await assert.rejects(
      whileMine(
        job,
        failing(9, () => given.stop.abort()),
      ),
      /failure 1$/,
    );
  });
});
