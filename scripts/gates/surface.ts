// The public surface of @writ/client is documented, and is the one that is committed. After a change that is meant:
// node scripts/gates/surface.ts --write
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { compareSurface, SURFACE_FOLDER } from '../surface/compare-surface.ts';
import { describeSurface } from '../surface/describe-surface.ts';

const root = process.cwd();
const surfaces = await describeSurface(root);
if (process.argv.includes('--write')) {
  mkdirSync(join(root, SURFACE_FOLDER), { recursive: true });
  for (const { file, report } of surfaces) writeFileSync(join(root, SURFACE_FOLDER, file), report);
}
const faults = compareSurface(root, surfaces);
for (const fault of faults) process.stdout.write(`${fault}\n`);
process.stdout.write(`${faults.length} faults in ${surfaces.length} entries\n`);
if (faults.length > 0 || surfaces.length === 0) process.exitCode = 1;
