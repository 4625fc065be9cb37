import { createHash, verify } from 'node:crypto';
import { parseLeafUri, type LeafUri, type Role } from './leaf-uri.ts';
import { publicKeyDigest, readP256Key } from './p256-key.ts';
import type { PeerIdentity } from './peer-identity.ts';
import { type Certificate, readCertificate } from './read-certificate.ts';
import { refusal } from './refuse.ts';

/** What the far end must be. Everything in it is known on this side, nothing comes from the far end. */
export interface PeerExpectation {
  readonly cluster: string;
  readonly roles: readonly Role[];
  /** Where one particular peer is dialed. */
  readonly name?: string;
  /** Milliseconds since 1970, UTC. */
  readonly now: number;
  /** Root certificates (DER) as listed in the signer set: the only ones that are trusted. */
  readonly roots: readonly Uint8Array[];
  /**
   * Issuing certificates (DER) known here, checked like presented ones. A listening side needs them:
   * Node 24.21 does not show it what stands between leaf and root (nodejs/node#65579).
   */
  readonly issuing: readonly Uint8Array[];
  /** Whether this identity may act at this moment: revocation, bans, superseded leaves. */
  readonly mayActNow: MayActNow;
}

export type MayActNow = (
  serial: string,
  identity: PeerIdentity,
) => true | 'revoked' | 'superseded' | 'banned';

/**
 * Judges the certificates that a peer presented (DER, leaf first) and says who it is.
 * Node's own check passes leaves with no extended key usage, with CA:TRUE or with weak keys; this one does not.
 */
export function checkLeaf(presented: readonly Uint8Array[], expected: PeerExpectation): PeerIdentity {
  const leaf = readLeaf(presented); // missing, malformed
  checkSignatureAlgorithm(leaf); // signature_algorithm
  readP256Key(leaf.publicKeySpki); // key_type
  checkExtensionsKnown(leaf); // extension_unknown
  checkNoAuthority(leaf); // is_authority
  checkLeafKeyUsage(leaf); // key_usage
  checkExtendedKeyUsage(leaf); // extended_key_usage
  const uri = readOnlyUri(leaf); // uri_missing, uri_several, uri_malformed
  checkCluster(uri, expected); // cluster_wrong
  checkRole(uri, expected); // role_wrong
  checkName(uri, expected); // name_wrong
  checkOtherNames(leaf, uri); // names
  checkTimes(leaf, expected.now); // not_yet_valid, expired
  checkChain(leaf, presented.slice(1), expected); // issuer_missing, issuer_not_authority, issuer_unknown, and again those of algorithm and time
  const identity = identityOf(leaf, uri);
  checkMayAct(identity, expected); // revoked, superseded, banned
  return identity;
}

/** ecdsa-with-SHA256 as DER; it has no parameters. */
const ecdsaSha256 = Buffer.from('300a06082a8648ce3d040302', 'hex');
/** A bit string with digitalSignature and nothing else. */
const digitalSignatureOnly = Buffer.from('0780', 'hex');
const keyCertSign = 0x04;
const purposes = ['2b06010505070301', '2b06010505070302']; // serverAuth, clientAuth
const mostPresented = 4;

function readLeaf([leaf]: readonly Uint8Array[]): Certificate {
  if (leaf === undefined) {
    throw refusal('certificate.missing', 'The peer presented no certificate. Join the cluster first.');
  }
  return readCertificate(leaf);
}

function checkSignatureAlgorithm({ signatureAlgorithms }: Certificate): void {
  if (signatureAlgorithms.every((algorithm) => algorithm.equals(ecdsaSha256))) return;
  throw refusal(
    'certificate.signature_algorithm',
    'The certificate is not signed with ECDSA and SHA-256, the one way this cluster signs.',
  );
}

function checkExtensionsKnown({ unknownCritical }: Certificate): void {
  if (unknownCritical.length === 0) return;
  throw refusal(
    'certificate.extension_unknown',
    `The certificate has a critical extension that is not known here (${unknownCritical.join(', ')}).`,
  );
}

function checkNoAuthority({ basicConstraints }: Certificate): void {
  if (basicConstraints?.critical === true && !basicConstraints.isAuthority) return;
  throw refusal(
    'certificate.is_authority',
    'The certificate may certify others, or does not say that it may not. A peer needs a leaf.',
  );
}

function checkLeafKeyUsage({ keyUsage }: Certificate): void {
  if (keyUsage?.critical === true && keyUsage.bits.equals(digitalSignatureOnly)) return;
  throw refusal(
    'certificate.key_usage',
    'The key usage of the certificate is not just digitalSignature, critical.',
  );
}

function checkExtendedKeyUsage({ extendedKeyUsage }: Certificate): void {
  if (
    extendedKeyUsage?.length === purposes.length &&
    purposes.every((purpose) => extendedKeyUsage.includes(purpose))
  ) {
    return;
  }
  throw refusal(
    'certificate.extended_key_usage',
    'The extended key usage of the certificate is not serverAuth and clientAuth.',
  );
}

function readOnlyUri({ names }: Certificate): LeafUri {
  const [uri, second] = names.filter(({ kind }) => kind === 'uri');
  if (uri === undefined)
    throw refusal('certificate.uri_missing', 'The certificate names nobody: it has no URI.');
  if (second !== undefined) {
    throw refusal(
      'certificate.uri_several',
      'The certificate names more than one identity: it has several URIs.',
    );
  }
  return parseLeafUri(uri.value);
}

function checkCluster({ cluster }: LeafUri, expected: PeerExpectation): void {
  if (cluster === expected.cluster) return;
  throw refusal(
    'certificate.cluster_wrong',
    `The certificate is of cluster ${cluster}, this is cluster ${expected.cluster}. Join this cluster.`,
  );
}

function checkRole({ role }: LeafUri, { roles }: PeerExpectation): void {
  if (roles.includes(role)) return;
  throw refusal(
    'certificate.role_wrong',
    `The certificate is of role ${role}; here only ${roles.join(', ')} may be.`,
  );
}

function checkName({ name }: LeafUri, expected: PeerExpectation): void {
  if (expected.name === undefined || name === expected.name) return;
  throw refusal(
    'certificate.name_wrong',
    `The certificate is of ${name}, not of ${expected.name}. Check the address.`,
  );
}

function checkOtherNames({ names }: Certificate, { role }: LeafUri): void {
  const mayHaveHosts = role === 'server' || role === 'gateway';
  if (names.every(({ kind }) => kind === 'uri' || (kind !== 'other' && mayHaveHosts))) return;
  throw refusal(
    'certificate.names',
    `The certificate has names that a certificate of role ${role} does not have.`,
  );
}

function checkTimes({ notBefore, notAfter }: Certificate, now: number): void {
  if (now < notBefore) {
    throw refusal(
      'certificate.not_yet_valid',
      `The certificate begins at ${new Date(notBefore).toISOString()}, it is ${new Date(now).toISOString()} here. Check both clocks.`,
    );
  }
  if (now > notAfter) {
    throw refusal(
      'certificate.expired',
      `The certificate ended at ${new Date(notAfter).toISOString()}, it is ${new Date(now).toISOString()} here. Ask for a new one.`,
    );
  }
}

/** leaf → issuing → root, two signatures and nothing in between; the root by its exact bytes. */
function checkChain(leaf: Certificate, presented: readonly Uint8Array[], expected: PeerExpectation): void {
  const known = [...presented.slice(0, mostPresented), ...expected.issuing].map(readCertificate);
  const named = known.filter(({ subject }) => subject.equals(leaf.issuer));
  if (named.length === 0) {
    throw refusal(
      'certificate.issuer_missing',
      'The certificate was issued by somebody who is not presented and not known here.',
    );
  }
  const issuers = named.filter((issuer) => isAuthority(issuer, 0));
  if (issuers.length === 0) {
    throw refusal(
      'certificate.issuer_not_authority',
      'The certificate was issued by somebody who may not issue.',
    );
  }
  const issuing = issuers.find((issuer) => isSignedBy(leaf, issuer));
  if (issuing !== undefined) checkSignatureAlgorithm(issuing);
  const root =
    issuing &&
    expected.roots
      .map(readCertificate)
      .find((candidate) => isAuthority(candidate, 1) && isSignedBy(issuing, candidate));
  if (issuing === undefined || root === undefined) {
    throw refusal(
      'certificate.issuer_unknown',
      'The certificate does not come from an authority of this cluster. Compare the cluster ids.',
    );
  }
  checkTimes(issuing, expected.now);
  checkTimes(root, expected.now);
}

function isAuthority(
  { basicConstraints, keyUsage, unknownCritical }: Certificate,
  pathLength: number,
): boolean {
  return (
    basicConstraints?.critical === true &&
    basicConstraints.isAuthority &&
    basicConstraints.pathLength === pathLength &&
    keyUsage?.critical === true &&
    ((keyUsage.bits[1] ?? 0) & keyCertSign) !== 0 &&
    unknownCritical.length === 0
  );
}

function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  return (
    certificate.issuer.equals(issuer.subject) &&
    verify('sha256', certificate.signedPart, readP256Key(issuer.publicKeySpki), certificate.signature)
  );
}

function identityOf(leaf: Certificate, uri: LeafUri): PeerIdentity {
  return {
    ...uri,
    serial: leaf.serial,
    notBefore: leaf.notBefore,
    notAfter: leaf.notAfter,
    publicKeyDigest: publicKeyDigest(leaf.publicKeySpki),
    fingerprint: createHash('sha256').update(leaf.der).digest('hex'),
  };
}

function checkMayAct(identity: PeerIdentity, { mayActNow }: PeerExpectation): void {
  const answer = mayActNow(identity.serial, identity);
  if (answer === true) return;
  throw refusal(
    `certificate.${answer}`,
    `The certificate of ${identity.role} ${identity.name} is ${answer}.`,
  );
}
