// Runs what a page tells people to type, and compares what it prints.
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { readConsoleBlocks } from './read-console-blocks.ts';
import { runSteps } from './run-steps.ts';

const [page = ''] = process.argv.slice(2);
if (!existsSync(page)) {
  process.stdout.write(`there is no page ${page}\n`);
  process.exit(1);
}
const steps = readConsoleBlocks(readFileSync(page, 'utf8'));
const faults = await runSteps(steps, process.cwd());
for (const { line, says } of faults) process.stdout.write(`${page}:${line}: ${says}\n`);
process.stdout.write(`${steps.length} commands, ${faults.length} faults\n`);
if (faults.length > 0 || steps.length === 0) process.exitCode = 1;
