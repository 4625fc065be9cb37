import type { ReceiptChain } from './receipts/receipt-chain.ts';
import type { Replay } from './replay/open-replay.ts';

/** Successes whose receipt is on disk: a crash may have come before the replay record said so, and they are not run again. */
export function recoverSuccesses(found: ReceiptChain['found'], replay: Pick<Replay, 'recover'>): void {
  for (const { digest, predicate } of found) {
    const { person, exit } = predicate;
    if (
      predicate.kind !== 'ended' ||
      predicate.because !== 'exit' ||
      exit === null ||
      !('code' in exit) ||
      exit.code !== 0 ||
      person === null
    )
      continue;
    const { attempt, variant, profile, started, ended, outputs, stdout, stderr, resources } = predicate;
    replay.recover(
      { ...predicate, person },
      {
        receipt: digest,
        attempt,
        exit,
        variant,
        profile,
        started,
        ended,
        outputs,
        stdout,
        stderr,
        resources,
      },
    );
  }
}
