import { setTimeout as sleep } from 'node:timers/promises';
import { buildOrder, submitJob, type Client } from '@writ/client';
import { setRef, signOrder } from '@writ/trust';
import type { Envelope } from '@writ/contract';
import type { EffectLog } from '../effect-log.ts';
import { randomId } from '../make-order.ts';
import type { Dice } from '../simulate/seeded-random.ts';
import type { Cluster } from '../start-cluster.ts';
import type { SubmissionHistory } from './submission-history.ts';
import { OUTPUT, taskLine } from './task-line.ts';

export interface LoadWish {
  readonly cluster: Cluster;
  /** One for each submitter, over the network. */
  readonly clients: readonly Client[];
  readonly effects: EffectLog;
  readonly dice: Dice;
  readonly history: SubmissionHistory;
  /** So many tasks are acknowledged and not done. */
  readonly openTasks: number;
}

export interface Load {
  /** Submissions that were sent and are not answered yet. */
  unanswered(): number;
  /** One more is submitted soon, however many tasks are open. */
  submitOne(): void;
  /** Nothing new is submitted; what was sent is sent again until it is acknowledged. */
  finish(): Promise<void>;
  /** At once, whatever became of what was sent. */
  stop(): Promise<void>;
}

/** More than any task needs: what kills take away is tried again. */
const MOST_ATTEMPTS = 100;
const PATIENCE_MS = 120_000;
const LOOK_MS = 10;

/** Keeps some tasks waiting all the time, as arrays and as single jobs, and writes down what it was told. */
export function keepSubmitting(wish: LoadWish): Load {
  const ending = new AbortController();
  const patience = new AbortController();
  let acknowledged = 0;
  let unanswered = 0;
  let asked = 0;

  const submitOne = async (client: Client, dice: Dice): Promise<void> => {
    const order = makeOrder(wish, dice);
    const { job, digest, tasks } = order;
    await wish.history.write({ is: 'asked', job, digest, tasks });
    unanswered += 1;
    // The same order at once from two places is still one job.
    const times = dice.chance(1 / 8) ? 2 : 1;
    try {
      await Promise.all(Array.from({ length: times }, () => untilTold(client, order)));
    } finally {
      unanswered -= 1;
    }
    await wish.history.write({ is: 'told', job, digest, tasks });
    acknowledged += tasks;
  };

  const untilTold = async (client: Client, order: Made): Promise<void> => {
    const { job, digest, tasks } = order;
    for (;;) {
      try {
        await submitJob(client, order, {
          signal: patience.signal,
          async wait(milliseconds) {
            await wish.history.write({ is: 'failed', job, digest, tasks });
            await sleep(Math.min(milliseconds, 200));
          },
        });
        return;
      } catch (error) {
        if (patience.signal.aborted) throw error;
        await wish.history.write({ is: 'failed', job, digest, tasks });
        await sleep(100);
      }
    }
  };

  const submitters = wish.clients.map(async (client, at) => {
    const dice = wish.dice.fork(`submitter ${at}`);
    while (!ending.signal.aborted) {
      if (asked === 0 && acknowledged - wish.effects.done.size >= wish.openTasks) {
        await sleep(LOOK_MS);
        continue;
      }
      asked = Math.max(0, asked - 1);
      await submitOne(client, dice);
    }
  });
  const all = Promise.all(submitters);
  // Whoever finishes is told; until then nobody waits for it.
  all.catch(() => undefined);
  return {
    unanswered: () => unanswered,
    submitOne() {
      asked += 1;
    },
    async finish() {
      ending.abort();
      const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
      await all;
      clearTimeout(timer);
    },
    async stop() {
      ending.abort();
      patience.abort();
      // What is broken off fails, as it is to.
      await all.catch(() => undefined);
    },
  };
}

interface Made {
  readonly job: string;
  readonly digest: string;
  readonly envelope: Envelope;
  readonly tasks: number;
}

function makeOrder({ cluster, effects }: LoadWish, dice: Dice): Made {
  const { sets, key } = cluster;
  const job = randomId();
  const isLong = dice.chance(1 / 16);
  const isArray = !isLong && dice.chance(1 / 2);
  const tasks = isArray ? dice.whole(2, 12) : 1;
  const order = buildOrder(
    {
      // A long one is still there when somebody looks who was left behind.
      argv: taskLine(effects.port, isLong ? 6_000 : dice.whole(50, 800)),
      ...(isArray && { array: { is: 'range', from: 1, to: tasks } as const }),
      ...(dice.chance(1 / 4) && { outputs: [OUTPUT], outputsRequired: true }),
      // Agents give more where they can.
      profile: 'bare',
      network: true,
      maxAttempts: MOST_ATTEMPTS,
    },
    {
      cluster: sets.cluster,
      set: setRef(sets.newest),
      person: key.person,
      key: key.signer.key,
      job,
      now: Date.now(),
    },
  );
  return { ...signOrder(order, key.signer), job, tasks };
}
