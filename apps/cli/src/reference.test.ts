import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { API_CODES, END_REASONS, REFUSAL_CODES } from '@writ/contract';
import { CLIENT_CODES } from '@writ/client';
import { CLI_CODES } from './cli-error.ts';
import { compose } from './compose.ts';
import { makeProgram } from './program.ts';
import { cliReference, errorReference } from './reference.ts';

const read = (name: string): string =>
  readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');

test('docs/cli.md and docs/errors.md are what the program says (after a change: node scripts/write-reference.ts)', () => {
  assert.equal(read('cli.md'), cliReference());
  assert.equal(read('errors.md'), errorReference());
});

test('docs/cli.md has every command and every flag that the program itself takes', () => {
  const page = read('cli.md');
  const program = makeProgram(compose(0o022), async () => undefined);
  let flags = 0;
  const visit = (command: typeof program, name: string): void => {
    for (const child of command.commands) visit(child, `${name} ${child.name()}`);
    if (command.commands.length > 0) return;
    assert.match(page, new RegExp(`^## ${name}( |$)`, 'm'), name);
    for (const option of command.options) {
      flags += 1;
      assert.ok(page.includes(`- \`${option.flags}\`: `), `${name} ${option.flags}`);
    }
  };
  visit(program, 'writ');
  assert.ok(flags > 100, `only ${flags} flags were compared`);
});

test('docs/errors.md has a line for every code', () => {
  const page = read('errors.md');
  const codes = [
    ...Object.keys(API_CODES),
    ...REFUSAL_CODES,
    ...END_REASONS,
    ...Object.keys(CLIENT_CODES),
    ...Object.keys(CLI_CODES),
  ];
  for (const code of codes)
    assert.match(page, new RegExp(`^- \`${code.replaceAll('.', '\\.')}\``, 'm'), code);
  assert.doesNotMatch(page, /undefined/);
});
