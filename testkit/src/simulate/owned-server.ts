import type { Envelope, FromServer, Order } from '@writ/contract';
import { envelopeDigest, signerFromSeed, signOrder } from '@writ/trust';
import type { Dice } from './seeded-random.ts';

type Lease = Extract<FromServer, { is: 'lease' }>;

/** Whoever owns a server: it knows every order that passed, and says to agents what it likes. */
export interface OwnedServer {
  /** What the agent hears in place of these lines. */
  speak(lines: readonly string[], agent: string): readonly string[];
}

/** `identityOf`: an owned server knows whom it speaks with. */
export function ownServer(dice: Dice, onLie: (what: string) => void): OwnedServer {
  const orders = new Map<string, Envelope>();
  const leases: Lease[] = [];
  const identities = new Map<string, string>();
  const stranger = signerFromSeed(dice.fill(new Uint8Array(32)));
  let lies = 0;

  const lie = (agent: string): string[] => {
    const identity = identities.get(agent);
    const lease = leases.length > 0 ? dice.pick(leases) : undefined;
    const envelope = lease && orders.get(lease.order);
    if (!identity || !lease || !envelope) return [];
    const { kind, order, rise, index } = dice.pick(LIES);
    const told = order(envelope, stranger);
    lies += 1;
    onLie(`${kind} to ${agent}, of ${lease.job}`);
    return [
      { is: 'order', digest: envelopeDigest(told), envelope: told },
      {
        ...lease,
        identity,
        order: envelopeDigest(told),
        job: read(told).job,
        tasks: lease.tasks.map((task) => ({
          index: task.index + index,
          attempt: Math.max(1, task.attempt + rise),
          token: { epoch: task.token.epoch, n: task.token.n + 1_000 * lies },
        })),
      },
    ].map((message) => JSON.stringify(message));
  };

  return {
    speak(lines, agent) {
      const heard: string[] = [];
      for (const line of lines) {
        const message: FromServer = JSON.parse(line);
        if (message.is === 'order') orders.set(message.digest, message.envelope);
        if (message.is === 'lease') {
          leases.push(message);
          identities.set(agent, message.identity);
        }
        const isKeptBack = (message.is === 'cancel' || message.is === 'set') && dice.chance(0.5);
        if (!isKeptBack) heard.push(line);
      }
      if (dice.chance(0.3)) heard.push(...lie(agent));
      return heard;
    },
  };
}

interface Lie {
  readonly kind: string;
  readonly order: (envelope: Envelope, stranger: ReturnType<typeof signerFromSeed>) => Envelope;
  readonly rise: number;
  readonly index: number;
}
const asItIs = (envelope: Envelope): Envelope => envelope;
const read = ({ payload }: Envelope): Order => JSON.parse(Buffer.from(payload, 'base64').toString('utf8'));

/** Ids of jobs that nobody has submitted. */
const OTHER = 'a'.repeat(26);
const ANOTHER = `b${'a'.repeat(25)}`;

const LIES: readonly Lie[] = [
  { kind: 'the same attempt again', order: asItIs, rise: 0, index: 0 },
  { kind: 'one more attempt', order: asItIs, rise: 1, index: 0 },
  { kind: 'many more attempts', order: asItIs, rise: 50, index: 0 },
  { kind: 'a task that there is not', order: asItIs, rise: 0, index: 100 },
  {
    kind: 'the order in another spelling',
    order: (envelope) => ({ ...envelope, signatures: envelope.signatures.map(({ sig }) => ({ sig })) }),
    rise: 0,
    index: 0,
  },
  {
    kind: 'a changed order',
    order: (envelope) => ({
      ...envelope,
      payload: Buffer.from(
        JSON.stringify({
          ...read(envelope),
          job: envelope.payload.length % 2 ? OTHER : ANOTHER,
          maxAttempts: 100,
        }),
      ).toString('base64'),
    }),
    rise: 0,
    index: 0,
  },
  {
    kind: 'an order of a stranger',
    order: (envelope, stranger) =>
      signOrder({ ...read(envelope), key: stranger.key, maxAttempts: 100 }, stranger).envelope,
    rise: 0,
    index: 0,
  },
];
