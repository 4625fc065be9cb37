import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { x509 } from '../../authority/x509.ts';
import { pemOf } from '../tls-options.ts';

/** Certificates of every kind, right and wrong, as tests need them. */
export interface Certified {
  readonly der: Uint8Array;
  readonly key: KeyObject;
  readonly subject: string;
}

export interface Wanted {
  readonly subject: string;
  readonly issuer: Certified | null;
  readonly extensions: readonly x509.Extension[];
  readonly keyKind?: 'P-256' | 'P-384' | 'RSA-1024' | 'RSA-2048' | 'Ed25519';
  readonly hash?: 'SHA-1' | 'SHA-256' | 'SHA-384';
  readonly notBefore?: number;
  readonly notAfter?: number;
}

const hour = 3_600_000;

export async function certify(wanted: Wanted): Promise<Certified> {
  const { privateKey: key, publicKey } = generate(wanted.keyKind ?? 'P-256');
  const signer = wanted.issuer?.key ?? key;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: wanted.hash ?? 'SHA-256' };
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: randomBytes(16).toString('hex'),
    subject: wanted.subject,
    issuer: wanted.issuer?.subject ?? wanted.subject,
    notBefore: new Date(wanted.notBefore ?? Date.now() - hour),
    notAfter: new Date(wanted.notAfter ?? Date.now() + hour),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    signingKey: signer.toCryptoKey(algorithm, false, ['sign']) as CryptoKey,
    signingAlgorithm: algorithm,
    extensions: [...wanted.extensions],
  });
  return { der: new Uint8Array(certificate.rawData), key, subject: wanted.subject };
}

export interface AuthorityPair {
  readonly root: Certified;
  readonly issuing: Certified;
}

/** A root and an issuing certificate as this cluster makes them, or with another's subjects. */
export async function certifyAuthorityPair(subject: string): Promise<AuthorityPair> {
  const root = await certify({
    subject: `CN=${subject} root`,
    issuer: null,
    extensions: authorityExtensions(1),
  });
  const issuing = await certify({
    subject: `CN=${subject} issuing`,
    issuer: root,
    extensions: authorityExtensions(0),
  });
  return { root, issuing };
}

export function authorityExtensions(pathLength: number): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  ];
}

/** What a leaf of this cluster has; each part can be replaced, or left out with `null`. */
export interface LeafParts {
  basicConstraints?: x509.Extension | null;
  keyUsage?: x509.Extension | null;
  extendedKeyUsage?: readonly string[] | null;
  names?: x509.JsonGeneralNames | null;
  more?: readonly x509.Extension[];
}

export function leafExtensions(uri: string, parts: LeafParts = {}): x509.Extension[] {
  const {
    basicConstraints = new x509.BasicConstraintsExtension(false, undefined, true),
    keyUsage = new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    extendedKeyUsage = [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
    names = [{ type: 'url', value: uri }],
    more = [],
  } = parts;
  return [
    ...(basicConstraints === null ? [] : [basicConstraints]),
    ...(keyUsage === null ? [] : [keyUsage]),
    ...(extendedKeyUsage === null ? [] : [new x509.ExtendedKeyUsageExtension([...extendedKeyUsage])]),
    ...(names === null ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ...more,
  ];
}

export function ownOf(leaf: Certified, ...above: readonly Certified[]) {
  return {
    chainPem: pemOf([leaf, ...above].map(({ der }) => der)).join(''),
    privateKeyPem: leaf.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function generate(kind: NonNullable<Wanted['keyKind']>) {
  switch (kind) {
    case 'RSA-1024':
      return generateKeyPairSync('rsa', { modulusLength: 1024 });
    case 'RSA-2048':
      return generateKeyPairSync('rsa', { modulusLength: 2048 });
    case 'Ed25519':
      return generateKeyPairSync('ed25519');
    case 'P-256':
    case 'P-384':
      return generateKeyPairSync('ec', { namedCurve: kind });
  }
}
