// npm run build: writes the package that is published into dist/writ.
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { buildPackage } from './build/build-package.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { folder, files } = await buildPackage(root, join(root, 'dist', 'writ'));
process.stdout.write(`${folder}\n`);
for (const [name, bytes] of Object.entries(files))
  process.stdout.write(`  ${name}  ${Math.ceil(bytes / 1024)} KiB\n`);
