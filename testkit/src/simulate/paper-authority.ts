import { createHash } from 'node:crypto';
import { createAuthority, issueLeaf } from '@writ/trust/authority';
import type { NewAuthority } from '@writ/trust/authority';
import { createTlsKey } from '@writ/trust/certificates';
import type {
  AgentLeafAsked,
  Certificates,
} from '../../../apps/server/src/certificates/keep-certificates.ts';
import { BEGIN } from './virtual-time.ts';

const DAY = 86_400_000;
const SECOND = 1_000;
const randomBytes = (size: number): Uint8Array<ArrayBuffer> => crypto.getRandomValues(new Uint8Array(size));

/** Real certificates of a real authority. Their keys are the one thing that does not follow from the seed. */
export interface PaperAuthority {
  readonly authority: NewAuthority;
  /** What a server of that cluster shows. */
  serverLeaf(cluster: string): Promise<ServerLeaf>;
  issueAgentLeaf(
    asked: AgentLeafAsked & { readonly now: number; readonly lifeMs: number },
  ): ReturnType<Certificates['issueAgentLeaf']>;
}

export interface ServerLeaf {
  readonly chain: readonly Uint8Array[];
  /** As a TLS socket would show it. */
  readonly asPeerCertificate: unknown;
}

export async function makePaperAuthority(): Promise<PaperAuthority> {
  const issued = new Map<string, ReturnType<Certificates['issueAgentLeaf']>>();
  const serverLeaves = new Map<string, Promise<ServerLeaf>>();
  const authority = await createAuthority({ now: BEGIN - 10 * DAY, randomBytes });
  const isKeyOfAnother = (): boolean => false;
  const makeServerLeaf = async (cluster: string): Promise<ServerLeaf> => {
    const { publicKeySpki } = createTlsKey();
    const { certificate } = await issueLeaf(
      authority,
      {
        publicKeySpki,
        cluster,
        role: 'server',
        name: 'server',
        dnsNames: [],
        ipAddresses: ['127.0.0.1'],
        serial: randomBytes(16),
        notBefore: BEGIN - 2 * DAY,
        notAfter: BEGIN + 20 * DAY,
      },
      isKeyOfAnother,
    );
    return {
      chain: [certificate, authority.issuingCertificate],
      asPeerCertificate: {
        raw: Buffer.from(certificate),
        issuerCertificate: { raw: Buffer.from(authority.issuingCertificate) },
      },
    };
  };
  return {
    authority,
    serverLeaf(cluster) {
      const known = serverLeaves.get(cluster) ?? makeServerLeaf(cluster);
      serverLeaves.set(cluster, known);
      return known;
    },
    issueAgentLeaf: ({ now, lifeMs, cluster, name, publicKeySpki }) => {
      const begin = Math.floor(now / SECOND) * SECOND;
      const notAfter = begin + Math.ceil(lifeMs / SECOND) * SECOND;
      const asked = [Buffer.from(publicKeySpki).toString('base64'), cluster, name, begin, notAfter].join(' ');
      const known = issued.get(asked);
      if (known) return known;
      const made = issueLeaf(
        authority,
        {
          publicKeySpki,
          cluster,
          role: 'agent',
          name,
          dnsNames: [],
          ipAddresses: [],
          serial: createHash('sha256').update(asked).digest().subarray(0, 16),
          notBefore: begin - 2 * SECOND,
          notAfter,
        },
        isKeyOfAnother,
      );
      issued.set(asked, made);
      return made;
    },
  };
}

export const derOf = (chainPem: string): Uint8Array[] =>
  chainPem
    .split('-----BEGIN CERTIFICATE-----')
    .slice(1)
    .map((part) =>
      Buffer.from(part.replace('-----END CERTIFICATE-----', '').replaceAll(/\s/g, ''), 'base64'),
    );
