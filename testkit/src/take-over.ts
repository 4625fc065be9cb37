import { createPrivateKey, randomBytes } from 'node:crypto';
import { chownSync, cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import type { Envelope } from '@writ/contract';
import { newSeed, p256Signer, signerFromSeed, walkSets, type HeldSets, type Signer } from '@writ/trust';
import { loadAuthority, loadOrCreateSecret, loadRootKey, type Authority } from '@writ/trust/authority';
import { issueWith, type PaperCluster } from './hostile-server.ts';

/** Everything that root on the server's machine has. */
export interface TakenServer extends Pick<PaperCluster, 'authority' | 'sets' | 'issue'> {
  readonly authority: Authority;
  readonly sets: HeldSets;
  /** Every private key that lies there, by what it is. */
  readonly keys: ReadonlyMap<string, Signer>;
  /** A copy of the state folder. */
  readonly folder: string;
  /** Orders in the database, by job. */
  readonly orders: ReadonlyMap<string, Envelope>;
}

/** Copies `<state>/server` as a thief would and opens everything in it. The server must not run. */
export async function takeServer(state: string, into: string): Promise<TakenServer> {
  cpSync(join(state, 'server'), into, { recursive: true, filter: (name) => !name.endsWith('.sock') });
  // What is kept for the server's own account now is the thief's.
  for (const name of ['.', ...readdirSync(into, { recursive: true, encoding: 'utf8' })])
    chownSync(join(into, name), process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  const secret = await loadOrCreateSecret(join(into, 'authority-secret'), (size) => randomBytes(size));
  const authority = await loadAuthority(join(into, 'authority'), secret);
  const root = await loadRootKey(join(into, 'authority'), secret);
  const tls = JSON.parse(readFileSync(join(into, 'tls.json'), 'utf8')) as { leaf: { privateKeyPem: string } };
  const database = new DatabaseSync(join(into, 'writ.db'));
  try {
    const read = (sql: string): Record<string, unknown>[] => database.prepare(sql).all();
    const envelopes = read('select envelope from signer_set order by version').map(envelopeOf);
    const cluster = String(read('select cluster from cluster')[0]?.['cluster']);
    const sets = walkSets(envelopes, cluster);
    return {
      authority,
      sets,
      issue: issueWith(authority, sets.cluster),
      keys: new Map([
        ['issuing authority', p256Signer(authority.issuingKey.export({ type: 'pkcs8', format: 'der' }))],
        ['root authority', p256Signer(root.export({ type: 'pkcs8', format: 'der' }))],
        [
          'server certificate',
          p256Signer(createPrivateKey(tls.leaf.privateKeyPem).export({ type: 'pkcs8', format: 'der' })),
        ],
        ['key made by the thief', signerFromSeed(newSeed((bytes) => crypto.getRandomValues(bytes)))],
      ]),
      folder: into,
      orders: new Map(
        read('select job.id, job_order.envelope from job join job_order on job_order.job = job.seq').map(
          (row) => [String(row['id']), envelopeOf(row)],
        ),
      ),
    };
  } finally {
    database.close();
  }
}

const envelopeOf = (row: Record<string, unknown>): Envelope =>
  JSON.parse(String(row['envelope'])) as Envelope;
