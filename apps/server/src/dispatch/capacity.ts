import { DEFAULTS } from '@writ/contract';
import type { MachineFacts } from '@writ/trust';
import type { Needs } from './requirement-class.ts';

/**
 * What an agent has left for tasks that ask for more than usual. The agent itself starts nothing that does not fit; this
 * keeps it from holding what another agent could start now.
 */
export interface Capacity {
  /** @param tasks fewer than 0: they are given back. */
  take(needs: Needs, tasks: number): void;
  /** For one more task. */
  hasRoom(needs: Needs): boolean;
  /** By dimension, and what a task of each class takes of each; undefined where none of them asks for more than usual. */
  offer(
    classes: ReadonlyMap<number, Needs>,
  ): { readonly free: readonly number[]; readonly needs: ReadonlyMap<number, readonly number[]> } | undefined;
}

export function openCapacity({
  cores,
  memoryBytes,
  counters,
}: Pick<MachineFacts, 'cores' | 'memoryBytes' | 'counters'>): Capacity {
  const names = counters.map(({ name }) => name);
  const free = [cores, memoryBytes, ...counters.map(({ amount }) => amount)];
  const whole = [...free];
  const vectorOf = (needs: Needs): number[] =>
    [
      needs.cpus ?? 0,
      needs.memoryBytes > DEFAULTS.memoryBytes ? needs.memoryBytes : 0,
      ...names.map((name) => needs.counters.find((counter) => counter.name === name)?.amount ?? 0),
    ].map((amount, at) => Math.min(amount, whole[at] ?? 0));
  const add = (needs: Needs, tasks: number): void => {
    for (const [at, amount] of vectorOf(needs).entries()) free[at] = (free[at] ?? 0) + amount * tasks;
  };
  const fits = (amount: number, at: number): boolean => {
    const taken = Math.min(amount, whole[at] ?? 0);
    return taken <= 0 || (free[at] ?? 0) / taken >= 1;
  };
  return {
    hasRoom: ({ cpus, memoryBytes: memory, counters: asked }) =>
      fits(cpus ?? 0, 0) &&
      fits(memory > DEFAULTS.memoryBytes ? memory : 0, 1) &&
      asked.every(({ name, amount }) => !names.includes(name) || fits(amount, 2 + names.indexOf(name))),
    take: (needs, tasks) => add(needs, -tasks),
    offer(classes) {
      const needs = new Map([...classes].map(([id, wanted]) => [id, vectorOf(wanted)]));
      const isMore = [...needs.values()].some((vector) => vector.some((amount) => amount > 0));
      return isMore ? { free: [...free], needs } : undefined;
    },
  };
}
