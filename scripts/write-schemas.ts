// Writes docs/schemas from the shapes that the command line publishes.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { schemaFiles } from '../apps/cli/src/schemas.ts';

const folder = join(process.cwd(), 'docs', 'schemas');
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(folder)) rmSync(join(folder, name));
for (const [name, text] of schemaFiles()) writeFileSync(join(folder, name), text);
