import { isIP } from 'node:net';
import { checkLeaf } from '../certificates/check-leaf.ts';
import { formatLeafUri, type Role } from '../certificates/leaf-uri.ts';
import { publicKeyDigest, readP256Key } from '../certificates/p256-key.ts';
import type { PeerIdentity } from '../certificates/peer-identity.ts';
import { readCertificate } from '../certificates/read-certificate.ts';
import { pemOf } from '../certificates/tls-options.ts';
import type { Authority } from './create-authority.ts';
import { checkLeafTimes, type Times } from './leaf-times.ts';
import { formatNewSerial } from './new-serial.ts';
import { refusal } from './refuse.ts';
import { signingAlgorithm, signingKeyOf, x509 } from './x509.ts';

/** Of all this only the public key comes from who asks; that they hold its private half is proven before. */
export interface LeafRequest extends Times {
  readonly publicKeySpki: Uint8Array;
  readonly cluster: string;
  readonly role: Role;
  readonly name: string;
  /** Servers and gateways only, for programs that compare host names. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly serial: Uint8Array;
}

export interface IssuedLeaf {
  readonly certificate: Uint8Array;
  /** Leaf and issuing certificate, as a TLS side presents them. */
  readonly chainPem: string;
  readonly identity: PeerIdentity;
}

/**
 * Whether this key is certified for anybody but `uri` already. It sees what is stored: two requests at one moment
 * need a unique constraint there as well.
 */
export type IsKeyOfAnother = (keyDigest: string, uri: string) => boolean | Promise<boolean>;

/** The authority writes every field itself. What it issues has passed the check that peers will make. */
export async function issueLeaf(
  authority: Authority,
  request: LeafRequest,
  isKeyOfAnother: IsKeyOfAnother,
): Promise<IssuedLeaf> {
  const { publicKeySpki, cluster, role, name } = request;
  readP256Key(publicKeySpki);
  const uri = formatLeafUri({ cluster, role, name });
  checkHostNames(request);
  checkLeafTimes(role, request, readCertificate(authority.issuingCertificate));
  const serialNumber = formatNewSerial(request.serial);
  await checkKeyIsFree(authority, publicKeySpki, uri, isKeyOfAnother);

  const issuing = new x509.X509Certificate(Buffer.from(authority.issuingCertificate));
  const issued = await x509.X509CertificateGenerator.create({
    serialNumber,
    subject: [{ CN: [name] }],
    issuer: issuing.subjectName,
    notBefore: new Date(request.notBefore),
    notAfter: new Date(request.notAfter),
    publicKey: Buffer.from(publicKeySpki),
    signingKey: signingKeyOf(authority.issuingKey),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: uri },
        ...request.dnsNames.map((value) => ({ type: 'dns' as const, value })),
        ...request.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(Buffer.from(publicKeySpki)),
      await x509.AuthorityKeyIdentifierExtension.create(issuing.publicKey),
    ],
  });
  const certificate = new Uint8Array(issued.rawData);
  const identity = checkLeaf([certificate], {
    cluster,
    roles: [role],
    name,
    now: request.notBefore,
    roots: [authority.rootCertificate],
    issuing: [authority.issuingCertificate],
    mayActNow: () => true,
  });
  return { certificate, chainPem: pemOf([certificate, authority.issuingCertificate]).join(''), identity };
}

const mostHostNames = 200;
const dnsName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

function checkHostNames({ role, dnsNames, ipAddresses }: LeafRequest): void {
  const count = dnsNames.length + ipAddresses.length;
  if (count > 0 && role !== 'server' && role !== 'gateway') {
    throw refusal('authority.names', `A certificate of role ${role} has no host names. Leave them out.`);
  }
  if (count > mostHostNames) {
    throw refusal('authority.names', `${count} host names are more than ${mostHostNames}. Leave some out.`);
  }
  const wrong =
    dnsNames.find((name) => !dnsName.test(name)) ??
    ipAddresses.find((address) => isIP(address) === 0 || address.includes('%'));
  if (wrong !== undefined) {
    throw refusal(
      'authority.names',
      `${JSON.stringify(wrong)} is not a lower-case host name or an address without a zone.`,
    );
  }
}

async function checkKeyIsFree(
  authority: Authority,
  spki: Uint8Array,
  uri: string,
  isKeyOfAnother: IsKeyOfAnother,
): Promise<void> {
  const own = [authority.rootCertificate, authority.issuingCertificate].map(
    (certificate) => readCertificate(certificate).publicKeySpki,
  );
  if (own.some((key) => key.equals(spki)) || (await isKeyOfAnother(publicKeyDigest(spki), uri))) {
    throw refusal(
      'authority.key_taken',
      `The key asked for ${uri} is certified for somebody else already. Make a new key and ask again.`,
    );
  }
}
