import { type Static, Type } from '../type.ts';
import { Digest, Ed25519Key, Id, Instant, Name, Text } from '../names.ts';
import { BOUNDS } from '../defaults.ts';
import { check, oneOf, orNull, shape, whole } from '../shape.ts';
import { Envelope } from '../signed/envelope.ts';
import { Token } from '../signed/receipt.ts';
import { SetRef } from '../signed/signer-set.ts';

/**
 * The duplex stream of a link: `POST /link/v1/stream`, one JSON message a line in each direction, in batches.
 * Beside it ordinary requests: files, logs, certificates. Nothing here is signed, and nothing here grants what the
 * signed orders do not.
 */
export const LINK_VERSION = 1;

/** One task under one lease. `attempt` counts starts. */
export const LeasedTask = shape({ job: Id, index: whole(), attempt: whole(1, 100), token: Token });
export type LeasedTask = Static<typeof LeasedTask>;
const Tasks = Type.Array(LeasedTask, { minItems: 1, maxItems: 2000 });

const Base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$' });

export const FromAgent = Type.Union([
  /** First message. `credits`: how many tasks it may be sent before it gives more. */
  shape({
    is: Type.Literal('hello'),
    link: whole(1),
    writ: Text(32),
    description: Envelope,
    set: SetRef,
    /** Number of the last receipt in the agent's chain: a server that has seen a higher one holds the link. */
    seq: whole(),
    credits: whole(0, BOUNDS.credits),
    held: Type.Array(shape({ ...LeasedTask.properties, is: oneOf('leased', 'running') }), {
      maxItems: BOUNDS.heldTasks,
    }),
  }),
  shape({ is: Type.Literal('credits'), more: whole(1, BOUNDS.credits) }),
  /** Sent only for tasks that run longer than a moment. */
  shape({ is: Type.Literal('started'), tasks: Tasks }),
  /** Durable on the agent before it is sent, and kept there until accepted. Short logs travel with it. */
  shape({
    is: Type.Literal('receipts'),
    receipts: Type.Array(shape({ envelope: Envelope, stdout: orNull(Base64), stderr: orNull(Base64) }), {
      minItems: 1,
      maxItems: 500,
    }),
  }),
  /** Unstarted work handed back, durably: it will not be started under these tokens. */
  shape({ is: Type.Literal('returned'), tasks: Tasks }),
  shape({ is: Type.Literal('renew'), tasks: Tasks }),
  shape({
    is: Type.Literal('progress'),
    task: LeasedTask,
    progress: orNull(whole(0, 1000)),
    message: Text(1000),
  }),
  shape({ is: Type.Literal('description'), description: Envelope }),
  shape({ is: Type.Literal('set'), set: SetRef }),
  shape({ is: Type.Literal('pong'), n: whole() }),
]);
export type FromAgent = Static<typeof FromAgent>;
export const fromAgentCheck = check(FromAgent);

/** Milliseconds of a clock of the server that only goes forward: whoever hears several knows which came late. */
const SaidAt = whole();

export const FromServer = Type.Union([
  shape({
    is: Type.Literal('welcome'),
    link: whole(1),
    at: SaidAt,
    writ: Text(32),
    server: Name,
    epoch: whole(1),
    leaseSeconds: Type.Number({ minimum: 0.1, maximum: 3600 }),
    set: SetRef,
  }),
  /** Once per link before the first lease of it. */
  shape({ is: Type.Literal('order'), digest: Digest, envelope: Envelope }),
  shape({
    is: Type.Literal('lease'),
    order: Digest,
    identity: Ed25519Key,
    job: Id,
    /** When it began. */
    at: SaidAt,
    seconds: Type.Number({ minimum: 0.1, maximum: 3600 }),
    tasks: Type.Array(shape({ index: whole(), attempt: whole(1, 100), token: Token }), {
      minItems: 1,
      maxItems: 2000,
    }),
  }),
  /** `lost` tasks must stop at once: somebody else may have them. */
  shape({
    is: Type.Literal('renewed'),
    tasks: Type.Array(LeasedTask, { maxItems: BOUNDS.heldTasks }),
    lost: Type.Array(LeasedTask, { maxItems: BOUNDS.heldTasks }),
  }),
  /** Please hand back what has not started. */
  shape({ is: Type.Literal('recall'), tasks: Tasks }),
  shape({ is: Type.Literal('cancel'), tasks: Tasks, how: oneOf('terminate', 'kill') }),
  shape({ is: Type.Literal('withdraw'), envelope: Envelope }),
  /** Receipts up to this number are stored for ever; `refused` ones are stored and not accepted, and why. */
  shape({
    is: Type.Literal('accepted'),
    upTo: whole(1),
    refused: Type.Array(shape({ seq: whole(1), code: Text(64) }), { maxItems: 500 }),
  }),
  /** A newer signer set is to be had: `GET /link/v1/sets?after=<version>`. */
  shape({ is: Type.Literal('set'), set: SetRef }),
  shape({ is: Type.Literal('freshness'), envelope: Envelope }),
  shape({ is: Type.Literal('drain') }),
  shape({ is: Type.Literal('close'), code: Text(64), detail: Text(1000) }),
  shape({ is: Type.Literal('ping'), n: whole(), at: SaidAt }),
]);
export type FromServer = Static<typeof FromServer>;
export const fromServerCheck = check(FromServer);
/** An `order` whose envelope is none: the message is right, and the order is refused like any other that does not verify. */
export const orderOfAnyShapeCheck = check(
  shape({ is: Type.Literal('order'), digest: Digest, envelope: Type.Unknown() }),
);

/** `GET /link/v1/sets?after=<version>`: the chain after that version, oldest first. */
export const SetsReply = shape({
  sets: Type.Array(Envelope, { maxItems: 1000 }),
  freshness: orNull(Envelope),
});
export type SetsReply = Static<typeof SetsReply>;
export const setsReplyCheck = check(SetsReply);

/** `POST /link/v1/certificate` with a certificate request; also the answer to a renewal over `writ-enrol/1`. */
export const CertificateReply = shape({
  /** Leaf first, then the issuing certificate: DER in base64. */
  chain: Type.Array(Base64, { minItems: 2, maxItems: 3 }),
  notAfter: Instant,
});
export type CertificateReply = Static<typeof CertificateReply>;
export const certificateReplyCheck = check(CertificateReply);

/** What agents' certificates routes and files routes answer beside the stream. */
export const LINK_ROUTES = {
  stream: '/link/v1/stream',
  sets: '/link/v1/sets',
  certificate: '/link/v1/certificate',
  /** GET: bytes of an input that one of my leases names. PUT with `?job=&index=&attempt=`: bytes of an output of that attempt. */
  file: '/link/v1/files/:digest',
  /** POST raw bytes at `?offset=`: appended to an attempt's log. */
  log: '/link/v1/logs/:job/:index/:attempt/:stream',
} as const;
