import {
  createHash,
  createPrivateKey as createPrivateKeyAnew,
  createPublicKey as createPublicKeyAnew,
  generateKeyPairSync as generateAnew,
  hkdfSync as deriveAnew,
  KeyObject,
  sign as signAnew,
  verify as verifyAnew,
} from 'node:crypto';
import { running } from './virtual-time.ts';

export * from 'node:crypto';

const remembered = new Map<string, boolean>();
const names = new WeakMap<KeyObject, string>();
const MOST = 100_000;

/**
 * The verification of Node, asked once for each question: what is signed does not change, and the same order, set or
 * certificate is verified by every program of a run. What Ed25519 has signed here is not asked at all.
 */
export function verify(
  algorithm: string | null,
  bytes: Uint8Array,
  key: KeyObject,
  signature: Uint8Array,
): boolean {
  const question = questionOf(algorithm, bytes, key, signature);
  const known = remembered.get(question);
  if (known !== undefined) return known;
  const answer = verifyAnew(algorithm, bytes, key, signature);
  remember(question, answer);
  return answer;
}

export function sign(algorithm: string | null, bytes: Uint8Array, key: KeyObject): Buffer {
  const signature = signAnew(algorithm, bytes, key);
  if (algorithm === null) remember(questionOf(null, bytes, createPublicKey(key), signature), true);
  return signature;
}

function questionOf(
  algorithm: string | null,
  bytes: Uint8Array,
  key: KeyObject,
  signature: Uint8Array,
): string {
  let name = names.get(key);
  if (name === undefined) {
    name = key.export({ format: 'der', type: 'spki' }).toString('latin1');
    names.set(key, name);
  }
  return createHash('sha256')
    .update(name, 'latin1')
    .update(algorithm ?? '')
    .update(signature)
    .update('|')
    .update(bytes)
    .digest('base64');
}

function remember(question: string, answer: boolean): void {
  if (remembered.size >= MOST) remembered.clear();
  remembered.set(question, answer);
}

// Keys are read once as well: those of persons and machines are the same in every run.

const publicKeys = new Map<string, KeyObject>();
const privateKeys = new Map<string, KeyObject>();
const publicOf = new WeakMap<KeyObject, KeyObject>();

export function createPublicKey(given: Parameters<typeof createPublicKeyAnew>[0]): KeyObject {
  if (given instanceof KeyObject) {
    const known = publicOf.get(given) ?? exportedOnce(createPublicKeyAnew(given));
    publicOf.set(given, known);
    return known;
  }
  return readOnce(publicKeys, given, () => createPublicKeyAnew(given));
}

export function createPrivateKey(given: Parameters<typeof createPrivateKeyAnew>[0]): KeyObject {
  return readOnce(privateKeys, given, () => createPrivateKeyAnew(given));
}

function readOnce(known: Map<string, KeyObject>, given: unknown, read: () => KeyObject): KeyObject {
  if (typeof given !== 'object' || given === null || !('key' in given) || !(given.key instanceof Uint8Array))
    return read();
  const name = Buffer.from(given.key.buffer, given.key.byteOffset, given.key.length).toString('latin1');
  let key = known.get(name);
  if (key) return key;
  key = exportedOnce(read());
  if (known.size >= MOST) known.clear();
  known.set(name, key);
  return key;
}

function exportedOnce(key: KeyObject): KeyObject {
  const known = new Map<string, ReturnType<KeyObject['export']>>();
  const exportAnew = key.export.bind(key);
  return Object.defineProperty(key, 'export', {
    value: (how: Parameters<KeyObject['export']>[0]) => {
      const name = JSON.stringify(how);
      const made = known.get(name) ?? exportAnew(how);
      known.set(name, made);
      return made;
    },
  });
}

const derived = new Map<string, ArrayBuffer>();
export function hkdfSync(
  digest: string,
  secret: Uint8Array,
  salt: Uint8Array,
  purpose: string,
  length: number,
): ArrayBuffer {
  const bytes = [secret, salt].map((part) => Buffer.from(part).toString('latin1'));
  const name = [digest, ...bytes, purpose, length].join(' ');
  const made = derived.get(name) ?? deriveAnew(digest, secret, salt, purpose, length);
  if (derived.size >= MOST) derived.clear();
  derived.set(name, made);
  return made.slice(0);
}

const generateP256 = () => generateAnew('ec', { namedCurve: 'P-256' });
const pairs = new Map<string, ReturnType<typeof generateP256>>();
const made = new Map<string, number>();

/** Keys for TLS are made once for all runs of a process: the first of a machine is the same in each of them. */
export const beginKeysAnew = (): void => made.clear();
export function generateKeyPairSync(): ReturnType<typeof generateP256> {
  const host = running.getStore()?.host.name;
  if (host === undefined) return generateP256();
  const count = (made.get(host) ?? 0) + 1;
  made.set(host, count);
  const name = `${host} ${count}`;
  const pair = pairs.get(name) ?? generateP256();
  pairs.set(name, pair);
  return pair;
}
