import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TemporaryCluster } from '../../../packages/store/src/postgres/testing/temporary-cluster.ts';
import type { Effect } from '../effect-log.ts';
import type { Cluster } from '../start-cluster.ts';
import type { Kill } from './kill.ts';

export interface ToKeep {
  readonly cluster: Pick<Cluster, 'folder' | 'server' | 'agents'>;
  readonly postgres: TemporaryCluster | undefined;
  /** File of the submitters. */
  readonly submissions: string;
  readonly effects: readonly Effect[];
  readonly kills: readonly Kill[];
}

/** What every program wrote for its owner, and what an agent remembers. No keys. */
const OF_THE_SERVER = /^server\/(?:log|writ\.db(?:-wal)?)$/;
const OF_AN_AGENT = /^(?:agent-run\.log|owner\.json|agent\/(?:replay\.log|receipts\/.*))$/;

/**
 * A copy of what tells how it came about, for whoever looks for the cause of a fault: the database, the logs, the files of
 * submitters and recorder. The server must not run.
 *
 * @returns the folder. Whoever finds nothing wrong removes it.
 */
export async function keepEvidence(kept: ToKeep): Promise<string> {
  const { cluster, postgres } = kept;
  const folder = mkdtempSync(join(tmpdir(), 'writ-evidence-'));
  copy(cluster.server.folder, join(folder, 'server'), OF_THE_SERVER);
  for (const agent of cluster.agents) copy(agent.folder, join(folder, agent.name), OF_AN_AGENT);
  cpSync(kept.submissions, join(folder, 'submissions'));
  for (const [name, lines] of Object.entries({ effects: kept.effects, kills: kept.kills }))
    writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const dump = join(folder, 'database.sql');
  await postgres?.dump('campaign', dump).catch((error: unknown) => writeFileSync(dump, String(error)));
  return folder;
}

function copy(from: string, to: string, which: RegExp): void {
  if (!existsSync(from)) return;
  for (const path of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    if (!which.test(path)) continue;
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(from, path), join(to, path));
  }
}

export const removeEvidence = (folder: string): void => rmSync(folder, { recursive: true, force: true });
