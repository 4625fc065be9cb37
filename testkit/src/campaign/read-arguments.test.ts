import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readArguments } from './read-arguments.ts';

const read = (...words: string[]) => readArguments(words, 7);
const refusalOf = (...words: string[]): string => {
  const said = read(...words);
  return typeof said === 'string' ? said : assert.fail('it was not refused');
};

test('a campaign of kills has a seed that was drawn, and kills everything that there is', () => {
  assert.deepEqual(read('kills'), {
    wish: {
      agents: 4,
      minutes: 5,
      kills: null,
      seed: 7,
      database: 'sqlite',
      roles: ['server', 'agent', 'launcher'],
    },
    isWritten: true,
  });
  assert.deepEqual(
    read('kills', '--minutes', '0.5', '--kills', '3', '--seed', '9', '--database', 'postgres', '--no-write'),
    {
      wish: {
        agents: 4,
        minutes: 0.5,
        kills: 3,
        seed: 9,
        database: 'postgres',
        roles: ['server', 'agent', 'launcher', 'postmaster'],
      },
      isWritten: false,
    },
  );
});

test('a role may have several turns, and only one that is there', () => {
  const asked = read('kills', '--database', 'postgres', '--roles', 'server,postmaster,postmaster');
  assert.deepEqual(typeof asked === 'string' ? asked : asked.wish.roles, [
    'server',
    'postmaster',
    'postmaster',
  ]);
  assert.match(refusalOf('kills', '--roles', 'postmaster'), /only with --database postgres/);
  assert.match(refusalOf('kills', '--roles', 'cook'), /--roles takes some of/);
});

test('what is no campaign, no option and no number is told with the usage', () => {
  for (const words of [
    [],
    ['storms'],
    ['kills', '--often'],
    ['kills', '--minutes', '-1'],
    ['kills', '--kills', '0'],
    ['kills', '--seed', 'x'],
    ['kills', '--database', 'oracle'],
  ])
    assert.match(refusalOf(...words), /npm run campaign -- kills/);
});
