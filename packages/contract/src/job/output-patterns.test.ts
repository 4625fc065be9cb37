import assert from 'node:assert/strict';
import { matchesGlob } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { readOutputPatterns } from './output-patterns.ts';

function matches(path: string, ...patterns: string[]): boolean | undefined {
  const read = readOutputPatterns(patterns);
  assert.ok('matches' in read, 'fault' in read ? read.fault : '');
  return read.matches(path);
}

const cases: readonly (readonly [pattern: string, yes: readonly string[], no: readonly string[]])[] = [
  ['result.csv', ['result.csv'], ['result.csv2', 'a/result.csv', 'resultxcsv', 'Result.csv']],
  ['*.csv', ['a.csv', 'a b.csv', 'é.csv', '\n.csv'], ['.csv', '.a.csv', 'a/b.csv', 'a.csv.x']],
  ['*', ['a', '-', '😀'], ['.a', 'a/b']],
  ['.*', ['.a'], ['a']],
  ['a?c', ['abc', 'a😀c', 'a.c'], ['ac', 'abbc', 'a/c']],
  ['?a', ['aa'], ['.a']],
  ['[a-c]x', ['ax', 'cx'], ['dx', 'x', '-x']],
  ['[!a-c]x', ['dx'], ['ax', '.x', '/x']],
  ['[^a]x', ['bx'], ['ax']],
  ['x[]a]', ['x]', 'xa'], ['x[]a]']],
  ['x[a-]', ['xa', 'x-'], ['xb']],
  ['x[', ['x['], ['x']],
  ['x[*]', ['x*'], ['xa']],
  ['x[(]1)', ['x(1)'], ['x1']],
  ['x(1)', ['x(1)'], ['x1']],
  ['r/*', ['r/a'], ['r', 'r/a/b', 'r/.a']],
  ['r/**', ['r/a', 'r/a/b/c'], ['r', 'r/.a', 'r/a/.b', 'x/r/a']],
  ['**', ['a', 'a/b'], ['.a', 'a/.b']],
  ['**/x', ['x', 'a/x', 'a/b/x'], ['xx', '.a/x', 'a/.b/x']],
  ['a/**/x', ['a/x', 'a/b/c/x'], ['b/a/x', 'a/x/y']],
  ['a/**/**/x', ['a/x', 'a/b/x'], ['x']],
  ['**/a/*/b', ['a/x/b', 'a/a/x/b', 'a/y/a/x/b', 'a/a/b'], ['a/b', 'a/x/y/b']],
  ['a**b', ['ab', 'axb'], ['a/b']],
  ['{a,b}', ['a', 'b'], ['c', '{a,b}']],
  ['{a,b/c}/x.{csv,json}', ['a/x.csv', 'b/c/x.json'], ['a/x.txt', 'c/x.csv']],
  ['{a,b{1,2}}', ['a', 'b1', 'b2'], ['b']],
  ['{**/,}x', ['x', 'a/x'], ['y']],
  ['{a}', ['{a}'], ['a']],
  ['{a,b', ['{a,b'], ['a']],
  ['a}', ['a}'], ['a']],
];

for (const [pattern, yes, no] of cases)
  test(`${pattern} stands for what it should`, () => {
    for (const path of yes) assert.equal(matches(path, pattern), true, path);
    for (const path of no) assert.equal(matches(path, pattern), false, path);
  });

test('one pattern of several is enough, and no pattern matches nothing', () => {
  assert.equal(matches('b', 'a', 'b'), true);
  assert.equal(matches('b'), false);
});

test('what is matched is what Node matches, in everything that both know', () => {
  const word = fc.stringMatching(/^[ab.*?]{1,4}$/).filter((text) => !/^\.{1,2}$/.test(text));
  const set = fc.constantFrom('[ab]', '[!a]', '[a-b]x', '{a,b}', '{a/b,*}', '**', '**', '*');
  const pattern = fc
    .array(fc.oneof(word, set), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join('/'));
  const name = fc.stringMatching(/^[abx.]{1,4}$/).filter((text) => !/^\.{1,2}$/.test(text));
  const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(pattern, path, (one, other) => {
      // There Node does not find `a/.b` by `**/a/**/.b`.
      fc.pre(!one.includes('**/') || !/(^|\/)\./.test(one));
      assert.equal(matches(other, one), matchesGlob(other, one), `${one} ${other}`);
    }),
    { numRuns: 3000 },
  );
});

for (const [pattern, word] of [
  ['+(+(a)|a)b', 'a group'],
  ['x@(a)', 'a group'],
  ['!(a)', 'a group'],
  ['a\\*', 'a backslash'],
  ['{1..3}', 'a series'],
  ['[[:alpha:]]', 'a class'],
  ['{a,b}'.repeat(7), 'more than 64'],
  ['{a,b}'.repeat(800), 'more than 64'],
  ['{'.repeat(2000) + 'a,b}'.repeat(500), 'more than 64'],
] as const)
  test(`${pattern.slice(0, 40)} is refused: ${word}`, () => {
    const read = readOutputPatterns(['ok', pattern]);
    assert.ok('fault' in read);
    assert.ok(read.fault.includes(word), read.fault);
  });

test('patterns that are too long together are refused', () => {
  assert.ok('fault' in readOutputPatterns(Array.from({ length: 5 }, () => 'a'.repeat(4000))));
});

test(
  'no pattern and no name take long: the steps are counted, and they have an end',
  { timeout: 60_000 },
  () => {
    for (const [pattern, path] of [
      ['*a'.repeat(2000), 'a'.repeat(4000)],
      [`${'*a'.repeat(2000)}b`, 'a'.repeat(4000)],
      [`**${'/a'.repeat(1900)}/b`, `a${'/a'.repeat(2000)}`],
      [`${'**/*a/'.repeat(600)}b`, `a${'/a'.repeat(2000)}`],
      ['{a,{b,{c,{d,*}}}}'.repeat(2), 'a'.repeat(4000)],
    ] as const)
      assert.equal(typeof matches(path, pattern), 'boolean');
    const read = readOutputPatterns([`*${'a'.repeat(2000)}b`], 20_000_000);
    assert.ok('matches' in read);
    let answer: boolean | undefined = false;
    let calls = 0;
    for (; answer === false && calls < 200; calls += 1) answer = read.matches('a'.repeat(4000));
    assert.equal(answer, undefined);
    assert.equal(read.matches('b'), undefined, 'it does not begin again');
  },
);
