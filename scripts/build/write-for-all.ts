import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Whatever the umask: an account that only runs what is published must be able to read it. */
export function writeForAll(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  for (let above = dirname(path); above.length > folder.length; above = dirname(above))
    chmodSync(above, 0o755);
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}
