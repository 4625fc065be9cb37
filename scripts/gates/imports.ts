// Imports point one way, and the modules that give a power are imported where the power is allowed.
import process from 'node:process';
import { checkImports } from './check-imports.ts';

const { read, violations } = await checkImports(process.cwd());
for (const { rule, where, comment } of violations) process.stdout.write(`${rule}: ${where}\n  ${comment}\n`);
process.stdout.write(`${violations.length} violations in ${read} files\n`);
if (violations.length > 0 || read === 0) process.exitCode = 1;
