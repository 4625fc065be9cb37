import type { MachineClause, Order, Profile } from '@writ/contract';
import { checkMachine, type MachineFacts, TrustError } from '@writ/trust';

/** What an order asks of a machine. Orders that ask the same are one class, and an agent is matched with classes. */
export interface RequirementClass {
  readonly queue: string;
  readonly profile: Profile;
  readonly network: boolean;
  readonly platforms: readonly { readonly os: string | null; readonly arch: string | null }[];
  readonly machine: MachineClause;
  readonly needs: Needs;
}

/** What one task takes of a machine. */
export type Needs = Pick<Order['limits'], 'cpus' | 'memoryBytes' | 'counters'>;

/** One spelling for one class: lists whose sequence means nothing are sorted. */
export function classText(order: Order): string {
  const { facts, labels, agents, excluded, notAdmitted } = order.machine;
  const platforms =
    order.runs.is === 'command'
      ? order.runs.variants.map(({ platform: { os, arch } }) => ({ os, arch }))
      : [];
  const asked: RequirementClass = {
    queue: order.queue,
    profile: order.profile,
    network: order.network,
    platforms: sortedOnce(platforms),
    machine: {
      facts: sortedOnce(facts.map(({ fact, is }) => ({ fact, is }))),
      labels: sortedOnce(labels.map(({ name, value }) => ({ name, value }))),
      agents: sortedOnce(agents),
      excluded: sortedOnce(excluded),
      notAdmitted: sortedOnce(notAdmitted),
    },
    needs: {
      cpus: order.limits.cpus,
      memoryBytes: order.limits.memoryBytes,
      counters: sortedOnce(order.limits.counters.map(({ name, amount }) => ({ name, amount }))),
    },
  };
  return JSON.stringify(asked);
}

export function parseClass(text: string): RequirementClass {
  const parsed: Omit<RequirementClass, 'needs'> & Partial<RequirementClass> = JSON.parse(text);
  // Classes of the versions before say nothing of what their tasks take.
  return { needs: { cpus: null, memoryBytes: 0, counters: [] }, ...parsed };
}

/** The check that the agent will make itself, with what it has signed about itself and what its admission says. */
export function isEligible(asked: RequirementClass, facts: MachineFacts): boolean {
  const { queue, profile, network, machine, needs: limits } = asked;
  const command = { argv: [], variables: [], inputs: { is: 'list', files: [] }, secrets: [] };
  const variants = asked.platforms.map((platform) => ({ platform, command }));
  // The check reads no more of an order than these fields.
  const order = {
    queue,
    profile,
    network,
    machine,
    limits,
    runs: { is: 'command', variants },
  } as unknown as Order;
  try {
    checkMachine({ order } as Parameters<typeof checkMachine>[0], facts);
    return true;
  } catch (error) {
    if (error instanceof TrustError) return false;
    throw error;
  }
}

function sortedOnce<T>(list: readonly T[]): T[] {
  const texts = new Set(list.map((item) => JSON.stringify(item)));
  return [...texts].toSorted().map((text): T => JSON.parse(text));
}
