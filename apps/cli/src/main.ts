#!/usr/bin/env node
import { VERSION } from './version.ts';

const umask = process.umask(0o077);
const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  process.stdout.write(`${VERSION}\n`);
} else {
  const [{ compose }, { runProgram }] = await Promise.all([import('./compose.ts'), import('./program.ts')]);
  // A reader that has gone (`writ job list | head`) ends the program as it ends others.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? 141 : 1),
  );
  process.exitCode = await runProgram(args, compose(umask));
}
