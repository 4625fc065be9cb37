import type { FieldFault } from '../server-error.ts';

const MOST_DEPTH = 32;
const MOST_KEYS = 1_000;
/** Keys that mean something to the language itself. */
const BANNED = new Set(['__proto__', 'constructor', 'prototype']);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * JSON as a border takes it: UTF-8, no key twice in an object, nothing too deep, no key that is part of the language.
 * The platform's parser keeps the last of two equal keys; counting the keys in the text shows that it did.
 */
export function parseStrictJson(
  bytes: Uint8Array,
): { readonly value: unknown } | { readonly fault: FieldFault } {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    return { fault: { pointer: '', detail: 'this is not JSON in UTF-8' } };
  }
  const seen = { keys: 0 };
  const fault = findFault(value, '', 0, seen);
  if (fault) return { fault };
  if (countKeys(text) !== seen.keys)
    return { fault: { pointer: '', detail: 'a key stands twice in one object' } };
  return { value };
}

function findFault(
  value: unknown,
  pointer: string,
  depth: number,
  seen: { keys: number },
): FieldFault | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth === MOST_DEPTH) return { pointer, detail: `more than ${MOST_DEPTH} levels` };
  for (const [key, inner] of Object.entries(value)) {
    const at = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (!Array.isArray(value)) {
      seen.keys += 1;
      if (seen.keys > MOST_KEYS) return { pointer: at, detail: `more than ${MOST_KEYS} keys` };
      if (BANNED.has(key)) return { pointer: at, detail: 'this key is not allowed' };
    }
    const fault = findFault(inner, at, depth + 1, seen);
    if (fault) return fault;
  }
  return undefined;
}

/** Keys in the text: strings that a colon follows. The text has been parsed, so it is well formed. */
function countKeys(text: string): number {
  let keys = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at)) {
    at = endOfString(text, at + 1) + 1;
    let next = at;
    while (text[next] === ' ' || text[next] === '\n' || text[next] === '\r' || text[next] === '\t') next += 1;
    if (text[next] === ':') keys += 1;
  }
  return keys;
}

function endOfString(text: string, from: number): number {
  for (let at = from; ;) {
    const quote = text.indexOf('"', at);
    let slashes = 0;
    while (text[quote - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return quote;
    at = quote + 1;
  }
}
