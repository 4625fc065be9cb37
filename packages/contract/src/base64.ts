/** Where the platform has one (Node), it is many times faster than what every browser has. */
const fast = (globalThis as { Buffer?: typeof Buffer }).Buffer;

/** Standard base64 with padding, as DSSE writes it. */
export function encodeBase64(bytes: Uint8Array): string {
  if (fast) return fast.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** @returns undefined unless the text is the one spelling that {@link encodeBase64} gives: free bits and white space change a text but not its meaning. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  // Node's decoder skips what is no base64; what it makes of that does not give the same text again.
  const bytes = fast ? new Uint8Array(fast.from(text, 'base64')) : decodeAsBrowsers(text);
  return bytes && encodeBase64(bytes) === text ? bytes : undefined;
}

export function encodeBase64Url(bytes: Uint8Array): string {
  return encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

export function decodeBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined;
  const standard = text.replaceAll('-', '+').replaceAll('_', '/');
  return decodeBase64(standard.padEnd(Math.ceil(standard.length / 4) * 4, '='));
}

function decodeAsBrowsers(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
