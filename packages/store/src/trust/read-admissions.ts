import type { Kysely } from 'kysely';
import type { Envelope } from '@writ/contract';
import type { AdmissionRecord, TrustStore } from './trust.ts';
import type { AdmissionTable, Tables } from '../tables.ts';
import { boundedLimit, pageOf, readCursor } from '../cursors.ts';

export function admissionReads(
  db: Kysely<Tables>,
): Pick<
  TrustStore,
  'readAdmission' | 'findAdmission' | 'findAdmissionOf' | 'listAdmissions' | 'readAdmissions'
> {
  return {
    readAdmission: (digest) => readAdmission(db, digest),
    findAdmission: async (identity) => {
      const row = await withInvite(db)
        .where('admission.identity', '=', identity)
        .where('is_current', '=', 1)
        .executeTakeFirst();
      return row ? admissionRecord(row) : null;
    },
    findAdmissionOf: async (name) => {
      const row = await withInvite(db)
        .where('admission.name', '=', name)
        .where('is_current', '=', 1)
        .executeTakeFirst();
      return row ? admissionRecord(row) : null;
    },
    listAdmissions: async (asked) => {
      const limit = boundedLimit(asked.limit);
      const after = asked.after === null ? 0 : readCursor(asked.after, 'number')[0];
      const rows = await withInvite(db)
        .where('admission.seq', '>', after)
        .orderBy('admission.seq')
        .limit(limit + 1)
        .execute();
      return pageOf(rows, limit, admissionRecord, (row) => [row.seq]);
    },
    readAdmissions: async (digests) => {
      if (digests.length === 0) return [];
      const rows = await withInvite(db)
        .where('admission.digest', 'in', digests)
        .orderBy('admission.seq')
        .execute();
      return rows.map(admissionRecord);
    },
  };
}

export async function readAdmission(db: Kysely<Tables>, digest: string): Promise<AdmissionRecord | null> {
  const row = await withInvite(db).where('admission.digest', '=', digest).executeTakeFirst();
  return row ? admissionRecord(row) : null;
}

const withInvite = (db: Kysely<Tables>) =>
  db
    .selectFrom('admission')
    .leftJoin('invite', 'invite.digest', 'admission.invite')
    .selectAll('admission')
    .select('invite.envelope as invite_envelope');

function admissionRecord(row: AdmissionTable & { invite_envelope: string | null }): AdmissionRecord {
  return {
    digest: row.digest,
    identity: row.identity,
    name: row.name,
    invite: row.invite,
    supersedes: row.supersedes,
    supersededBy: row.superseded_by,
    envelope: JSON.parse(row.envelope) as Envelope,
    admitted: row.admitted,
    inviteEnvelope: row.invite_envelope === null ? null : (JSON.parse(row.invite_envelope) as Envelope),
  };
}
