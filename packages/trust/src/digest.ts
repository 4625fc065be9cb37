import { sha256Hex, startSha256 } from '#primitives';

export { sha256 } from '#primitives';

/** `sha256:` and 64 hexadecimal digits: how Writ writes every digest. */
export const digestOf = (bytes: Uint8Array | string): string => `sha256:${sha256Hex(bytes)}`;

/** A digest over bytes that arrive in pieces. */
export function startDigest(): { update(chunk: Uint8Array): void; digest(): string } {
  const state = startSha256();
  return { update: state.update, digest: () => `sha256:${state.hex()}` };
}
