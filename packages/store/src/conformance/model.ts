import type { TaskState } from '@writ/contract';

/** A store of jobs small enough to be believed: every task is an object, and nothing is batched or counted ahead. */
export interface ModelTask {
  readonly index: number;
  state: TaskState;
  starts: number;
  tokens: number[];
  holder: string | null;
  until: number;
  isStopAsked: boolean;
  accepted: number;
}
export interface ModelJob {
  readonly id: string;
  readonly priority: number;
  readonly maxAttempts: number;
  readonly retryOnFailure: boolean;
  readonly isOnce: boolean;
  readonly notBefore: number | null;
  readonly notAfter: number;
  readonly tasks: ModelTask[];
  nextToken: number;
}
export interface ModelLease {
  readonly job: string;
  readonly index: number;
  readonly attempt: number;
  readonly token: number;
  readonly holder: string;
}

export class Model {
  readonly jobs: ModelJob[] = [];
  moves = 0;

  task(lease: { readonly job: string; readonly index: number }): ModelTask | undefined {
    return this.jobs.find((job) => job.id === lease.job)?.tasks.find((task) => task.index === lease.index);
  }

  claim(holder: string, max: number, now: number, until: number): ModelLease[] {
    const byTurn = [...this.jobs].sort(
      (a, b) => b.priority - a.priority || this.jobs.indexOf(a) - this.jobs.indexOf(b),
    );
    const leases: ModelLease[] = [];
    for (const job of byTurn) {
      if ((job.notBefore ?? 0) > now || job.notAfter <= now) continue;
      const waiting = job.tasks.filter((task) => task.state === 'waiting');
      const cameBack = waiting.filter((task) => task.tokens.length > 0);
      for (const task of [...cameBack, ...waiting.filter((other) => other.tokens.length === 0)]) {
        if (leases.length === max) return leases;
        this.#move(task, 'leased');
        task.tokens.push(job.nextToken);
        job.nextToken += 1;
        task.holder = holder;
        task.until = until;
        leases.push({
          job: job.id,
          index: task.index,
          attempt: task.starts + 1,
          token: task.tokens.at(-1) ?? 0,
          holder,
        });
      }
    }
    return leases;
  }

  holds(lease: ModelLease): boolean {
    const task = this.task(lease);
    return (
      task !== undefined &&
      (task.state === 'leased' || task.state === 'running') &&
      task.tokens.at(-1) === lease.token &&
      task.holder === lease.holder &&
      task.starts + 1 === lease.attempt
    );
  }

  start(lease: ModelLease): boolean {
    const task = this.task(lease);
    if (!task || !this.holds(lease)) return false;
    if (task.state === 'leased') this.#move(task, 'running');
    return true;
  }

  renew(lease: ModelLease, now: number, until: number): boolean {
    const task = this.task(lease);
    if (!task || !this.holds(lease) || task.until <= now) return false;
    task.until = until;
    return true;
  }

  accept(lease: ModelLease, outcome: 'succeeded' | 'failed' | 'cancelled' | 'not_here' | 'never'): boolean {
    const task = this.task(lease);
    const job = this.jobs.find((other) => other.id === lease.job);
    if (!task || !job || !this.holds(lease)) return false;
    task.starts += 1;
    const isLeft = task.starts < job.maxAttempts;
    if (outcome === 'succeeded') {
      task.accepted += 1;
      this.#end(task, 'succeeded');
    } else if (outcome === 'cancelled') this.#end(task, 'cancelled');
    else if (outcome === 'never') this.#end(task, 'refused');
    else if (outcome === 'not_here') this.#end(task, isLeft ? 'waiting' : 'refused');
    else this.#end(task, isLeft && job.retryOnFailure ? 'waiting' : 'failed');
    return true;
  }

  handBack(lease: ModelLease): boolean {
    const task = this.task(lease);
    if (!task || !this.holds(lease) || task.state !== 'leased') return false;
    this.#end(task, 'waiting');
    return true;
  }

  lapse(now: number): void {
    this.#lose((task) => task.until <= now);
  }

  loseAgent(holder: string, kept: readonly ModelLease[]): void {
    const isKept = (task: ModelTask) => kept.some((lease) => this.holds(lease) && this.task(lease) === task);
    this.#lose((task) => task.holder === holder && !isKept(task));
  }

  cancel(id: string, indexes: readonly number[] | null): void {
    for (const task of this.jobs.find((job) => job.id === id)?.tasks ?? []) {
      if (indexes && !indexes.includes(task.index)) continue;
      if (task.state === 'waiting') this.#move(task, 'cancelled');
      else if (task.state === 'leased' || task.state === 'running') task.isStopAsked = true;
    }
  }

  expire(now: number): void {
    for (const job of this.jobs) {
      if (job.notAfter <= now)
        for (const task of job.tasks) if (task.state === 'waiting') this.#move(task, 'expired');
    }
  }

  #lose(isLost: (task: ModelTask) => boolean): void {
    for (const job of this.jobs) {
      for (const task of job.tasks) {
        if ((task.state !== 'leased' && task.state !== 'running') || !isLost(task)) continue;
        task.starts += 1;
        if (job.isOnce) this.#end(task, 'unknown');
        else this.#end(task, task.starts < job.maxAttempts ? 'waiting' : 'failed');
      }
    }
  }

  #end(task: ModelTask, to: TaskState): void {
    this.#move(task, to === 'waiting' && task.isStopAsked ? 'cancelled' : to);
  }

  #move(task: ModelTask, to: TaskState): void {
    task.state = to;
    this.moves += 1;
  }
}
