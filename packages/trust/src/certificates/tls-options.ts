import { constants } from 'node:crypto';
import type {
  PeerCertificate,
  SecureContextOptions,
  TLSSocket,
  TlsOptions,
  ConnectionOptions,
} from 'node:tls';
import { checkLeaf, type PeerExpectation } from './check-leaf.ts';
import type { PeerIdentity } from './peer-identity.ts';

/** A leaf with its key. */
export interface OwnCertificate {
  /** The leaf, then the issuing certificate; not the root. */
  readonly chainPem: string;
  readonly privateKeyPem: string;
}

/** Asked at each handshake, so that a new signer set, a ban or the time count at once. */
export type Expect = () => PeerExpectation;

export const linkProtocol = 'h2';
export const enrolProtocol = 'writ-enrol/1';

/** TLS 1.3 and nothing that lets a later connection skip the checks: a resumed session presents no certificate. */
export const strictTls = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const satisfies SecureContextOptions;

/** For the side that listens, be it server or agent: refuses every peer without a certificate of this cluster. */
export function linkServerTls(own: OwnCertificate, expect: Expect): TlsOptions {
  return {
    ...strictTls,
    cert: own.chainPem,
    key: own.privateKeyPem,
    ca: pemOf(expect().roots),
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: [linkProtocol],
  };
}

/** For the side that dials, be it agent or server. The URI of the certificate is compared, never a host name. */
export function linkClientTls(own: OwnCertificate, expect: Expect): ConnectionOptions {
  return {
    ...strictTls,
    cert: own.chainPem,
    key: own.privateKeyPem,
    ca: pemOf(expect().roots),
    rejectUnauthorized: true,
    ALPNProtocols: [linkProtocol],
    checkServerIdentity: checkServerBy(expect),
  };
}

/** For the people's port: no client certificate is asked, because browsers would ask their user for one. */
export function peopleServerTls(own: OwnCertificate, options: { allowTls12?: boolean } = {}): TlsOptions {
  const tls = {
    ...strictTls,
    cert: own.chainPem,
    key: own.privateKeyPem,
    requestCert: false,
    ALPNProtocols: ['h2', 'http/1.1'],
  };
  if (options.allowTls12 !== true) return tls;
  return {
    ...tls,
    minVersion: 'TLSv1.2',
    ciphers:
      'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256',
  };
}

/** For a person's program that calls the people's port of a server with a certificate of the cluster. */
export function peopleClientTls(expect: Expect): ConnectionOptions {
  return {
    ...strictTls,
    ca: pemOf(expect().roots),
    rejectUnauthorized: true,
    checkServerIdentity: checkServerBy(expect),
  };
}

/** Who is at the other end of a finished handshake. Call it once per connection and keep the answer. */
export function readPeerIdentity(socket: TLSSocket, expected: PeerExpectation): PeerIdentity {
  return checkLeaf(presentedBy(socket), expected);
}

export function pemOf(certificates: readonly Uint8Array[]): string[] {
  return certificates.map((der) => {
    const lines =
      Buffer.from(der)
        .toString('base64')
        .match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  });
}

function checkServerBy(expect: Expect) {
  return (_host: string, certificate: PeerCertificate): Error | undefined => {
    try {
      checkLeaf(chainOf(certificate), expect());
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  };
}

function presentedBy(socket: TLSSocket): Uint8Array[] {
  const certificate = socket.getPeerCertificate(true);
  // Without a certificate Node answers with an empty object, whatever its types say.
  return 'raw' in certificate ? chainOf(certificate) : [];
}

/** Node links what was presented by issuer; on a listening side Node 24.21 gives the leaf alone. */
function chainOf(leaf: PeerCertificate): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let next: Partial<PeerCertificate & { issuerCertificate: PeerCertificate }> | undefined = leaf;
  while (next?.raw !== undefined && chain.length < 5) {
    chain.push(next.raw);
    if (next.issuerCertificate === next) break;
    next = next.issuerCertificate;
  }
  return chain;
}
