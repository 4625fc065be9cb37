import { judgeAdmission, TrustError, type Admitted } from '@writ/trust';
import type { PeopleParts } from './people-parts.ts';

const PAGE = 500;

/** What the admissions of all agents say that are not banned. Read from the store: for what is seldom asked. */
export async function listAdmitted({
  store,
  cluster,
}: Pick<PeopleParts, 'store' | 'cluster'>): Promise<Admitted[]> {
  const found: Admitted[] = [];
  for (let after: string | null = null, isMore = true; isMore;) {
    const page: Awaited<ReturnType<typeof store.trust.listAgents>> = await store.trust.listAgents({
      after,
      limit: PAGE,
    });
    for (const agent of page.items) {
      if (agent.state !== 'active') continue;
      const paper = await store.trust.readAdmission(agent.admission);
      const admitted =
        paper && judgeQuietly(() => judgeAdmission(paper.envelope, paper.inviteEnvelope, cluster.sets()));
      if (admitted) found.push(admitted);
    }
    after = page.next;
    isMore = after !== null;
  }
  return found;
}

/** For showing: what does not count is not there. */
export function judgeQuietly<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (error instanceof TrustError) return null;
    throw error;
  }
}
