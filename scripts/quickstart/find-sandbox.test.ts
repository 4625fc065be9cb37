import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { findSandbox } from './find-sandbox.ts';

let path: string;
const said: string[] = [];
const say = (line: string): void => void said.push(line);
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'writ-path-'));
  said.length = 0;
});
afterEach(() => rmSync(path, { recursive: true }));

test('a machine that has bubblewrap needs nothing', () => {
  writeProgram('bwrap', 'exit 0');
  assert.equal(findSandbox({ platform: 'linux', isRoot: false, path }, say), undefined);
});

test('who may not install it is told the exact command, and how to go without', () => {
  writeProgram('apt-get', 'exit 0');
  const lacking = findSandbox({ platform: 'linux', isRoot: false, path }, say);
  assert.match(lacking ?? '', /^ {2}sudo apt-get install -y bubblewrap$/m);
  assert.match(lacking ?? '', /npm run quickstart -- --bare$/);
});

test('root on Debian gets it installed, with the package lists brought when they are missing', () => {
  writeProgram(
    'apt-get',
    `echo "$1" >> "${path}/calls"
     if [ "$1" = install ]; then
       [ -e "${path}/lists" ] || exit 100
       printf '#!/bin/sh\\n' > "${path}/bwrap"; /bin/chmod 755 "${path}/bwrap"
     else : > "${path}/lists"; fi`,
  );
  assert.equal(findSandbox({ platform: 'linux', isRoot: true, path }, say), undefined);
  assert.equal(readFileSync(join(path, 'calls'), 'utf8'), 'install\nupdate\ninstall\n');
});

test('when the installation fails, its reason and the command are shown', () => {
  writeProgram('apt-get', 'echo "no such package" >&2; exit 100');
  const lacking = findSandbox({ platform: 'linux', isRoot: true, path }, say);
  assert.match(lacking ?? '', /^ {2}apt-get install -y bubblewrap$/m);
  assert.match(said.join('\n'), /no such package/);
});

test('elsewhere than on Linux it says that there is only bare', () => {
  assert.match(findSandbox({ platform: 'darwin', isRoot: false, path }, say) ?? '', /--bare/);
});

function writeProgram(name: string, script: string): void {
  const file = join(path, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}
