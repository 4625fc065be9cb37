import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { API_CODES, END_REASONS, REFUSAL_CODES } from '@writ/contract';
import { CLIENT_CODES } from '@writ/client';
import { CLI_CODES } from './cli-error.ts';
import { COMMANDS } from './commands.ts';
import { compose } from './compose.ts';
import { JOINS } from './explain/explain-error.ts';
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

test('no message names a command that does not exist', () => {
  const root = new URL('../../../', import.meta.url);
  const nouns = COMMANDS.filter(({ name }) => name.includes(' ')).map(({ name }) => name.split(' ')[0]);
  const named = new RegExp(`\\bwrit (${[...new Set(nouns)].join('|')}|signer) ([a-z]+)`, 'g');
  let seen = 0;
  for (const folder of ['apps/agent/src', 'apps/cli/src', 'apps/server/src', 'packages']) {
    for (const file of readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
      const text = readFileSync(new URL(`${folder}/${file}`, root), 'utf8');
      for (const [all, noun, verb] of text.matchAll(named)) {
        if (verb === 'of') continue; // “a writ server of this version”
        seen += 1;
        assert.ok(
          COMMANDS.some(({ name }) => name === `${noun} ${verb}`),
          `${folder}/${file}: ${all}`,
        );
      }
    }
  }
  assert.ok(seen > 20, `only ${seen} were compared`);
});

test('docs/errors.md has a line for every code', () => {
  const page = read('errors.md');
  const codes = [
    ...Object.keys(API_CODES),
    ...REFUSAL_CODES,
    ...END_REASONS,
    ...Object.keys(CLIENT_CODES),
    ...Object.keys(JOINS),
    ...Object.keys(CLI_CODES),
  ];
  for (const code of codes)
    assert.match(page, new RegExp(`^- \`${code.replaceAll('.', '\\.')}\``, 'm'), code);
  assert.doesNotMatch(page, /undefined/);
});

test('docs/errors.md explains each code that a program makes, or at least its family', () => {
  const page = read('errors.md');
  const root = new URL('../../../', import.meta.url);
  const made = /new [A-Z][A-Za-z]*(?:Error|Fault)\(\s*'([a-z_]+)\.([a-z_]+)'/g;
  let seen = 0;
  for (const folder of ['apps/agent/src', 'apps/cli/src', 'apps/server/src', 'packages']) {
    for (const file of readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
      const text = readFileSync(new URL(`${folder}/${file}`, root), 'utf8');
      for (const [, family = '', name = ''] of text.matchAll(made)) {
        seen += 1;
        const isExplained = page.includes(`- \`${family}.${name}\``) || page.includes(`- \`${family}.…\``);
        assert.ok(isExplained, `${folder}/${file}: ${family}.${name}`);
      }
    }
  }
  assert.ok(seen > 150, `only ${seen} were compared`);
});
