import type { Behaviour } from './simulated-launcher.ts';
import type { Dice } from './seeded-random.ts';

/** How often each thing goes wrong in one run: 0 for most of them in most runs, so that what is left shows itself. */
export interface Faults {
  /** Programs killed, a second; at a call of its store or disk, of so many calls. */
  readonly killServer: number;
  readonly killServerAtCall: number;
  readonly killAgent: number;
  readonly killAgentAtCall: number;
  /** An agent's launcher, a second; it ends then too. */
  readonly killLauncher: number;
  /** Machines that lose their power, a second. */
  readonly losePower: number;
  /** Links: cut, forgotten by something between, blocked in one or both directions, slow. */
  readonly cut: number;
  readonly vanish: number;
  readonly block: number;
  readonly slow: number;
  readonly pauseAgent: number;
  readonly pauseServer: number;
  /** Wall clocks that jump, a second. */
  readonly jumpAgent: number;
  readonly jumpServer: number;
  /** Requests of people: lost, answered in vain, repeated by something between. */
  readonly loseRequest: number;
  readonly loseAnswer: number;
  readonly repeatRequest: number;
  /** Of a hundred runs so many that the launcher does not take. */
  readonly launcherFails: number;
  readonly ban: boolean;
  readonly changeSets: boolean;
}

export interface PlannedJob {
  readonly at: number;
  readonly by: 'ana' | 'bob';
  readonly behaviour: Behaviour;
  readonly tasks: number;
  readonly maxAttempts: number;
  readonly retryOnFailure: boolean;
  /** One agent, one attempt. */
  readonly isOnce: boolean;
  readonly label: string | null;
  readonly notAfterMs: number | null;
  readonly cancelAt: number | null;
  readonly withdraws: boolean;
  readonly how: 'terminate' | 'kill';
}

export interface Plan {
  readonly agents: readonly {
    readonly slots: number;
    readonly labels: readonly string[];
    readonly rate: number;
  }[];
  readonly leaseSeconds: number;
  readonly leafLifeMs: number;
  readonly freshnessSeconds: number;
  readonly faults: Faults;
  readonly faultsUntil: number;
  readonly jobs: readonly PlannedJob[];
  /** Whoever owns the server's end of the wires. */
  readonly isServerOwned: boolean;
  /** After so many bytes an agent begins the next file of receipts; one receipt has about 1,500. */
  readonly receiptSegmentBytes: number;
}

const DAY = 86_400_000;

export function planSeed(dice: Dice): Plan {
  const sometimes = (chance: number, least: number, most: number): number =>
    dice.chance(chance) ? dice.between(least, most) : 0;
  // Of its own: what else a seed has stays as it was.
  const launchers = dice.fork('launchers');
  const hurry = dice.fork('hurry');
  const leaseSeconds = dice.pick([0.4, 0.5, 0.8, 1]);
  const faultsUntil = dice.between(1_500, 4_000);
  const agents = Array.from({ length: dice.whole(2, 3) }, () => ({
    slots: dice.whole(1, 2),
    labels: dice.chance(0.5) ? ['gpu'] : [],
    rate: dice.chance(0.3) ? 1 + dice.between(-0.0005, 0.0005) : 1,
  }));
  const long = leaseSeconds * 1000;
  const jobs = Array.from({ length: dice.whole(2, 4) }, (): PlannedJob => {
    const at = dice.between(200, faultsUntil * 0.8);
    const isOnce = dice.chance(0.1);
    const label = dice.chance(0.1) ? 'gpu' : null;
    return {
      at,
      by: dice.chance(0.7) ? 'ana' : 'bob',
      behaviour: {
        milliseconds: dice.pick([
          dice.whole(2, 30),
          dice.whole(50, 500),
          // Longer than a lease: it must be renewed, or stopped in time.
          dice.whole(long, long * 3),
        ]),
        code: dice.chance(0.15) ? dice.pick([1, 3, 130]) : 0,
      },
      tasks: isOnce ? 1 : dice.pick([1, 1, 2, 3, 6]),
      maxAttempts: isOnce ? 1 : dice.pick([1, 2, 3, 3, 5]),
      retryOnFailure: dice.chance(0.4),
      isOnce,
      label,
      // Its agent may be gone for ever: then it waits until its end.
      notAfterMs: dice.chance(0.1) ? dice.whole(300, 4_000) : isOnce || label !== null ? 12_000 : null,
      cancelAt: dice.chance(0.25) ? at + dice.between(0, 2_500) : null,
      withdraws: dice.chance(0.6),
      how: dice.chance(0.5) ? 'kill' : 'terminate',
    };
  });
  const [first] = jobs;
  if (first && hurry.chance(0.25)) jobs[0] = { ...first, ...hurried(first, hurry) };
  return {
    agents,
    leaseSeconds,
    leafLifeMs: dice.chance(0.2) ? dice.between(3_000, 8_000) : DAY,
    freshnessSeconds: dice.chance(0.3) ? 60 : 30 * 86_400,
    faults: {
      killServer: sometimes(0.35, 0.1, 0.6),
      killServerAtCall: sometimes(0.35, 0.001, 0.02),
      killAgent: sometimes(0.35, 0.1, 0.6),
      killAgentAtCall: sometimes(0.35, 0.001, 0.02),
      killLauncher: launchers.chance(0.3) ? launchers.between(0.2, 1) : 0,
      losePower: sometimes(0.3, 0.05, 0.4),
      cut: sometimes(0.4, 0.2, 1.5),
      vanish: sometimes(0.25, 0.1, 0.5),
      block: sometimes(0.45, 0.3, 1.2),
      slow: sometimes(0.3, 0.2, 1),
      pauseAgent: sometimes(0.3, 0.1, 0.7),
      pauseServer: sometimes(0.2, 0.1, 0.5),
      jumpAgent: sometimes(0.25, 0.1, 0.5),
      jumpServer: sometimes(0.2, 0.1, 0.4),
      loseRequest: sometimes(0.4, 0.02, 0.3),
      loseAnswer: sometimes(0.6, 0.1, 0.5),
      repeatRequest: sometimes(0.4, 0.05, 0.4),
      launcherFails: sometimes(0.2, 0.01, 0.1),
      ban: dice.chance(0.12),
      changeSets: dice.chance(0.5),
    },
    faultsUntil,
    jobs,
    isServerOwned: dice.chance(0.15),
    receiptSegmentBytes: dice.pick([1, 3_000, 6_000, 2 ** 23]),
  };
}

/** Short tasks that wait behind each other in a slot, and are withdrawn there. */
const hurried = ({ at, behaviour }: PlannedJob, dice: Dice): Partial<PlannedJob> => ({
  behaviour: { ...behaviour, milliseconds: dice.whole(10, 60) },
  tasks: 12,
  isOnce: false,
  maxAttempts: 3,
  label: null,
  notAfterMs: null,
  cancelAt: at + dice.between(30, 300),
  withdraws: true,
});
