import type { TrustStore } from './trust.ts';
import type { Kysely } from 'kysely';
import type { Tables } from '../tables.ts';
import type { GroupWriter } from '../write-in-groups.ts';
import { admissionReads } from './read-admissions.ts';
import { admit } from './admit.ts';
import { agentReads, agentWrites } from './agents.ts';
import { clusterOperations } from './cluster.ts';
import { inviteOperations } from './invites.ts';
import { leafOperations } from './leaves.ts';
import { setOperations } from './signer-sets.ts';

export function trustStore(reader: Kysely<Tables>, writer: GroupWriter): TrustStore {
  return {
    ...clusterOperations(reader, writer),
    ...setOperations(reader, writer),
    ...inviteOperations(reader, writer),
    admit: (admission, by) => writer.write((write) => admit(write, admission, by)),
    ...admissionReads(reader),
    ...agentReads(reader),
    ...agentWrites(writer),
    ...leafOperations(reader, writer),
  };
}
