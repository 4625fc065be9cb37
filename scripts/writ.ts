// npm run writ [-- ARGUMENT …]: the command `writ` of this checkout, built when a source has changed since.
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bringPrograms } from './build/bring-programs.ts';

const programs = await bringPrograms(dirname(dirname(fileURLToPath(import.meta.url))));
await import(pathToFileURL(join(programs, 'cli.js')).href);
