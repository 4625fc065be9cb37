export type PayloadFault = 'not_utf8' | 'not_json' | 'not_canonical' | 'not_normal' | 'too_deep';

const MAX_DEPTH = 32;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A signed payload has one spelling: what JSON.stringify makes of what JSON.parse makes of it. This alone refuses
 * duplicate keys, integers beyond 2^53, white space and unnecessary escapes, at the speed of the platform's own parser.
 */
export function parsePayload(bytes: Uint8Array): { value: unknown } | { fault: PayloadFault } {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return { fault: 'not_utf8' };
  }
  let value: unknown;
  let again: string;
  try {
    value = JSON.parse(text);
    if (!isShallow(value, MAX_DEPTH)) return { fault: 'too_deep' };
    again = JSON.stringify(value);
  } catch {
    return { fault: 'not_json' };
  }
  if (again !== text) return { fault: 'not_canonical' };
  if (!isNormal(text, text.length === bytes.length)) return { fault: 'not_normal' };
  return { value };
}

/**
 * What JSON.stringify writes is the one spelling already.
 * @throws TypeError for a value that {@link parsePayload} would refuse.
 */
export function writePayload(value: unknown): Uint8Array {
  const text = JSON.stringify(value);
  const bytes = new TextEncoder().encode(text);
  const fault =
    (!isShallow(value, MAX_DEPTH) && 'too_deep') ||
    (!isNormal(text, text.length === bytes.length) && 'not_normal');
  if (fault) throw new TypeError(`this value cannot be signed: ${fault}`);
  return bytes;
}

/** NFC, which ASCII always is, and no half of a surrogate pair (JSON.stringify escapes those, and only those, as \\ud…). */
function isNormal(text: string, isAscii: boolean): boolean {
  if (!isAscii && text.normalize('NFC') !== text) return false;
  return !text.includes('\\ud') || !/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(text);
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  for (const inner of Object.values(value)) if (!isShallow(inner, depth - 1)) return false;
  return true;
}
