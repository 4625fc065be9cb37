export { checkLeaf, type MayActNow, type PeerExpectation } from './check-leaf.ts';
export type { CertificateCode } from './codes.ts';
export { dialLink, type LinkDialing } from './dial-link.ts';
export { formatLeafUri, type LeafUri, parseLeafUri, type Role, roles } from './leaf-uri.ts';
export { type LinkListening, listenForLinks, useCertificate } from './listen-for-links.ts';
export { createTlsKey, publicKeyDigest, readP256Key } from './p256-key.ts';
export { isLeafCurrent, type PeerIdentity } from './peer-identity.ts';
export {
  enrolProtocol,
  type Expect,
  linkClientTls,
  linkProtocol,
  linkServerTls,
  type OwnCertificate,
  pemOf,
  peopleClientTls,
  peopleServerTls,
  readPeerIdentity,
} from './tls-options.ts';
export { enrolClientTls } from './unjudged-tls.ts';
