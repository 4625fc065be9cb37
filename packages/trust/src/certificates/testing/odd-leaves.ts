import { x509 } from '../../authority/x509.ts';
import type { CertificateCode } from '../codes.ts';
import type { Role } from '../leaf-uri.ts';
import {
  authorityExtensions,
  type AuthorityPair,
  type Certified,
  certify,
  certifyAuthorityPair,
  type LeafParts,
  leafExtensions,
  type Wanted,
} from './certify.ts';

export const cluster = 'w'.repeat(52);
export const otherCluster = 'x'.repeat(52);
export const revokedSerials = new Map<string, 'revoked' | 'superseded' | 'banned'>();

/** One wrong certificate: what it is, which check must refuse it, and the chain its holder presents. */
export interface OddLeaf {
  readonly title: string;
  readonly code: CertificateCode;
  readonly chain: readonly Certified[];
}

const { KeyUsagesExtension, BasicConstraintsExtension, KeyUsageFlags, ExtendedKeyUsage } = x509;
const hour = 3_600_000;

/** A leaf of this cluster as it should be. */
export async function goodLeaf({ issuing }: AuthorityPair, role: Role, name: string): Promise<Certified> {
  const uri = `writ://${cluster}/${role}/${name}`;
  return await certify({ subject: `CN=${name}`, issuer: issuing, extensions: leafExtensions(uri) });
}

/** Every wrong certificate that somebody may present who should be `role`. */
export async function oddLeaves(authority: AuthorityPair, role: Role): Promise<OddLeaf[]> {
  const { root, issuing } = authority;
  const uri = `writ://${cluster}/${role}/lab-01`;
  const otherRole: Role = role === 'agent' ? 'server' : 'agent';
  const stranger = await certifyAuthorityPair('Stranger');
  const lookalike: AuthorityPair = await certifyLookalike(authority);
  const honest = await goodLeaf(authority, role, 'honest');

  const leaf = async (parts: LeafParts, wanted: Partial<Wanted> = {}, asUri = uri): Promise<Certified> =>
    await certify({
      subject: 'CN=lab-01',
      issuer: issuing,
      extensions: leafExtensions(asUri, parts),
      ...wanted,
    });
  const row = (title: string, code: CertificateCode, ...chain: readonly Certified[]): OddLeaf => ({
    title,
    code,
    chain,
  });
  const odd = async (
    title: string,
    code: CertificateCode,
    ...made: Parameters<typeof leaf>
  ): Promise<OddLeaf> => row(title, code, await leaf(...made), issuing);
  const eku = async (title: string, usages: readonly string[] | null): Promise<OddLeaf> =>
    await odd(title, 'certificate.extended_key_usage', { extendedKeyUsage: usages });
  const path = async (title: string, asUri: string): Promise<OddLeaf> =>
    await odd(title, 'certificate.uri_malformed', {}, {}, asUri);
  const ending = async (answer: 'revoked' | 'superseded' | 'banned'): Promise<OddLeaf> => {
    const made = await leaf({});
    revokedSerials.set(
      new x509.X509Certificate(Buffer.from(made.der)).serialNumber.padStart(32, '0'),
      answer,
    );
    return row(answer, `certificate.${answer}`, made, issuing);
  };
  const badIssuer = async (wanted: Partial<Wanted>): Promise<[Certified, Certified]> => {
    const issuer = await certify({
      subject: 'CN=Odd issuing',
      issuer: root,
      extensions: authorityExtensions(0),
      ...wanted,
    });
    return [await leaf({}, { issuer }), issuer];
  };

  return [
    row('no certificate', 'certificate.missing'),
    await odd(
      'expired',
      'certificate.expired',
      {},
      { notBefore: Date.now() - 2 * hour, notAfter: Date.now() - 2000 },
    ),
    await odd(
      'not yet valid',
      'certificate.not_yet_valid',
      {},
      { notBefore: Date.now() + hour, notAfter: Date.now() + 2 * hour },
    ),
    await eku('extended key usage serverAuth only', [ExtendedKeyUsage.serverAuth]),
    await eku('extended key usage clientAuth only', [ExtendedKeyUsage.clientAuth]),
    await eku('extended key usage codeSigning only', [ExtendedKeyUsage.codeSigning]),
    await eku('any extended key usage', ['2.5.29.37.0']),
    await eku('codeSigning besides the right two', [
      ExtendedKeyUsage.serverAuth,
      ExtendedKeyUsage.clientAuth,
      ExtendedKeyUsage.codeSigning,
    ]),
    await eku('serverAuth twice', [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.serverAuth]),
    await eku('no extended key usage', null),
    await odd('CA:TRUE', 'certificate.is_authority', {
      basicConstraints: new BasicConstraintsExtension(true, 0, true),
    }),
    await odd('no basic constraints', 'certificate.is_authority', { basicConstraints: null }),
    await odd('basic constraints not critical', 'certificate.is_authority', {
      basicConstraints: new BasicConstraintsExtension(false, undefined, false),
    }),
    await odd('an RSA-1024 key', 'certificate.key_type', {}, { keyKind: 'RSA-1024' }),
    await odd('an RSA-2048 key', 'certificate.key_type', {}, { keyKind: 'RSA-2048' }),
    await odd('a P-384 key', 'certificate.key_type', {}, { keyKind: 'P-384' }),
    await odd('an Ed25519 key', 'certificate.key_type', {}, { keyKind: 'Ed25519' }),
    await odd('a SHA-1 signature', 'certificate.signature_algorithm', {}, { hash: 'SHA-1' }),
    await odd('a SHA-384 signature', 'certificate.signature_algorithm', {}, { hash: 'SHA-384' }),
    row(
      'wrong authority',
      'certificate.issuer_unknown',
      await leaf({}, { issuer: stranger.issuing }),
      stranger.issuing,
      stranger.root,
    ),
    row(
      'fake authority with the same subjects',
      'certificate.issuer_unknown',
      await leaf({}, { issuer: lookalike.issuing }),
      lookalike.issuing,
      lookalike.root,
    ),
    row(
      'fake authority with the same subjects, beside the real issuing certificate',
      'certificate.issuer_unknown',
      await leaf({}, { issuer: lookalike.issuing }),
      issuing,
    ),
    row('self-signed', 'certificate.issuer_missing', await leaf({}, { issuer: null })),
    row(
      'self-signed with the subject of the issuing certificate',
      'certificate.issuer_unknown',
      await leaf({}, { issuer: null, subject: issuing.subject }),
      issuing,
    ),
    row(
      'issued by a leaf',
      'certificate.issuer_not_authority',
      await leaf({}, { issuer: honest }),
      honest,
      issuing,
    ),
    row(
      'issued by the root itself',
      'certificate.issuer_not_authority',
      await leaf({}, { issuer: root }),
      root,
    ),
    row(
      'issuing certificate expired',
      'certificate.expired',
      ...(await badIssuer({ notBefore: Date.now() - 2 * hour, notAfter: Date.now() - 2000 })),
    ),
    row(
      'issuing certificate with a longer path',
      'certificate.issuer_not_authority',
      ...(await badIssuer({ extensions: authorityExtensions(1) })),
    ),
    row(
      'issuing certificate without keyCertSign',
      'certificate.issuer_not_authority',
      ...(await badIssuer({
        extensions: [
          new BasicConstraintsExtension(true, 0, true),
          new KeyUsagesExtension(KeyUsageFlags.cRLSign, true),
        ],
      })),
    ),
    row(
      'issuing certificate signed with SHA-1',
      'certificate.signature_algorithm',
      ...(await badIssuer({ hash: 'SHA-1' })),
    ),
    await odd('two URIs', 'certificate.uri_several', {
      names: [
        { type: 'url', value: uri },
        { type: 'url', value: `writ://${cluster}/${otherRole}/lab-02` },
      ],
    }),
    await odd('the same URI twice', 'certificate.uri_several', {
      names: [
        { type: 'url', value: uri },
        { type: 'url', value: uri },
      ],
    }),
    await odd('no URI', 'certificate.uri_missing', { names: [{ type: 'dns', value: 'localhost' }] }),
    await odd('no names', 'certificate.uri_missing', { names: null }),
    await odd('other cluster', 'certificate.cluster_wrong', {}, {}, `writ://${otherCluster}/${role}/lab-01`),
    await path('root path', `writ://${cluster}/`),
    await path('no path', `writ://${cluster}`),
    await path('no name', `writ://${cluster}/${role}/`),
    await path('slash at the end', `${uri}/`),
    await path('query', `${uri}?role=${role}`),
    await path('fragment', `${uri}#x`),
    await path('user', `writ://x@${cluster}/${role}/lab-01`),
    await path('port', `writ://${cluster}:7411/${role}/lab-01`),
    await path('other scheme', `spiffe://${cluster}/${role}/lab-01`),
    await path('upper case', `writ://${cluster.toUpperCase()}/${role}/lab-01`),
    await path('escaped role', `writ://${cluster}/%61gent/lab-01`),
    await path('parent folder', `writ://${cluster}/${role}/../${role}/lab-01`),
    await path('NUL in the name', `writ://${cluster}/${role}/lab-01\0`),
    await path('line end in the name', `writ://${cluster}/${role}/lab-01\n`),
    await path('unknown role', `writ://${cluster}/administrator/lab-01`),
    await path('name of 64 characters', `writ://${cluster}/${role}/${'a'.repeat(64)}`),
    await odd('other role', 'certificate.role_wrong', {}, {}, `writ://${cluster}/${otherRole}/lab-01`),
    await odd('other person’s role', 'certificate.role_wrong', {}, {}, `writ://${cluster}/user/lab-01`),
    await odd('an e-mail address', 'certificate.names', {
      names: [
        { type: 'url', value: uri },
        { type: 'email', value: 'a@b.c' },
      ],
    }),
    ...(role === 'agent'
      ? [
          await odd('a host name on an agent', 'certificate.names', {
            names: [
              { type: 'url', value: uri },
              { type: 'dns', value: 'bank.example' },
            ],
          }),
        ]
      : []),
    await odd('keyCertSign set', 'certificate.key_usage', {
      keyUsage: new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign, true),
    }),
    await odd('no key usage', 'certificate.key_usage', { keyUsage: null }),
    await odd('key usage not critical', 'certificate.key_usage', {
      keyUsage: new KeyUsagesExtension(KeyUsageFlags.digitalSignature, false),
    }),
    await odd('unknown critical extension', 'certificate.extension_unknown', {
      more: [new x509.Extension('1.3.6.1.4.1.99999.1', true, Buffer.from('0500', 'hex'))],
    }),
    await ending('revoked'),
    await ending('superseded'),
    await ending('banned'),
  ];
}

/** Other keys under the subjects of the real authority. */
async function certifyLookalike({ root, issuing }: AuthorityPair): Promise<AuthorityPair> {
  const fakeRoot = await certify({ subject: root.subject, issuer: null, extensions: authorityExtensions(1) });
  const fakeIssuing = await certify({
    subject: issuing.subject,
    issuer: fakeRoot,
    extensions: authorityExtensions(0),
  });
  return { root: fakeRoot, issuing: fakeIssuing };
}
