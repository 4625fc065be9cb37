import type { Edit } from './load-hooks.ts';

/** A fault that the rules must not have. The simulator alone has to find each of them. */
export interface Mutant {
  readonly name: string;
  /** What it breaks, in the words of the invariants. */
  readonly breaks: string;
  readonly edits: readonly Edit[];
}

const edit = (file: string, text: string, becomes: string): readonly Edit[] => [{ file, text, becomes }];

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the token of a result is not compared',
    breaks: 'I2, I3',
    edits: edit(
      'packages/store/src/leases/held-tasks.ts',
      `    task.token_epoch === lease.token.epoch &&
    task.token_n === lease.token.n &&
    task.attempt === lease.attempt &&
    task.identity === lease.identity`,
      `    true`,
    ),
  },
  {
    name: 'a submission is acknowledged before its commit',
    breaks: 'I1',
    edits: edit(
      'apps/server/src/people/submit-job.ts',
      `  const answer = await submitted.catch((error: unknown) => {`,
      `  submitted.catch(() => undefined);
  if (Date) return { job: { id: order.job } as never, isNew: true };
  const answer = await submitted.catch((error: unknown) => {`,
    ),
  },
  {
    name: 'a lease is renewed after it has ended',
    breaks: 'I4',
    edits: edit(
      'packages/store/src/leases/keep-leases.ts',
      `    if (!task || (task.lease_until ?? 0) <= by.now) {`,
      `    if (!task) {`,
    ),
  },
  {
    name: 'attempts that were lost are not counted',
    breaks: 'I5',
    edits: edit(
      'packages/store/src/jobs/change-jobs.ts',
      `    task.starts = end.outcome === 'returned' ? task.attempt - 1 : task.attempt;`,
      `    task.starts = end.outcome === 'returned' || end.outcome === 'lost' ? task.attempt - 1 : task.attempt;`,
    ),
  },
  {
    name: 'a lost attempt is given out again although none is left',
    breaks: 'I5',
    edits: edit(
      'packages/contract/src/job/job-state.ts',
      `      return isAttemptLeft ? 'waiting' : 'failed';`,
      `      return 'waiting';`,
    ),
  },
  {
    name: 'an agent starts before its record is on the disk',
    breaks: 'I13',
    edits: edit(
      'apps/agent/src/replay/open-replay.ts',
      `      for (const { index, attempt } of tasks) change(known, index, (task) => memory.reserve(task, attempt));
      await file.sync();`,
      `      for (const { index, attempt } of tasks) change(known, index, (task) => memory.reserve(task, attempt));
      void file.sync();`,
    ),
  },
  {
    name: 'an agent does not stop what runs under a lease that is over',
    breaks: 'I4',
    edits: edit(
      'apps/agent/src/hold-tasks.ts',
      `        stop(task, 'lost', 'kill');
      }`,
      `        if (!task.isRunning) stop(task, 'lost', 'kill');
      }`,
    ),
  },
  {
    name: 'the time of a lease counts from the answer and not from the question',
    breaks: 'I4',
    edits: edit(
      'apps/agent/src/lease-book.ts',
      `askedAt + mine.seconds * 1000 - marginOf(mine.seconds)`,
      `askedAt + mine.seconds * 3000`,
    ),
  },
  {
    name: 'a signer set is used before it is on the disk',
    breaks: 'signer sets only grow',
    edits: edit(
      'apps/agent/src/signers/held-signers.ts',
      `    await storeSigners(folder, held, newestWord);
    sets = held;`,
      `    sets = held;
    void storeSigners(folder, held, newestWord);`,
    ),
  },
  {
    name: 'a slower answer puts an older signer set back',
    breaks: 'signer sets only grow',
    edits: edit(
      'apps/agent/src/signers/held-signers.ts',
      `const followed = following.catch(() => undefined).then(() => followNow(envelopes));`,
      `const followed = followNow(envelopes);`,
    ),
  },
  {
    name: 'an order is judged under the set of its first lease',
    breaks: 'I9',
    edits: edit(
      'apps/agent/src/verify-job.ts',
      `  before?.under === judge.sets.current;`,
      `  before !== undefined && judge !== undefined;`,
    ),
  },
  {
    name: 'a key that was declared compromised still orders',
    breaks: 'I9',
    edits: edit(
      'packages/trust/src/signer-set/key-fault.ts',
      `  if (ended?.is === 'compromised' && (signed.isOrder === true || !ended.kept.includes(signed.digest)))`,
      `  if (ended?.is === 'compromised' && signed.isOrder !== true && !ended.kept.includes(signed.digest))`,
    ),
  },
  {
    name: 'a ban is remembered by the process alone',
    breaks: 'I9',
    edits: edit(
      'apps/server/src/members.ts',
      `    stopped.add(identity);
    const agent = await store.trust.readAgent(identity);
    if (agent && agent.state !== 'evicted') stoppedNames.add(agent.name);`,
      `    void identity;`,
    ),
  },
  {
    name: 'freshness is not asked',
    breaks: 'I9',
    edits: edit(
      'packages/trust/src/order/check-order.ts',
      `  if (isFresh(sets, newestWord, now)) return;`,
      `  if (isFresh(sets, newestWord, now) || sets.cluster !== '') return;`,
    ),
  },
  {
    name: 'a renewal that is repeated makes a new certificate',
    breaks: 'nobody is taken for a clone',
    edits: edit(
      'apps/agent/src/certificate/tls-store.ts',
      `      if (!next) {`,
      `      if (!next || next.request !== undefined) {`,
    ),
  },
  {
    name: 'the exit code is taken from the state',
    breaks: 'I2',
    edits: edit(
      'apps/server/src/link/take-receipts.ts',
      `  return hasSucceeded(predicate) ? 'succeeded' : 'failed';`,
      `  return predicate.kind === 'ended' && because === 'exit' ? 'succeeded' : 'failed';`,
    ),
  },
  {
    name: 'a success is not remembered',
    breaks: 'I13',
    edits: edit(
      'apps/agent/src/replay/task-memory.ts',
      `  last: isSuccess || task.last === 'succeeded' ? 'succeeded' : 'ended',`,
      `  last: isSuccess && task.last === 'none' ? 'succeeded' : 'ended',`,
    ),
  },
  {
    name: 'what was cancelled comes back when its agent is lost',
    breaks: 'I6',
    edits: edit(
      'packages/store/src/jobs/change-jobs.ts',
      `next === 'waiting' && task.cancel_how !== null ? 'cancelled' : next;`,
      `next;`,
    ),
  },
  {
    name: 'a withdrawal is not looked at',
    breaks: 'I6',
    edits: edit(
      'apps/agent/src/verify-job.ts',
      `  if (judge.isWithdrawn(digest, index, order.person))`,
      `  if (judge.isWithdrawn(digest, index, order.person) && order.job === '')`,
    ),
  },
  {
    name: 'work that an agent has given back still waits there',
    breaks: 'I4',
    edits: edit(
      'apps/agent/src/hold-tasks.ts',
      `    for (const { task } of given) leases.drop(task);`,
      `    for (const job of given) queue.add(job);`,
    ),
  },
  {
    name: 'the signature of an order is not looked at',
    breaks: 'I9',
    edits: edit(
      'packages/trust/src/keys.ts',
      `    return verify(bytes, signature);`,
      `    return verify(bytes, signature) || bytes.length > 0;`,
    ),
  },
  {
    name: 'an attempt that was started may be started again',
    breaks: 'I13',
    edits: edit(
      'packages/trust/src/order/judge-replay.ts',
      `  if (attempt <= before.highestAttempt)`,
      `  if (attempt < before.highestAttempt)`,
    ),
  },
  {
    name: 'the record of starts is kept for each spelling of an order',
    breaks: 'I13',
    edits: [
      ...edit(
        'apps/agent/src/replay/load-replay.ts',
        '`${order.person} ${order.job}`',
        '`${order.person} ${order.job} ${spelling.now}`',
      ),
      ...edit(
        'apps/agent/src/replay/load-replay.ts',
        `export interface OrderKey {`,
        `export const spelling = { now: '' };
export interface OrderKey {`,
      ),
      ...edit(
        'apps/agent/src/handle-job.ts',
        `  const startable = tasks.filter((task) => {`,
        `  spelling.now = String(Object.keys(desk.orderOf(verified.digest)?.signatures[0] ?? {}).length);
  const startable = tasks.filter((task) => {`,
      ),
      ...edit(
        'apps/agent/src/handle-job.ts',
        `import type { Replay } from './replay/open-replay.ts';`,
        `import type { Replay } from './replay/open-replay.ts';
import { spelling } from './replay/load-replay.ts';`,
      ),
    ],
  },
  {
    name: 'a server that starts ends the leases that it finds',
    breaks: 'I4',
    edits: edit(
      'packages/store/src/leases/keep-leases.ts',
      '  const done = await sql`update task set lease_until = ${until} where lease_until is not null`.execute(',
      "  const done = await sql`update task set state = 'waiting', lease_until = null where lease_until is not null and ${until} > 0`.execute(",
    ),
  },
  {
    name: 'a job is handed out in the order of its tokens from the beginning again',
    breaks: 'I3',
    edits: edit(
      'packages/store/src/leases/claim-tasks.ts',
      `  job.next_token += 1;`,
      `  job.next_token = (job.next_token % 3) + 1;`,
    ),
  },
  {
    name: 'a result that came before is not known again',
    // The token and a unique index keep it from counting; its agent never gets an answer.
    breaks: 'I10',
    edits: edit(
      'packages/store/src/leases/accept-receipts.ts',
      `    if (before) return { ...before, seq: receipt.seq, isDuplicate: true, state: null };`,
      `    if (before && receipt.seq < 0) return { ...before, seq: receipt.seq, isDuplicate: true, state: null };`,
    ),
  },
  {
    name: 'receipts are forgotten before the server has them',
    breaks: 'I10, I13',
    edits: edit(
      'apps/agent/src/report-job.ts',
      `    await receipts.sync();
    parts.onDurable(receipt);`,
      `    await receipts.sync();
    parts.onDurable(receipt);
    receipts.accepted(receipt.seq);`,
    ),
  },
  {
    name: 'a receipt that fills its file is sent before it is on the disk',
    breaks: 'I10, I13',
    edits: [
      ...edit(
        'apps/agent/src/receipts/receipt-chain.ts',
        `    await file.sync();
    await full;`,
        `    await file.sync();
    full?.catch(() => undefined);`,
      ),
      ...edit(
        'apps/agent/src/receipts/receipt-chain.ts',
        `Promise.all([filling, full.sync(), syncFolder(place.folder)])`,
        `Promise.all([filling, full.sync()])`,
      ),
    ],
  },
  {
    name: 'leases end by a clock that somebody has set',
    breaks: 'I4',
    edits: edit('apps/server/src/mind-clock.ts', `Math.abs(jumped) > JUMP_MS`, `jumped === JUMP_MS`),
  },
  {
    name: 'a lease counts from when it came',
    breaks: 'I4',
    edits: edit(
      'apps/agent/src/hear-server.ts',
      `const since = now - delay.of(message.at, now);`,
      `const since = now;`,
    ),
  },
  {
    name: 'a withdrawal does not reach what waits behind another run of its slot',
    breaks: 'I6',
    edits: edit(
      'apps/agent/src/compose.ts',
      `onKept: () => revoked.endWithdrawn(),`,
      `onKept: () => undefined,`,
    ),
  },
  {
    name: 'an order that is stored is refused once its key has ended',
    breaks: 'I11',
    edits: edit(
      'apps/server/src/people/submit-job.ts',
      `if (!ENDED_KEY.has(code)) throw why;`,
      `if (code !== undefined) throw why;`,
    ),
  },
  {
    name: 'a job is stored without its record in the audit log',
    breaks: 'I7',
    edits: edit(
      'packages/store/src/write-in-groups.ts',
      `      await appendAudit(write);`,
      `      if (!write.audit.list().some((note) => note.action === 'job.submitted')) await appendAudit(write);`,
    ),
  },
  {
    name: 'an agent takes it from the server that it has the labels',
    breaks: 'I9',
    edits: edit(
      'packages/trust/src/order/check-order.ts',
      `  for (const wanted of clause.labels) {`,
      `  for (const wanted of clause.labels.slice(0, 0)) {`,
    ),
  },
  {
    name: 'of what ran when a launcher died it is said that it could not be isolated',
    breaks: 'I5',
    edits: edit('apps/agent/src/handle-job.ts', `if (isLost) job.stop ??= 'lost';`, `isLost;`),
  },
  {
    name: 'an agent that could not isolate a task gets it again at once',
    breaks: 'I5',
    edits: edit(
      'packages/contract/src/job/job-state.ts',
      `(outcome === 'failed' && because === 'sandbox')`,
      `(outcome === 'failed' && because === 'lost')`,
    ),
  },
];
