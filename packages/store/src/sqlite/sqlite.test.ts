import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testStore } from '../conformance/test-store.ts';
import { withStore } from '../conformance/samples.ts';
import { temporaryDatabase } from './temporary-database.ts';

testStore(temporaryDatabase);

test(
  'the suite ran on SQLite',
  withStore(temporaryDatabase, async (store) => {
    assert.match(store.database, /^sqlite 3\./);
  }),
);

test(
  'the store says how it writes, as the connection has it: each commit is on disk',
  withStore(temporaryDatabase, async (store) => {
    assert.match(store.database, /, journal wal, synchronous full$/);
  }),
);
