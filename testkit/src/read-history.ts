import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReceiptPredicate, TaskCounts } from '@writ/contract';
import {
  openStore,
  type AttemptRecord,
  type AuditReport,
  type JobRecord,
  type Page,
  type PageAsked,
  type ReceiptRecord,
  type Store,
  type TaskRecord,
} from '@writ/store';

export interface TaskHistory {
  readonly task: TaskRecord;
  readonly attempts: readonly AttemptRecord[];
  readonly receipts: readonly (ReceiptRecord & { readonly predicate: ReceiptPredicate })[];
}

export interface JobHistory {
  readonly job: Pick<JobRecord, 'id' | 'digest' | 'state' | 'size' | 'maxAttempts' | 'submitted'> & {
    readonly counts: TaskCounts;
  };
  readonly tasks: readonly TaskHistory[];
}

/** What a server's database says happened. */
export interface History {
  readonly jobs: readonly JobHistory[];
  readonly audit: AuditReport;
  /** How many state changes the audit trail stands for, by action. */
  readonly audited: ReadonlyMap<string, number>;
}

/** Reads a copy: the server may run, and keeps its files to itself. */
export async function readHistory(stateFolder: string): Promise<History> {
  const copy = mkdtempSync(join(tmpdir(), 'writ-history-'));
  try {
    for (const end of ['', '-wal'])
      cpSync(join(stateFolder, 'server', `writ.db${end}`), join(copy, `writ.db${end}`), { force: true });
    const store = await openStore({ file: join(copy, 'writ.db') });
    try {
      return await read(store);
    } finally {
      await store.close();
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The same of a database in PostgreSQL, which no server may be using. */
export async function readDatabase(url: string): Promise<History> {
  const store = await openStore({ url, wait: (milliseconds) => sleep(milliseconds) });
  try {
    return await read(store);
  } finally {
    await store.close();
  }
}

async function read({ jobs, audit }: Store): Promise<History> {
  const found: JobHistory[] = [];
  for (const job of await all((page) => jobs.listJobs(page))) {
    const receipts = Map.groupBy(await all((page) => jobs.listReceipts(job.id, page)), ({ index }) => index);
    const tasks: TaskHistory[] = [];
    for (const task of await all((page) => jobs.listTasks(job.id, page)))
      tasks.push({
        task,
        attempts: await jobs.listAttempts(job.id, task.index),
        receipts: (receipts.get(task.index) ?? []).map((receipt) => ({
          ...receipt,
          predicate: predicateOf(receipt),
        })),
      });
    found.push({ job, tasks });
  }
  const audited = new Map<string, number>();
  for (const { action, count } of await all((page) => audit.listRecords(page)))
    audited.set(action, (audited.get(action) ?? 0) + count);
  return { jobs: found, audit: await audit.verifyAudit(), audited };
}

async function all<T>(list: (page: PageAsked) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  for (let after: string | null = null; ;) {
    const page: Page<T> = await list({ after, limit: 500 });
    items.push(...page.items);
    after = page.next;
    if (after === null) return items;
  }
}

const predicateOf = ({ envelope }: ReceiptRecord): ReceiptPredicate =>
  (JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')) as { predicate: ReceiptPredicate })
    .predicate;
