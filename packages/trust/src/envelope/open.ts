import { BOUNDS, decodeBase64, envelopeCheck, parsePayload } from '@writ/contract';
import type { Check, Envelope, PayloadType } from '@writ/contract';
import { digestOf } from '../digest.ts';
import { verifySignature } from '../keys.ts';
import { TrustError } from '../trust-error.ts';
import { preAuthenticationEncoding } from './encode.ts';

export interface Opened<T> {
  readonly value: T;
  readonly digest: string;
  /** The keys whose signatures are right: each signature of the envelope is by exactly one of them. */
  readonly signedBy: readonly string[];
}

export interface Opening<T> {
  readonly type: PayloadType;
  readonly check: Check<T>;
  /** Keys that may have signed. A `keyid` only says which to try first. */
  readonly candidates: Iterable<string>;
  /**
   * For objects that name a key nobody has seen before: also try what `keyid` says. The caller then compares
   * `signedBy` with the key that the payload names.
   */
  readonly mayNameItself?: boolean;
  readonly maxBytes?: number;
  /** 16 unless said otherwise: each costs a verification for each candidate. */
  readonly maxSignatures?: number;
  /** Parses what has been verified; tests count its calls. */
  readonly parse?: typeof parsePayload;
}

const MOST_SIGNATURES = 16;

/**
 * Verify, then parse the same bytes, once.
 * Codes: `envelope.malformed`, `envelope.type_wrong`, `envelope.key_unknown`, `envelope.signature_bad`, `envelope.format_unknown`,
 * `envelope.payload_malformed`.
 */
export function openEnvelope<T>(given: unknown, opening: Opening<T>): Opened<T> {
  const { envelope, payload, encoded, digest } = readEnvelope(given, opening.type, opening.maxBytes);
  if (envelope.signatures.length > (opening.maxSignatures ?? MOST_SIGNATURES))
    throw new TrustError('envelope.malformed', `there are ${envelope.signatures.length} signatures`);
  const candidates = [...opening.candidates];
  const signedBy = envelope.signatures.map((signature) => {
    const bytes = decodeBase64(signature.sig);
    const key =
      bytes && findSigner(bytes, encoded, signature.keyid, candidates, opening.mayNameItself ?? false);
    if (key) return key;
    const isStranger = signature.keyid !== undefined && !candidates.includes(signature.keyid);
    if (bytes && isStranger && verifySignature(signature.keyid!, encoded, bytes)) {
      throw new TrustError('envelope.key_unknown', `signed by ${signature.keyid}, which may not sign this`);
    }
    throw new TrustError(
      'envelope.signature_bad',
      'a signature does not fit the bytes, or is by nobody who may sign this',
    );
  });
  if (new Set(signedBy).size !== signedBy.length)
    throw new TrustError('envelope.signature_bad', 'one key signed twice');
  return { value: parseChecked(payload, opening), digest, signedBy };
}

/** What an envelope is called, whoever signed it. @throws TrustError `envelope.malformed` */
export function envelopeDigest(given: Envelope): string {
  return readEnvelope(given, undefined, BOUNDS.receiptBytes).digest;
}

/** For showing and for finding keys: nothing has been verified. Never decide anything by it. */
export function readUnverified<T>(
  given: unknown,
  opening: Pick<Opening<T>, 'type' | 'check' | 'maxBytes'>,
): T {
  return parseChecked(readEnvelope(given, opening.type, opening.maxBytes).payload, opening);
}

function readEnvelope(
  given: unknown,
  type: PayloadType | undefined,
  maxBytes: number = BOUNDS.documentBytes,
) {
  if (!envelopeCheck.is(given)) throw new TrustError('envelope.malformed', 'this is not a DSSE envelope');
  if (type !== undefined && given.payloadType !== type) {
    throw new TrustError('envelope.type_wrong', `this is a ${given.payloadType}, not a ${type}`);
  }
  if (given.payload.length > (maxBytes * 4) / 3 + 4)
    throw new TrustError('envelope.malformed', `the payload is larger than ${maxBytes} bytes`);
  const payload = decodeBase64(given.payload);
  if (!payload)
    throw new TrustError('envelope.malformed', 'the payload is not in the one spelling of base64');
  const encoded = preAuthenticationEncoding(given.payloadType, payload);
  return { envelope: given, payload, encoded, digest: digestOf(encoded) };
}

function findSigner(
  signature: Uint8Array,
  encoded: Uint8Array,
  hint: string | undefined,
  candidates: readonly string[],
  mayNameItself: boolean,
): string | undefined {
  const isHintUsable = hint !== undefined && (mayNameItself || candidates.includes(hint));
  if (isHintUsable && verifySignature(hint, encoded, signature)) return hint;
  return candidates.find((key) => key !== hint && verifySignature(key, encoded, signature));
}

function parseChecked<T>(payload: Uint8Array, opening: Pick<Opening<T>, 'check' | 'parse'>): T {
  const parsed = (opening.parse ?? parsePayload)(payload);
  if ('fault' in parsed)
    throw new TrustError('envelope.payload_malformed', `the payload is refused: ${parsed.fault}`);
  const format = formatOf(parsed.value);
  if (format !== undefined && format !== FORMAT)
    throw new TrustError(
      'envelope.format_unknown',
      `this is of format ${JSON.stringify(format)}, known is ${FORMAT}`,
    );
  if (!opening.check.is(parsed.value)) {
    const [fault] = opening.check.faults(parsed.value);
    throw new TrustError(
      'envelope.payload_malformed',
      `the payload does not have its shape: ${fault?.pointer || '/'} ${fault?.detail ?? ''}`,
    );
  }
  return parsed.value;
}

const FORMAT = 1;

/** Said by name, because it is no fault: a newer program wrote it, and another machine may know it. */
const formatOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
