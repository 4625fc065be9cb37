import { encodeBase64 } from '@writ/contract';
import type { Envelope, PayloadType } from '@writ/contract';
import fc from 'fast-check';
import { seal } from '../envelope/seal.ts';
import type { Signer } from '../keys.ts';

/** A genuine object and who signs it, so that its changed copies can be signed rightly too. */
export interface Genuine {
  readonly type: PayloadType;
  readonly envelope: Envelope;
  readonly signers: readonly Signer[];
}

export const payloadOf = ({ payload }: Envelope): unknown =>
  JSON.parse(Buffer.from(payload, 'base64').toString('utf8'));

/** As a forger would write it: without asking whether anybody would read it. */
const textOf = (payload: unknown): string => encodeBase64(new TextEncoder().encode(JSON.stringify(payload)));

type Path = readonly (string | number)[];

function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

function changeAt(value: unknown, path: Path, change: (found: unknown) => unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return change(value);
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  const inner = changeAt(copy[key], rest, change);
  if (inner === undefined) delete copy[key];
  else copy[key] = inner;
  return Array.isArray(value) ? Object.values(copy) : copy;
}

/** One field dropped, one added, or one of another type: the shape of no signed object allows any of these. */
export function misshapen(payload: unknown): fc.Arbitrary<unknown> {
  const places = placesOf(payload);
  const at = (path: Path): unknown =>
    path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], payload);
  const isObject = (path: Path): boolean => {
    const value = at(path);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  };
  const fields = places.filter((path) => path.length > 0 && isObject(path.slice(0, -1)));
  const dropped = fc.constantFrom(...fields).map((path) => changeAt(payload, path, () => undefined));
  const added = fc
    .tuple(
      fc.constantFrom(...places.filter(isObject)),
      fc.constantFrom('extra', '__proto__', 'constructor', 'Format', 'format ', ''),
      fc.constantFrom<unknown>(null, 1, '', [], {}, { admin: true }),
    )
    .map(([path, name, value]) =>
      changeAt(payload, path, (found) =>
        Object.fromEntries([...Object.entries(found as object), [name, value]]),
      ),
    );
  const retyped = fc
    .tuple(fc.constantFrom(...places), fc.constantFrom<unknown>({}, [[]], 0.5, -1, 2 ** 53, { is: 'x' }))
    .map(([path, value]) => changeAt(payload, path, () => value));
  return fc.oneof(dropped, added, retyped);
}

/** What a thief of envelopes without keys can make: parts of one put into another, or spelled otherwise. */
export function mixed(one: Genuine, others: readonly Genuine[]): fc.Arbitrary<unknown> {
  const { envelope } = one;
  const other = fc.constantFrom(...others.map((each) => each.envelope));
  return fc.oneof(
    other.map(({ payload }) => ({ ...envelope, payload })),
    other.map(({ signatures }) => ({ ...envelope, signatures })),
    other.map(({ payload, payloadType }) => ({ ...envelope, payload, payloadType })),
    other.map(({ signatures }) => ({ ...envelope, signatures: [...envelope.signatures, ...signatures] })),
    other.map(({ payload, signatures }) => ({ ...envelope, payload, signatures })),
    misshapen(envelope).filter((value) => !isMissingHint(value)),
    misshapen(payloadOf(envelope)).map((value) => ({
      ...envelope,
      payload: textOf(value),
    })),
  );
}

/** The key id is only a hint: without it, or with another, an object may still be genuine. */
function isMissingHint(value: unknown): boolean {
  const signatures = (value as Partial<Envelope> | null)?.signatures;
  return (
    Array.isArray(signatures) &&
    signatures.every(
      (signature) =>
        typeof signature?.sig === 'string' &&
        Object.keys(signature).every((name) => name === 'keyid' || name === 'sig') &&
        (signature.keyid === undefined || typeof signature.keyid === 'string'),
    )
  );
}

/** The same change, signed by those who signed the original: only the reader's own checks can refuse it. */
export const resealed = ({ type, envelope, signers }: Genuine): fc.Arbitrary<unknown> =>
  misshapen(payloadOf(envelope))
    .filter(canBeSealed)
    .map((value) => seal(type, value, signers).envelope);

function canBeSealed(value: unknown): boolean {
  try {
    seal('application/vnd.writ.order+json', value, []);
    return true;
  } catch {
    return false;
  }
}
