import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the state of this machine's server and agent lies, and who runs them. */
export interface Places {
  readonly state: string;
  readonly server: string;
  readonly agent: string;
  readonly serverLog: string;
  readonly agentLog: string;
  /** Which processes run, written by whoever started them. */
  readonly runFile: string;
  /** What the launcher obeys; belongs to whoever started it. */
  readonly ownerFile: string;
  readonly slots: string;
  readonly entries: Entries;
  readonly node: string;
  readonly bwrap: string | null;
  readonly isRoot: boolean;
}

/** The programs, relative to where the code lies: in a checkout, and beside one another in the published package. */
export interface Entries {
  readonly app: string;
  readonly server: string;
  readonly agent: string;
  readonly launcher: string;
  readonly cli: string;
}

export function entriesOf(here: string): Entries {
  const file = fileURLToPath(here);
  if (file.endsWith('.js')) {
    return {
      app: path.dirname(file),
      server: 'server.js',
      agent: 'agent.js',
      launcher: 'launcher.js',
      cli: 'cli.js',
    };
  }
  return {
    app: path.resolve(path.dirname(file), '../../../..'),
    server: 'apps/server/src/main.ts',
    agent: 'apps/agent/src/main.ts',
    launcher: 'apps/agent/src/launcher/main.ts',
    cli: 'apps/cli/src/main.ts',
  };
}

export function placesIn(state: string, toolPath: string, node: string = process.execPath): Places {
  return {
    state,
    server: path.join(state, 'server'),
    agent: path.join(state, 'agent'),
    serverLog: path.join(state, 'server', 'log'),
    agentLog: path.join(state, 'agent', 'log'),
    runFile: path.join(state, 'running.json'),
    ownerFile: path.join(state, 'owner.json'),
    slots: path.join(state, 'slots'),
    entries: entriesOf(import.meta.url),
    node,
    bwrap: findTool('bwrap', toolPath),
    isRoot: process.geteuid?.() === 0,
  };
}

/** The first of that name on the path. As root nothing is taken from a folder that others could write. */
function findTool(name: string, toolPath: string): string | null {
  const folders =
    process.geteuid?.() === 0
      ? ['/usr/bin', '/bin', '/usr/local/bin']
      : toolPath.split(path.delimiter).filter(path.isAbsolute);
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file)) ?? null;
}
