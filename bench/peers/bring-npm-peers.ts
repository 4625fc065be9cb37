import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../run-program.ts';

const FILES = ['package.json', 'package-lock.json'] as const;

type Brought = { readonly installed: string } | { readonly because: string };

let brought: Promise<Brought> | undefined;

/** Installs what the lock file beside this one names, apart from what Writ needs, the first time it is asked for. */
export function bringNpmPeers(say: (line: string) => void): Promise<Brought> {
  // Once also where it fails: waiting for a registry that does not answer takes long.
  return (brought ??= bring(say));
}

async function bring(say: (line: string) => void): Promise<Brought> {
  const named = fileURLToPath(new URL('.', import.meta.url));
  const installed = fileURLToPath(new URL('../../node_modules/.cache/bench-peers', import.meta.url));
  const stamp = join(installed, 'installed');
  const wanted = createHash('sha256');
  for (const file of FILES) wanted.update(readFileSync(join(named, file)));
  const digest = wanted.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return { installed };
  mkdirSync(installed, { recursive: true });
  for (const file of FILES) copyFileSync(join(named, file), join(installed, file));
  say('installing the peers from the npm registry');
  try {
    const quietly = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=1'];
    // `npm ci` refuses a lock file without the binaries for other systems, which not every registry has.
    await runProgram(['env', '-C', installed, 'npm', 'install', '--no-save', ...quietly]);
  } catch (error) {
    const why = (error as Error).message.split('\n').filter((line) => line !== '');
    return { because: `npm could not install it: ${why.slice(0, 3).join(' ')}` };
  }
  writeFileSync(stamp, digest);
  return { installed };
}
