import { encodeBase64, type Envelope } from '@writ/contract';
import type { By, LeafRecord, Store } from '@writ/store';
import { judgeCertificateRequest, keyBytes, TrustError } from '@writ/trust';
import { publicKeyDigest } from '@writ/trust/certificates';
import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster.ts';
import type { Log } from '../log.ts';
import type { Members } from '../members.ts';
import type { Certificates } from './keep-certificates.ts';

export interface CertificateAnswer {
  readonly chain: readonly string[];
  readonly notAfter: number;
}

/**
 * A leaf for whoever holds an admitted identity key: the first, the next, or again after it expired. Repeating a request
 * gives the same leaf; another key after the same predecessor shows that two machines hold one state.
 */
export type GiveLeaf = (
  request: Envelope,
  asked: { readonly identity?: string; readonly source: string },
) => Promise<CertificateAnswer>;

export function giveLeafWith(parts: {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: Cluster;
  readonly members: Members;
  readonly certificates: Certificates;
}): GiveLeaf {
  const { store, clock, log, cluster, members, certificates } = parts;

  return async (envelope, { identity, source }) => {
    const request = judgeCertificateRequest(envelope, cluster.sets().cluster);
    if (identity !== undefined && request.identity !== identity) {
      throw new TrustError(
        'request.identity_other',
        'This certificate request is by another agent than the one on this link.',
      );
    }
    const agent = await store.trust.readAgent(request.identity);
    if (!agent)
      throw new TrustError(
        'request.not_admitted',
        'Nobody has admitted this identity key. Ask for an invite (writ invite), then writ join.',
      );
    if (agent.state !== 'active' || members.isStopped(request.identity))
      throw new TrustError(
        'request.banned',
        `${agent.name} was banned from this cluster${agent.reason ? `: ${agent.reason}` : ''}.`,
      );
    const by: By = { actor: `agent:${agent.name}`, source, now: clock.now() };
    const publicKeySpki = keyBytes(request.tlsKey);
    const tlsKeyDigest = publicKeyDigest(publicKeySpki);

    const again = await store.trust.findLeaf({
      identity: request.identity,
      tlsKeyDigest,
      previous: request.previous,
    });
    const now = clock.now();
    if (again && again.notBefore <= now && again.notAfter > now) return answerOf(again);

    const { certificate, identity: issued } = await certificates.issueAgentLeaf({
      cluster: cluster.sets().cluster,
      name: agent.name,
      publicKeySpki,
    });
    const chain = [encodeBase64(certificate), encodeBase64(certificates.issuing)];
    const { serial, notBefore, notAfter } = issued;
    const added = await store.trust.addLeaf(
      {
        serial,
        identity: request.identity,
        tlsKeyDigest,
        notBefore,
        notAfter,
        previous: request.previous,
        chain,
      },
      by,
    );
    if (added.is === 'stale') return await alarm(request.identity, agent.name, request.previous, by);
    return answerOf(added.leaf);
  };

  /** An old leaf alone raises no alarm: the request was signed with the identity key, so two machines have that. */
  async function alarm(identity: string, name: string, previous: string | null, by: By): Promise<never> {
    const before = previous === null ? null : await store.trust.readLeaf(previous);
    if (before?.identity === identity) {
      const reason = 'two machines hold the state of this agent';
      await store.trust.setAgentState(identity, 'banned', reason, by);
      members.stop(identity, name);
      log('error', 'agent.cloned', { agent: name, previous });
      throw new TrustError(
        'request.cloned',
        `Another machine has asked for a certificate with the same state: ${name} is stopped. Join again under a new name.`,
      );
    }
    throw new TrustError(
      'request.previous_wrong',
      'This agent has another certificate now than the one that the request follows. Wait until it has expired, or join again.',
    );
  }
}

const answerOf = ({ chain, notAfter }: LeafRecord): CertificateAnswer => ({ chain: [...chain], notAfter });
