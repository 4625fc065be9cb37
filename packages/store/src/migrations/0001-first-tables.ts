import { type Kysely, type CreateTableBuilder, sql } from 'kysely';
import { TASK_STATES } from '@writ/contract';
import type { SqlWords } from '../sql-words.ts';

export const firstTables = (words: SqlWords) => ({
  async up(db: Kysely<unknown>): Promise<void> {
    const addTo = addColumnsWith(words);
    const table = (name: string, ...columns: string[]) => addTo(db.schema.createTable(name), columns);

    await table('counter', 'name text key', 'value integer').execute();
    await sql`insert into counter (name, value) values ('job', 0), ('change', 0), ('class', 0)`.execute(db);

    await table(
      'cluster',
      'id integer key',
      'cluster text',
      'server_name text',
      'epoch integer',
      'claimed integer',
    ).execute();
    await table(
      'signer_set',
      'version integer key',
      'digest text',
      'envelope text',
      'added integer',
    ).execute();
    await table(
      'freshness',
      'id integer key',
      'set_version integer',
      'set_digest text',
      'time integer',
      'envelope text',
    ).execute();
    await table(
      'invite',
      'digest text key',
      'invite_key text',
      'role text',
      'name text?',
      'until integer',
      'envelope text',
      'created integer',
      'revoked integer?',
      'admission text?',
    ).execute();
    await sql`create unique index invite_by_key on invite (invite_key)`.execute(db);
    await table(
      'admission',
      'digest text key',
      'seq integer',
      'identity text',
      'name text',
      'invite text?',
      'supersedes text?',
      'superseded_by text?',
      'is_current integer',
      'envelope text',
      'admitted integer',
    ).execute();
    await sql`create unique index admission_by_seq on admission (seq)`.execute(db);
    await sql`create unique index admission_identity on admission (identity) where is_current = 1`.execute(
      db,
    );
    await sql`create unique index admission_name on admission (name) where is_current = 1`.execute(db);
    await table(
      'agent',
      'identity text key',
      'name text',
      'admission text',
      'state text',
      'reason text?',
      'description text?',
      'last_seen integer?',
      'receipt_seq integer',
      'tasks_done integer',
    ).execute();
    await sql`create unique index agent_name on agent (name) where state <> 'evicted'`.execute(db);
    await sql`create index agent_stopped on agent (identity) where state <> 'active'`.execute(db);
    await table(
      'leaf',
      'serial text key',
      'identity text',
      'tls_key_digest text',
      'not_before integer',
      'not_after integer',
      'previous text?',
      'chain text',
      'state text',
    ).execute();
    await sql`create unique index leaf_active on leaf (identity) where state = 'active'`.execute(db);
    await sql`create index leaf_by_key on leaf (identity, tls_key_digest)`.execute(db);

    await table('class', 'id integer key', 'class text').execute();
    await sql`create unique index class_by_text on class (class)`.execute(db);
    await table(
      'job',
      'seq integer key',
      'id text',
      'digest text',
      'person text',
      'project text',
      'queue text',
      'class integer',
      'priority integer',
      'first_index integer',
      'size integer',
      'next_index integer',
      'holes integer',
      'rest text',
      'rest_because text?',
      'max_attempts integer',
      'retry_on_failure integer',
      'is_once integer',
      'not_before integer?',
      'not_after integer',
      'is_ready integer',
      'submitted_by text',
      'submitted integer',
      'started integer?',
      'ended integer?',
      'state text',
      'next_token integer',
      'change integer',
      ...TASK_STATES.map((state) => `n_${state} integer`),
    ).execute();
    await sql`create unique index job_by_id on job (id)`.execute(db);
    await sql`create index job_claimable on job (class, priority desc, seq) where n_waiting > 0 and is_ready = 1`.execute(
      db,
    );
    await sql`create index job_unready on job (not_before) where n_waiting > 0 and is_ready = 0`.execute(db);
    await sql`create index job_expiry on job (not_after) where n_waiting > 0`.execute(db);
    await sql`create index job_by_state on job (state, seq)`.execute(db);
    await sql`create index job_by_queue on job (queue, seq)`.execute(db);
    await sql`create index job_by_person on job (person, seq)`.execute(db);
    await sql`create index job_by_project on job (project, seq)`.execute(db);
    await table('job_order', 'job integer key', 'envelope text', 'command text').execute();

    await addTo(db.schema.createTable('task'), [
      'job integer',
      'idx integer',
      'state text',
      'because text?',
      'attempt integer',
      'starts integer',
      'token_epoch integer?',
      'token_n integer?',
      'identity text?',
      'lease_until integer?',
      'cancel_how text?',
      'exit text?',
      'started integer?',
      'ended integer?',
      'receipt text?',
      'change integer',
    ])
      .addPrimaryKeyConstraint('task_key', ['job', 'idx'])
      .modifyEnd(words.keptInKeyOrder)
      .execute();
    // Each covers only tasks that are alive: tasks that ended cost nothing here.
    await sql`create index task_came_back on task (job, idx) where state = 'waiting'`.execute(db);
    await sql`create index task_lease on task (lease_until) where lease_until is not null`.execute(db);
    await sql`create index task_holder on task (identity) where lease_until is not null`.execute(db);
    await sql`create index task_change on task (job, change)`.execute(db);
    await addTo(db.schema.createTable('lost_attempt'), [
      'job integer',
      'token_epoch integer',
      'token_n integer',
      'idx integer',
      'attempt integer',
      'identity text',
      'outcome text',
      'because text',
      'ended integer',
    ])
      .addPrimaryKeyConstraint('lost_attempt_key', ['job', 'idx', 'token_epoch', 'token_n'])
      .modifyEnd(words.keptInKeyOrder)
      .execute();
    await table(
      'receipt',
      'job integer',
      'idx integer',
      'attempt integer',
      'digest text',
      'token_epoch integer',
      'token_n integer',
      'identity text',
      'admission text',
      'is_accepted integer',
      'code text?',
      'outcome text',
      'because text',
      'ended integer',
      'received integer',
      'envelope text',
    ).execute();
    // Digests have no order: an index that began with them would be written all over.
    await sql`create unique index receipt_by_task on receipt (job, idx, attempt, digest)`.execute(db);

    await table('file', 'digest text key', 'size integer', 'last_used integer').execute();
    await addTo(db.schema.createTable('file_project'), ['digest text', 'project text', 'added integer'])
      .addPrimaryKeyConstraint('file_project_key', ['digest', 'project'])
      .execute();
    await addTo(db.schema.createTable('file_use'), ['job text', 'digest text'])
      .addPrimaryKeyConstraint('file_use_key', ['job', 'digest'])
      .execute();
    await sql`create index file_use_by_digest on file_use (digest)`.execute(db);

    await table(
      'token',
      'id text key',
      'hash text',
      'name text',
      'role text',
      'person text?',
      'created integer',
      'expires integer',
      'last_used integer?',
      'revoked integer?',
    ).execute();
    await sql`create unique index token_by_hash on token (hash)`.execute(db);

    await table(
      'audit',
      'seq integer key',
      'time integer',
      'actor text',
      'source text',
      'action text',
      'object text',
      'outcome text',
      'count integer',
      'detail text',
      'previous text',
      'hash text',
    ).execute();
    await sql`create index audit_by_object on audit (object, seq)`.execute(db);
    await table('audit_head', 'id integer key', 'seq integer', 'hash text').execute();
  },
});

type Table = CreateTableBuilder<string, string>;

/** `name type`, with `?` for columns that may be null and `key` for the primary key. */
const addColumnsWith =
  ({ wholeNumber, text }: SqlWords) =>
  (builder: Table, columns: readonly string[]): Table =>
    columns.reduce((made, line) => {
      const [name = '', type = '', key] = line.split(' ');
      const isNullable = type.endsWith('?');
      return made.addColumn(name, type.startsWith('integer') ? wholeNumber : text, (column) =>
        key ? column.primaryKey().notNull() : isNullable ? column : column.notNull(),
      );
    }, builder);
