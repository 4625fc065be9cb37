import {
  createHash,
  createPublicKey as createPublicKeyAnew,
  generateKeyPairSync as generateAnew,
  verify as verifyAnew,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { running } from './virtual-time.ts';

export * from 'node:crypto';

const remembered = new Map<string, boolean>();
const names = new WeakMap<KeyObject, string>();
const MOST = 100_000;

/**
 * The verification of Node, asked once for each question: what is signed does not change, and the same order, set or
 * certificate is verified by every program of a run.
 */
export function verify(
  algorithm: string | null,
  bytes: Uint8Array,
  key: KeyObject,
  signature: Uint8Array,
): boolean {
  let name = names.get(key);
  if (name === undefined) {
    name = key.export({ format: 'der', type: 'spki' }).toString('latin1');
    names.set(key, name);
  }
  const question = createHash('sha256')
    .update(name, 'latin1')
    .update(algorithm ?? '')
    .update(signature)
    .update('|')
    .update(bytes)
    .digest('base64');
  const known = remembered.get(question);
  if (known !== undefined) return known;
  const answer = verifyAnew(algorithm, bytes, key, signature);
  if (remembered.size >= MOST) remembered.clear();
  remembered.set(question, answer);
  return answer;
}

const keys = new Map<string, KeyObject>();

export function createPublicKey(given: Parameters<typeof createPublicKeyAnew>[0]): KeyObject {
  if (typeof given !== 'object' || !('key' in given) || !(given.key instanceof Uint8Array))
    return createPublicKeyAnew(given);
  const name = Buffer.from(given.key).toString('latin1');
  const known = keys.get(name);
  if (known) return known;
  const made = createPublicKeyAnew(given);
  if (keys.size >= MOST) keys.clear();
  keys.set(name, made);
  return made;
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
