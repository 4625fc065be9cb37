// Every program that a page shows is the one that is run as a test.
import process from 'node:process';
import { checkPrograms } from './check-programs.ts';

const { shown, different } = checkPrograms(process.cwd());
for (const line of different) process.stdout.write(`${line}\n`);
process.stdout.write(`${different.length} of ${shown} programs are others\n`);
if (different.length > 0 || shown === 0) process.exitCode = 1;
