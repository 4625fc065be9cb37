import type { ConnectionOptions, TlsOptions } from 'node:tls';
import {
  enrolProtocol,
  type Expect,
  linkProtocol,
  linkServerTls,
  type OwnCertificate,
  strictTls,
} from './tls-options.ts';

// The one file whose connections are not judged by Node's TLS. Who uses it judges before anything is read.

/** For the port that also takes joining machines, which have no certificate yet. Used by `listenForLinks` alone. */
export function linkOrEnrolServerTls(own: OwnCertificate, expect: Expect): TlsOptions {
  return {
    ...linkServerTls(own, expect),
    rejectUnauthorized: false,
    ALPNProtocols: [linkProtocol, enrolProtocol],
  };
}

/**
 * For a joining machine. It knows the digest of a signer set, but no authority: it first takes the set,
 * compares the digest, then calls `readPeerIdentity` with the roots in that set, and only then sends anything.
 */
export function enrolClientTls(): ConnectionOptions {
  return { ...strictTls, rejectUnauthorized: false, ALPNProtocols: [enrolProtocol] };
}
