import { DatabaseSync } from 'node:sqlite';
import { commitsSoFar } from './kept-connections.ts';

/** What the database itself saw, in its order: triggers write it, in the transactions of whoever changes something. */
export type Entry =
  | {
      readonly what: 'job';
      readonly seq: number;
      readonly id: string;
      readonly digest: string;
      readonly most: number;
      readonly first: number;
      readonly size: number;
    }
  | { readonly what: 'rest'; readonly seq: number; readonly rest: string }
  | TaskEntry
  | ReceiptEntry
  | AuditEntry
  | {
      readonly what: 'lost';
      readonly job: number;
      readonly idx: number;
      readonly epoch: number;
      readonly n: number;
      readonly attempt: number;
      readonly identity: string;
      readonly outcome: string;
    };

export interface TaskEntry {
  readonly what: 'task';
  readonly job: number;
  readonly idx: number;
  readonly state: string;
  readonly attempt: number;
  readonly epoch: number | null;
  readonly n: number | null;
  readonly identity: string | null;
  readonly until: number | null;
  readonly cancel: string | null;
  readonly exit: string | null;
  readonly receipt: string | null;
}

export interface AuditEntry {
  readonly what: 'audit';
  readonly seq: number;
  readonly action: string;
  readonly object: string;
  readonly previous: string;
  readonly hash: string;
}

export interface ReceiptEntry {
  readonly what: 'receipt';
  readonly job: number;
  readonly idx: number;
  readonly attempt: number;
  readonly digest: string;
  readonly epoch: number;
  readonly n: number;
  readonly identity: string;
  readonly accepted: number;
  readonly code: string | null;
  readonly outcome: string;
  readonly envelope: string;
}

const TASK = `json_object('what', 'task', 'job', new.job, 'idx', new.idx, 'state', new.state, 'attempt', new.attempt,
  'epoch', new.token_epoch, 'n', new.token_n, 'identity', new.identity, 'until', new.lease_until,
  'cancel', new.cancel_how, 'exit', new.exit, 'receipt', new.receipt)`;

const TRIGGERS = `
  create table sim_journal (number integer primary key, entry text not null);
  create trigger sim_job after insert on job begin
    insert into sim_journal (entry) values (json_object('what', 'job', 'seq', new.seq, 'id', new.id, 'digest', new.digest,
      'most', new.max_attempts, 'first', new.first_index, 'size', new.size));
  end;
  create trigger sim_rest after update of rest on job when new.rest <> old.rest begin
    insert into sim_journal (entry) values (json_object('what', 'rest', 'seq', new.seq, 'rest', new.rest));
  end;
  create trigger sim_task_made after insert on task begin insert into sim_journal (entry) values (${TASK}); end;
  create trigger sim_task after update on task begin insert into sim_journal (entry) values (${TASK}); end;
  create trigger sim_receipt after insert on receipt begin
    insert into sim_journal (entry) values (json_object('what', 'receipt', 'job', new.job, 'idx', new.idx,
      'attempt', new.attempt, 'digest', new.digest, 'epoch', new.token_epoch, 'n', new.token_n, 'identity', new.identity,
      'accepted', new.is_accepted, 'code', new.code, 'outcome', new.outcome, 'envelope', new.envelope));
  end;
  create trigger sim_audit after insert on audit begin
    insert into sim_journal (entry) values (json_object('what', 'audit', 'seq', new.seq, 'action', new.action,
      'object', new.object, 'previous', new.previous, 'hash', new.hash));
  end;
  create trigger sim_lost after insert on lost_attempt begin
    insert into sim_journal (entry) values (json_object('what', 'lost', 'job', new.job, 'idx', new.idx,
      'epoch', new.token_epoch, 'n', new.token_n, 'attempt', new.attempt, 'identity', new.identity, 'outcome', new.outcome));
  end;`;

/** The recorder's own look into the database; it changes nothing but its own table. */
export interface Journal {
  /** What was committed since the last call. */
  read(): Entry[];
  /** Rows as they stand. */
  jobs(): Record<string, unknown>[];
  tasks(): Record<string, unknown>[];
  agents(): Record<string, unknown>[];
  openJobs(): number;
  hasJob(id: string): boolean;
  hasReceipt(digest: string): boolean;
}

export function layTriggers(file: string): void {
  const database = new DatabaseSync(file);
  database.exec(TRIGGERS);
  database.exec('pragma wal_checkpoint(truncate)');
  database.close();
}

/** For one run after the other. */
export interface KeptJournal {
  begin(): Journal;
  close(): void;
}

export function openJournal(file: string): KeptJournal {
  const database = new DatabaseSync(file, { readOnly: true });
  const since = database.prepare('select number, entry from sim_journal where number > ? order by number');
  const open = database.prepare(
    "select count(*) as n from job where state in ('waiting', 'leased', 'running')",
  );
  const job = database.prepare('select 1 from job where id = ?');
  const receipt = database.prepare('select 1 from receipt where digest = ?');
  const jobs = database.prepare('select * from job');
  const tasks = database.prepare('select * from task');
  const agents = database.prepare('select * from agent');
  const begin = (): Journal => {
    let last = 0;
    let commits = -1;
    return {
      read() {
        if (commits === commitsSoFar()) return [];
        commits = commitsSoFar();
        const rows = since.all(last) as unknown as { number: number; entry: string }[];
        last = rows.at(-1)?.number ?? last;
        return rows.map((row): Entry => JSON.parse(row.entry));
      },
      jobs: () => jobs.all(),
      tasks: () => tasks.all(),
      agents: () => agents.all(),
      openJobs: () => Number(open.get()?.['n'] ?? 0),
      hasJob: (id) => job.get(id) !== undefined,
      hasReceipt: (digest) => receipt.get(digest) !== undefined,
    };
  };
  return { begin, close: () => database.close() };
}
