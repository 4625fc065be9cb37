import { refusal } from './refuse.ts';

/** One DER element: `content` is what is inside, `whole` includes tag and length. */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  readonly whole: Buffer;
}

const longestBytes = 16 * 1024;
const mostElements = 256;

/** The elements of `bytes`, which they must fill exactly. Strict DER; nothing is skipped or guessed. */
export function readDerElements(bytes: Uint8Array): readonly DerElement[] {
  if (bytes.length > longestBytes) throw malformed(`${bytes.length} bytes are more than ${longestBytes}`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: DerElement[] = [];
  let at = 0;
  while (at < buffer.length) {
    if (elements.length === mostElements) throw malformed(`more than ${mostElements} elements side by side`);
    const element = readDerElement(buffer, at);
    elements.push(element);
    at += element.whole.length;
  }
  return elements;
}

/** The children of the one SEQUENCE (or other constructed element) that `bytes` are. */
export function readDerChildren(bytes: Uint8Array, tag: number): readonly DerElement[] {
  const [element, ...rest] = readDerElements(bytes);
  if (element?.tag !== tag || rest.length > 0)
    throw malformed(`expected one element with tag 0x${tag.toString(16)}`);
  return readDerElements(element.content);
}

export function malformed(what: string): Error {
  return refusal(
    'certificate.malformed',
    `The certificate cannot be read: ${what}. Ask this cluster for a new certificate.`,
  );
}

function readDerElement(buffer: Buffer, at: number): DerElement {
  const tag = buffer[at];
  const first = buffer[at + 1];
  if (tag === undefined || first === undefined) throw malformed('it ends inside an element');
  if ((tag & 0x1f) === 0x1f) throw malformed('a tag has several bytes');
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || lengthBytes > 2) throw malformed('a length is not definite or too long');
  let start = at + 2;
  let length = first;
  if (lengthBytes > 0) {
    if (start + lengthBytes > buffer.length) throw malformed('it ends inside a length');
    length = buffer.readUIntBE(start, lengthBytes);
    start += lengthBytes;
    const shortest = lengthBytes === 1 ? 0x80 : 0x100;
    if (length < shortest) throw malformed('a length is not in its shortest form');
  }
  if (start + length > buffer.length) throw malformed('an element is longer than what holds it');
  return { tag, content: buffer.subarray(start, start + length), whole: buffer.subarray(at, start + length) };
}
