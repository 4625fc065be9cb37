import { DEFAULTS, type Envelope, type Order } from '@writ/contract';
import { newId, setRef, type HeldSets, type Signer, signOrder } from '@writ/trust';

export interface TestPerson {
  readonly id: string;
  readonly signer: Signer;
}

export const randomId = (): string => newId((bytes) => crypto.getRandomValues(bytes));

/** A small valid order; `changes` replace whole fields. */
export function makeOrder(sets: HeldSets, person: TestPerson, changes: Partial<Order> = {}): Order {
  const now = Date.now();
  return {
    format: 1,
    cluster: sets.cluster,
    job: randomId(),
    person: person.id,
    key: person.signer.key,
    cosigners: [],
    set: setRef(sets.newest),
    queue: 'default',
    project: 'default',
    runs: runsCommand(['true']),
    outputs: { patterns: [], required: false },
    limits: {
      timeSeconds: DEFAULTS.timeLimitSeconds,
      cpuSeconds: null,
      cpus: null,
      memoryBytes: DEFAULTS.memoryBytes,
      pids: DEFAULTS.pids,
      diskBytes: DEFAULTS.diskBytes,
      outputBytes: DEFAULTS.outputBytes,
      logBytes: DEFAULTS.logBytes,
      logRate: null,
      cancelGraceSeconds: DEFAULTS.cancelGraceSeconds,
      counters: [],
    },
    profile: 'strict',
    network: false,
    runAs: null,
    machine: { facts: [], labels: [], agents: [], excluded: [], notAdmitted: [] },
    array: { is: 'one' },
    maxAttempts: 3,
    retryOnFailure: false,
    children: null,
    issued: now,
    notBefore: null,
    notAfter: now + DEFAULTS.submitNotAfterSeconds * 1000,
    ...changes,
  };
}

/** One command for every machine. */
export const runsCommand = (argv: readonly string[]): Order['runs'] => ({
  is: 'command',
  variants: [
    {
      platform: { os: null, arch: null },
      command: { argv: [...argv], variables: [], inputs: { is: 'list', files: [] }, secrets: [] },
    },
  ],
});

export const makeSignedOrder = (
  sets: HeldSets,
  person: TestPerson,
  changes: Partial<Order> = {},
): { order: Order; envelope: Envelope; digest: string } => {
  const order = makeOrder(sets, person, changes);
  return { order, ...signOrder(order, person.signer) };
};
