import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { bwrapArguments, findSandboxPlaces } from '../apps/agent/src/launcher/bwrap-arguments.ts';

const MIB = 2 ** 20;

/** The line by which the launcher starts `/bin/true` in `strict`, less what only a launcher can give: its filter and its status pipe. */
export function sandboxLine(folder: string): readonly [string, ...string[]] | undefined {
  const bwrap = '/usr/bin/bwrap';
  if (!existsSync(bwrap)) return undefined;
  const passwd = join(folder, 'passwd');
  const group = join(folder, 'group');
  writeFileSync(passwd, 'job:x:1000:1000::/job:/bin/sh\n');
  writeFileSync(group, 'job:x:1000:\n');
  const run: Parameters<typeof bwrapArguments>[0] = {
    env: [],
    inputs: [],
    network: false,
    limits: {
      wallMs: 3_600_000,
      memoryBytes: 1024 * MIB,
      pids: 256,
      cpuMs: null,
      cpuPercent: null,
      diskBytes: 256 * MIB,
      nofile: 1024,
      logBytes: 256 * MIB,
      logBytesPerSecond: 256 * MIB,
      graceMs: 10_000,
    },
  };
  const args = bwrapArguments(
    run,
    findSandboxPlaces(process.execPath, passwd, group),
    { is: 'memory', bytes: 256 * MIB },
    folder,
    null,
    new Set(['seccomp']),
  );
  args.splice(args.indexOf('--json-status-fd'), 2);
  return [bwrap, ...args, '--', '/bin/true'];
}
