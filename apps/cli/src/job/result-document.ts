import { exitCodeOf, type VerifiedResult } from '@writ/client';
import type { ReceiptPredicate } from '@writ/contract';
import { instantText } from '../show/instant-text.ts';

export interface TaskResult {
  readonly index: number;
  readonly attempt: number;
  readonly kind: ReceiptPredicate['kind'];
  readonly because: ReceiptPredicate['because'];
  readonly detail: string;
  readonly exit: ReceiptPredicate['exit'];
  readonly exitCode: number;
  readonly agent: string;
  readonly identity: string;
  readonly receipt: string;
  readonly started: string | null;
  readonly ended: string;
  readonly wallMs: number;
  readonly outputs: ReceiptPredicate['outputs'];
  readonly stdout: ReceiptPredicate['stdout'];
  readonly stderr: ReceiptPredicate['stderr'];
}

/** One verified result as `--json` shows it. */
export function taskResult({ index, predicate, digest, agent }: VerifiedResult): TaskResult {
  return {
    index,
    attempt: predicate.attempt,
    kind: predicate.kind,
    because: predicate.because,
    detail: predicate.detail,
    exit: predicate.exit,
    exitCode: exitCodeOf(predicate),
    agent: agent.name,
    identity: agent.identity,
    receipt: digest,
    started: predicate.started === null ? null : instantText(predicate.started),
    ended: instantText(predicate.ended),
    wallMs: predicate.resources.wallMs,
    outputs: predicate.outputs,
    stdout: predicate.stdout,
    stderr: predicate.stderr,
  };
}
