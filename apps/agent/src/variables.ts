import type { Command, Order } from '@writ/contract';

/** What a job is told: which task it is, and what its order sets. Nothing of this machine's own environment. */
export function variablesOf(
  order: Order,
  command: Command,
  index: number,
  attempt: number,
): (readonly [string, string])[] {
  return [
    ...command.variables
      .filter(({ name }) => !name.startsWith('WRIT_'))
      .map(({ name, value }) => [name, value] as const),
    ['WRIT_JOB', order.job],
    ['WRIT_TASK', `${order.job}.${index}`],
    ['WRIT_INDEX', String(index)],
    ['WRIT_VALUE', valueOf(order, index)],
    ['WRIT_ATTEMPT', String(attempt)],
  ];
}

function valueOf({ array }: Order, index: number): string {
  return array.is === 'values' ? (array.values[index] ?? '') : String(index);
}
