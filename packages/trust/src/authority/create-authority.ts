import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { backdatedMs } from './leaf-times.ts';
import { formatNewSerial, newSerial, type RandomBytes } from './new-serial.ts';
import { signingAlgorithm, signingKeyOf, x509 } from './x509.ts';

/** What issues leaves. Certificates are DER. */
export interface Authority {
  readonly rootCertificate: Uint8Array;
  readonly issuingCertificate: Uint8Array;
  readonly issuingKey: KeyObject;
}

/** The root's key is needed to renew the issuing certificate only, and may be kept elsewhere. */
export interface NewAuthority extends Authority {
  readonly rootKey: KeyObject;
}

export interface Now {
  readonly now: number;
  readonly randomBytes: RandomBytes;
}

const year = 366 * 24 * 3_600_000;
const rootYears = 20;
const issuingYears = 5;

/**
 * A new root and the issuing certificate below it. They do not hold the cluster id, which does not exist yet:
 * it is the digest of the first signer set, and that lists the root.
 */
export async function createAuthority(at: Now): Promise<NewAuthority> {
  const { privateKey: rootKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rootCertificate = await certifyAuthority({
    at,
    kind: 'root',
    subjectKey: rootKey,
    signingKey: rootKey,
    issuer: null,
    notAfter: at.now + rootYears * year,
  });
  return { rootCertificate, rootKey, ...(await renewIssuing(rootCertificate, rootKey, at)) };
}

/** A new issuing key and certificate under the same root: nobody who trusts the root needs to be told. */
export async function renewIssuing(
  rootCertificate: Uint8Array,
  rootKey: KeyObject,
  at: Now,
): Promise<Pick<Authority, 'issuingCertificate' | 'issuingKey'>> {
  const { privateKey: issuingKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const root = new x509.X509Certificate(Buffer.from(rootCertificate));
  const issuingCertificate = await certifyAuthority({
    at,
    kind: 'issuing',
    subjectKey: issuingKey,
    signingKey: rootKey,
    issuer: root,
    notAfter: Math.min(at.now + issuingYears * year, root.notAfter.getTime()),
  });
  return { issuingCertificate, issuingKey };
}

interface AuthorityCertificate {
  readonly at: Now;
  readonly kind: 'root' | 'issuing';
  readonly subjectKey: KeyObject;
  readonly signingKey: KeyObject;
  readonly issuer: x509.X509Certificate | null;
  readonly notAfter: number;
}

async function certifyAuthority(wanted: AuthorityCertificate): Promise<Uint8Array> {
  const { at, kind, subjectKey, signingKey, issuer, notAfter } = wanted;
  const spki = createPublicKey(subjectKey).export({ type: 'spki', format: 'der' });
  // Two authorities never share a subject, so that no program has to guess which one is meant.
  const subject = `CN=Writ ${kind} ${createHash('sha256').update(spki).digest('hex').slice(0, 16)}`;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: formatNewSerial(newSerial(at.randomBytes)),
    subject,
    issuer: issuer?.subjectName ?? subject,
    notBefore: new Date(Math.floor(at.now / 1000) * 1000 - backdatedMs),
    notAfter: new Date(Math.floor(notAfter / 1000) * 1000),
    publicKey: spki,
    signingKey: signingKeyOf(signingKey),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, kind === 'root' ? 1 : 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(spki),
      await x509.AuthorityKeyIdentifierExtension.create(issuer?.publicKey ?? spki),
    ],
  });
  return new Uint8Array(certificate.rawData);
}
