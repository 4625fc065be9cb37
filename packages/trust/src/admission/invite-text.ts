import { decodeBase32, encodeBase32 } from '@writ/contract';
import { sha256 } from '../digest.ts';
import { TrustError } from '../trust-error.ts';

/** What an invite says to the machine that joins: nothing of it comes from a server. */
export interface InviteText {
  /** Digest of the newest signer set that the inviter knew. */
  readonly set: string;
  /** 16 bytes, from which the key is derived that signs the admission. Never sent. */
  readonly seed: Uint8Array;
  /** `host:port`, at least one. */
  readonly addresses: readonly string[];
}

const PREFIX = 'writ1-';
const CHECK_BYTES = 4;
const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;

export function writeInvite({ set, seed, addresses }: InviteText): string {
  const secret = new Uint8Array([...hexBytes(set), ...seed]);
  return `${PREFIX}${encodeBase32(new Uint8Array([...secret, ...checkOf(secret)]))}@${addresses.join(',')}`;
}

/** @throws TrustError `invite.malformed` that says what is wrong with the text. */
export function parseInvite(text: string): InviteText {
  const [head, tail, ...rest] = text.trim().split('@');
  if (!head?.startsWith(PREFIX)) throw malformed(`an invite begins with ${PREFIX}`);
  if (!tail || rest.length > 0) throw malformed('an invite ends with @host:port');
  const bytes = decodeBase32(head.slice(PREFIX.length).toLowerCase());
  if (bytes?.length !== 32 + 16 + CHECK_BYTES) throw malformed('letters are missing, doubled or wrong');
  const secret = bytes.subarray(0, 48);
  if (checkOf(secret).some((byte, at) => byte !== bytes[48 + at])) throw malformed('a letter is wrong');
  const addresses = tail.split(',');
  const odd = addresses.find((address) => !ADDRESS.test(address));
  if (odd !== undefined) throw malformed(`“${odd}” is not host:port`);
  const set = `sha256:${Array.from(secret.subarray(0, 32), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
  return { set, seed: secret.slice(32), addresses };
}

const malformed = (why: string) =>
  new TrustError(
    'invite.malformed',
    `this is not an invite: ${why}. Copy the whole text that “writ invite” printed`,
  );
const checkOf = (secret: Uint8Array): Uint8Array =>
  sha256(new Uint8Array([...new TextEncoder().encode(PREFIX), ...secret])).subarray(0, CHECK_BYTES);
const hexBytes = (digest: string): number[] =>
  (digest.slice('sha256:'.length).match(/../g) ?? []).map((hex) => Number.parseInt(hex, 16));
