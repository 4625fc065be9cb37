import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseWhenFullWith, type Room } from './refuse-when-full.ts';

const FULL = { code: 'storage.full' };

test('what was taken since the last look counts as written', async () => {
  const { refuse, disk } = make({ free: 300, total: 1000, reusable: 0 });
  await refuse(100, 'new');
  await refuse(100, 'new');
  disk.free = 100;
  await assert.rejects(refuse(1, 'new'), FULL);
});

test('nobody is refused by a count: the disk is looked at again', async () => {
  const { refuse } = make({ free: 300, total: 1000, reusable: 0 });
  for (let n = 0; n < 9; n += 1) await refuse(200, 'new');
});

test('what runs has half of the reserve, and what is new none of it', async () => {
  const { refuse, disk } = make({ free: 99, total: 1000, reusable: 0 });
  await assert.rejects(refuse(0, 'new'), FULL);
  await assert.rejects(refuse(0, 'record'), FULL);
  await refuse(40, 'running');
  disk.free = 59;
  await assert.rejects(refuse(10, 'running'), FULL);
});

test('records go where removed records were, and files do not', async () => {
  const { refuse } = make({ free: 50, total: 1000, reusable: 60 });
  await refuse(10, 'record');
  await assert.rejects(refuse(10, 'new'), FULL);
});

test('room that was made counts at the next question', async () => {
  const { refuse, disk } = make({ free: 0, total: 1000, reusable: 0 });
  await assert.rejects(refuse(0, 'new'), FULL);
  disk.free = 200;
  await refuse(0, 'new');
});

function make(room: Room) {
  const disk = { ...room };
  const look = () => Promise.resolve({ ...disk });
  return { disk, refuse: refuseWhenFullWith(() => 0, look, undefined) };
}
