import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openShell } from '@writ/testkit';

/** `writ up` on a fresh machine: authority, key, signer set, certificates, database. @returns milliseconds until it listens and has said so. */
export async function measureStart(rounds: number): Promise<number[]> {
  const took: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'writ-start-'));
    const shell = openShell(join(folder, 'ana'));
    const dir = join(folder, 'state');
    try {
      const start = performance.now();
      const line = [
        'up',
        '--no-agent',
        '--dir',
        dir,
        '--host',
        '127.0.0.1',
        '--port',
        '0',
        '--agent-port',
        '0',
      ];
      await shell.must(line);
      took.push(performance.now() - start);
    } finally {
      await shell.writ(['down', '--dir', dir]);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    }
  }
  return took;
}
