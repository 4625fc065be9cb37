// Writes docs/cli.md, docs/errors.md and docs/schemas from the tables that the command line itself runs on.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { cliReference, errorReference } from '../apps/cli/src/reference.ts';
import { schemaFiles } from '../apps/cli/src/schemas.ts';

const docs = join(process.cwd(), 'docs');
const schemas = join(docs, 'schemas');
mkdirSync(schemas, { recursive: true });
for (const name of readdirSync(schemas)) rmSync(join(schemas, name));
for (const [name, text] of schemaFiles()) writeFileSync(join(schemas, name), text);
writeFileSync(join(docs, 'cli.md'), cliReference());
writeFileSync(join(docs, 'errors.md'), errorReference());
