import { type Static, Type } from '../type.ts';
import { ClusterId, Digest, Ed25519Key, Id, Instant, Text } from '../names.ts';
import { check, oneOf, orNull, shape, whole } from '../shape.ts';
import { END_REASONS } from '../job/end-reasons.ts';
import { REFUSAL_CODES } from '../job/refusal-codes.ts';
import { Signatory } from './admission.ts';
import { JobPath } from './order.ts';
import { Profile, SetRef } from './signer-set.ts';

/** Compared as a pair: a restored server starts a new epoch. */
export const Token = shape({ epoch: whole(1), n: whole(1) });
export type Token = Static<typeof Token>;

export const AuditHeadRef = shape({ size: whole(), root: Digest, time: Instant });

/** A file that a task brought back. */
export const OutputFile = shape({
  path: JobPath,
  mode: oneOf('file', 'executable'),
  digest: Digest,
  size: whole(),
});
/** A file that a task brought back. */
export type OutputFile = Static<typeof OutputFile>;
const LogFile = shape({ digest: Digest, size: whole() });

/** What happened, in the words of the agent that a signer admitted. */
export const ReceiptPredicate = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  kind: oneOf('ended', 'refused', 'adopted'),
  identity: Ed25519Key,
  admission: Digest,
  /** Null where the order could not be read. */
  person: orNull(Id),
  order: Digest,
  job: Id,
  index: whole(),
  attempt: whole(1),
  token: Token,
  /** The set this agent held when it decided. */
  set: SetRef,
  /** `adopted`: digest of the receipt whose outcome stands for this attempt too. */
  adopts: orNull(Digest),
  because: oneOf(...END_REASONS, ...REFUSAL_CODES),
  /** For people: which field, which key. Not for programs. */
  detail: Text(1000),
  /** 32 bits: exit codes of Windows. */
  exit: orNull(Type.Union([shape({ code: whole(0, 4_294_967_295) }), shape({ signal: Text(16) })])),
  variant: orNull(whole(0, 15)),
  profile: orNull(Profile),
  /** The agent's own clock. */
  started: orNull(Instant),
  ended: Instant,
  outputs: Type.Array(OutputFile, { maxItems: 10_000 }),
  stdout: LogFile,
  stderr: LogFile,
  resources: shape({ wallMs: whole(), cpuMs: orNull(whole()), memoryPeakBytes: orNull(whole()) }),
  /** Position in this agent's own chain, from 1; `previous` is the digest of the receipt before it. */
  seq: whole(1),
  previous: orNull(Digest),
  auditHead: orNull(AuditHeadRef),
});
/** What an agent signs of an attempt: what ran, how it ended, and what came out. */
export type ReceiptPredicate = Static<typeof ReceiptPredicate>;

export const RECEIPT_STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const RECEIPT_PREDICATE_TYPE = 'urn:writ:receipt:1';

/** in-toto Statement v1. Its subjects are the logs, which always exist, and the outputs. */
export const Receipt = shape({
  _type: Type.Literal(RECEIPT_STATEMENT_TYPE),
  subject: Type.Array(
    shape({
      name: Type.String({ minLength: 1, maxLength: 4200 }),
      digest: shape({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
    }),
    { minItems: 2, maxItems: 10_002 },
  ),
  predicateType: Type.Literal(RECEIPT_PREDICATE_TYPE),
  predicate: ReceiptPredicate,
});
export type Receipt = Static<typeof Receipt>;
export const receiptCheck = check(Receipt);

/** The submitter's word that a receipt had reached them by then. */
export const Received = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  receipt: Digest,
  by: Signatory,
  set: SetRef,
  time: Instant,
});
export type Received = Static<typeof Received>;
export const receivedCheck = check(Received);

export const AuditHead = shape({
  format: Type.Literal(1),
  cluster: ClusterId,
  server: Text(63),
  key: Ed25519Key,
  size: whole(),
  root: Digest,
  time: Instant,
});
export type AuditHead = Static<typeof AuditHead>;
export const auditHeadCheck = check(AuditHead);

/** The subjects that a predicate must have, in order: both logs, then the outputs. */
export function subjectsOf(predicate: ReceiptPredicate): Receipt['subject'] {
  const hex = (digest: string) => ({ sha256: digest.slice('sha256:'.length) });
  return [
    { name: 'log/stdout', digest: hex(predicate.stdout.digest) },
    { name: 'log/stderr', digest: hex(predicate.stderr.digest) },
    ...predicate.outputs.map((file) => ({ name: `outputs/${file.path}`, digest: hex(file.digest) })),
  ];
}
