import type { Envelope } from '@writ/contract';
import type { AdmissionRecord, By, InviteRecord, Store } from '@writ/store';
import { type Admitted, judgeAdmission, TrustError } from '@writ/trust';
import type { Cluster } from './cluster.ts';
import type { Members } from './members.ts';

/** Takes a signer's word that a machine is an agent, once: through an invite, or by hand. */
export type Admit = (
  envelope: Envelope,
  invite: InviteRecord | null,
  by: By,
) => Promise<{ readonly admitted: Admitted; readonly record: AdmissionRecord }>;

const REFUSALS = {
  invite_unknown: ['invite.unknown', 'This invite is not known here.'],
  invite_used: [
    'invite.used',
    'This invite was used by another machine. Somebody else may have it: ask for a new one.',
  ],
  invite_revoked: ['invite.revoked', 'This invite has been revoked.'],
  invite_over: ['invite.expired', 'This invite has expired: ask for a new one (writ invite).'],
  name_taken: [
    'admission.name_taken',
    'Another agent has this name. Join with another one (--name), or, when this machine takes its place, with an invite that names it (writ invite --name).',
  ],
  identity_taken: [
    'admission.identity_taken',
    'This folder was admitted before. Start its agent: writ agent start. If it was shut out, or for a second agent, join in another folder: --dir.',
  ],
  supersedes_unknown: [
    'admission.supersedes_unknown',
    'The admission that this one follows is not the present one.',
  ],
} as const;

export function admitWith(store: Store, cluster: Cluster, members: Members): Admit {
  return async (envelope, invite, by) => {
    const admitted = judgeAdmission(envelope, invite?.envelope ?? null, cluster.sets());
    const { digest, identity, name, supersedes } = admitted;
    const answer = await store.trust.admit(
      { digest, identity, name, invite: admitted.invite, supersedes, envelope },
      by,
    );
    if ('admission' in answer) {
      const before = supersedes === null ? null : await store.trust.readAdmission(supersedes);
      if (before && before.identity !== identity) members.evict(before.identity);
      return { admitted, record: answer.admission };
    }
    const [code, message] = REFUSALS[answer.is];
    throw new TrustError(code, message);
  };
}
