import { type DerElement, malformed, readDerChildren, readDerElements } from './read-der.ts';

/** What a certificate says, unjudged. Names and keys stay bytes, to be compared exactly. */
export interface Certificate {
  readonly der: Buffer;
  /** The bytes that are signed. */
  readonly signedPart: Buffer;
  readonly signature: Buffer;
  /** Both places that name the signature algorithm, as DER. */
  readonly signatureAlgorithms: readonly [Buffer, Buffer];
  readonly serial: string;
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKeySpki: Buffer;
  readonly basicConstraints: { critical: boolean; isAuthority: boolean; pathLength: number | null } | null;
  /** The bit string as DER wrote it: unused bits, then bits. */
  readonly keyUsage: { critical: boolean; bits: Buffer } | null;
  readonly extendedKeyUsage: readonly string[] | null;
  readonly names: readonly { kind: 'uri' | 'dns' | 'ip' | 'other'; value: string }[];
  readonly unknownCritical: readonly string[];
}

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  version: 0xa0,
  extensions: 0xa3,
} as const;

const extensionIds = {
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  extendedKeyUsage: '551d25',
} as const;

/** Reads an X.509 v3 certificate; refuses whatever is not strict DER or says a thing twice. */
export function readCertificate(der: Uint8Array): Certificate {
  const [signedPart, algorithm, signature, ...after] = readDerChildren(der, tags.sequence);
  if (after.length > 0) throw malformed('something follows the signature');
  const fields = readDerElements(expectTag(signedPart, tags.sequence).content);
  const [version, serial, innerAlgorithm, issuer, validity, subject, spki, ...optional] = fields;
  if (expectTag(version, tags.version).content.toString('hex') !== '020102')
    throw malformed('it is not version 3');
  const [notBefore, notAfter, ...moreTimes] = readDerElements(expectTag(validity, tags.sequence).content);
  if (moreTimes.length > 0) throw malformed('its validity has more than two times');
  const [extensions, ...moreOptional] = optional;
  if (moreOptional.length > 0) throw malformed('it has fields besides its extensions');
  return {
    der: Buffer.from(der),
    signedPart: expectTag(signedPart, tags.sequence).whole,
    signature: readBits(expectTag(signature, tags.bitString)),
    signatureAlgorithms: [
      expectTag(algorithm, tags.sequence).whole,
      expectTag(innerAlgorithm, tags.sequence).whole,
    ],
    serial: readSerial(expectTag(serial, tags.integer).content),
    issuer: expectTag(issuer, tags.sequence).whole,
    subject: expectTag(subject, tags.sequence).whole,
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    publicKeySpki: expectTag(spki, tags.sequence).whole,
    ...readExtensions(extensions),
  };
}

function expectTag(element: DerElement | undefined, tag: number): DerElement {
  if (element?.tag !== tag) throw malformed(`expected an element with tag 0x${tag.toString(16)}`);
  return element;
}

function readBits(element: DerElement): Buffer {
  if (element.content[0] !== 0) throw malformed('its signature is not whole bytes');
  return element.content.subarray(1);
}

function readSerial(content: Buffer): string {
  const [first, second] = content;
  if (first === undefined || first >= 0x80) throw malformed('its serial number is negative or empty');
  if (first === 0 && (second ?? 0) < 0x80)
    throw malformed('its serial number is zero or not in its shortest form');
  if (content.length > 20) throw malformed('its serial number is longer than 20 bytes');
  return formatSerial(content);
}

/** 32 digits at least, so that equal numbers are equal text. */
export function formatSerial(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').replace(/^0+/, '').padStart(32, '0');
}

function readTime(element: DerElement | undefined): number {
  const text = element?.content.toString('latin1') ?? '';
  let year: string;
  if (element?.tag === tags.utcTime && /^\d{12}Z$/.test(text)) {
    year = (text < '50' ? '20' : '19') + text.slice(0, 2);
  } else if (element?.tag === tags.generalizedTime && /^\d{14}Z$/.test(text)) {
    year = text.slice(0, 4);
  } else throw malformed('its validity is not two times in UTC');
  const [month, day, hour, minute, second] = text.slice(-11, -1).match(/../g) ?? [];
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = Date.parse(iso);
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso) throw malformed(`${iso} is not a time`);
  return time;
}

type Extensions = Pick<
  Certificate,
  'basicConstraints' | 'keyUsage' | 'extendedKeyUsage' | 'names' | 'unknownCritical'
>;

function readExtensions(element: DerElement | undefined): Extensions {
  const found = new Map<string, { critical: boolean; value: Buffer }>();
  if (element !== undefined) {
    const list = readDerChildren(expectTag(element, tags.extensions).content, tags.sequence);
    for (const { id, ...extension } of list.map(readExtension)) {
      if (found.has(id)) throw malformed('it has the same extension twice');
      found.set(id, extension);
    }
  }
  const known = new Set<string>(Object.values(extensionIds));
  const basicConstraints = found.get(extensionIds.basicConstraints);
  const keyUsage = found.get(extensionIds.keyUsage);
  const extendedKeyUsage = found.get(extensionIds.extendedKeyUsage);
  const subjectAltName = found.get(extensionIds.subjectAltName);
  return {
    basicConstraints: basicConstraints ? readBasicConstraints(basicConstraints) : null,
    keyUsage: keyUsage ? { critical: keyUsage.critical, bits: readKeyUsage(keyUsage.value) } : null,
    extendedKeyUsage: extendedKeyUsage ? readOids(extendedKeyUsage.value) : null,
    names: subjectAltName ? readDerChildren(subjectAltName.value, tags.sequence).map(readName) : [],
    unknownCritical: [...found].filter(([id, { critical }]) => critical && !known.has(id)).map(([id]) => id),
  };
}

function readExtension(element: DerElement): { id: string; critical: boolean; value: Buffer } {
  const parts = readDerElements(expectTag(element, tags.sequence).content);
  const critical = parts[1]?.tag === tags.boolean;
  // DER leaves out a default: "not critical" is never written.
  if (critical && parts[1]?.content.toString('hex') !== 'ff') throw malformed('a boolean is not in DER');
  if (parts.length !== (critical ? 3 : 2)) throw malformed('an extension has a wrong number of parts');
  return {
    id: expectTag(parts[0], tags.oid).content.toString('hex'),
    critical,
    value: expectTag(parts.at(-1), tags.octetString).content,
  };
}

function readBasicConstraints({ critical, value }: { critical: boolean; value: Buffer }) {
  const parts = readDerChildren(value, tags.sequence);
  if (parts.length === 0) return { critical, isAuthority: false, pathLength: null };
  const [authority, pathLength, ...more] = parts;
  if (expectTag(authority, tags.boolean).content.toString('hex') !== 'ff' || more.length > 0) {
    throw malformed('its basic constraints are not in DER');
  }
  if (pathLength === undefined) return { critical, isAuthority: true, pathLength: null };
  const { content } = expectTag(pathLength, tags.integer);
  if (content.length !== 1 || (content[0] ?? 0x80) >= 0x80)
    throw malformed('its path length is not a small number');
  return { critical, isAuthority: true, pathLength: content[0] ?? 0 };
}

function readKeyUsage(value: Buffer): Buffer {
  const [bits, ...more] = readDerElements(value);
  if (more.length > 0) throw malformed('its key usage is not one bit string');
  return expectTag(bits, tags.bitString).content;
}

function readOids(value: Buffer): string[] {
  return readDerChildren(value, tags.sequence).map((oid) => expectTag(oid, tags.oid).content.toString('hex'));
}

const nameKinds: Readonly<Record<number, 'uri' | 'dns' | 'ip'>> = { 0x86: 'uri', 0x82: 'dns', 0x87: 'ip' };

function readName({ tag, content }: DerElement): Certificate['names'][number] {
  const kind = nameKinds[tag] ?? 'other';
  return { kind, value: content.toString(kind === 'uri' || kind === 'dns' ? 'latin1' : 'hex') };
}
