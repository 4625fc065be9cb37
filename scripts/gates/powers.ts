// What a program may do only in certain places and no import shows: environment, clock, randomness, listening.
import process from 'node:process';
import { checkPowers } from './check-powers.ts';

const { read, violations } = checkPowers(process.cwd());
for (const { power, where, comment } of violations)
  process.stdout.write(`${power}: ${where}\n  ${comment}\n`);
process.stdout.write(`${violations.length} violations in ${read} files\n`);
if (violations.length > 0 || read === 0) process.exitCode = 1;
