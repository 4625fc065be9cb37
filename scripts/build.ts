// npm run build: writes the packages that are published into dist/writ and dist/client.
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { buildClient } from './build/build-client.ts';
import { buildPackage } from './build/build-package.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { folder, files } = await buildPackage(root, join(root, 'dist', 'writ'));
process.stdout.write(`${folder}\n`);
for (const [name, bytes] of Object.entries(files))
  process.stdout.write(`  ${name}  ${Math.ceil(bytes / 1024)} KiB\n`);
const client = join(root, 'dist', 'client');
await buildClient(root, client);
process.stdout.write(`${client}\n`);
