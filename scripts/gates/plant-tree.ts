import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Tree = Readonly<Record<string, string>>;

const checkout = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const WORKSPACES: Readonly<Record<string, string>> = {
  '@writ/contract': 'packages/contract',
  '@writ/trust': 'packages/trust',
  '@writ/store': 'packages/store',
  '@writ/client': 'packages/client',
  '@writ/server': 'apps/server',
  '@writ/agent': 'apps/agent',
  '@writ/testkit': 'testkit',
  writ: 'apps/cli',
};

/** Writes a tree into a folder of its own, with the workspaces and the installed packages linked, and uses it. */
export async function withTree<T>(tree: Tree, use: (root: string) => Promise<T> | T): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'writ-tree-'));
  try {
    for (const [path, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    linkPackages(root);
    return await use(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function linkPackages(root: string): void {
  mkdirSync(join(root, 'node_modules/@writ'), { recursive: true });
  mkdirSync(join(root, 'node_modules/@peculiar'), { recursive: true });
  for (const [name, folder] of Object.entries(WORKSPACES)) {
    symlinkSync(join(root, folder), join(root, 'node_modules', name));
  }
  for (const name of ['kysely', '@peculiar/x509', 'commander', '@types']) {
    symlinkSync(join(checkout, 'node_modules', name), join(root, 'node_modules', name));
  }
}

/** The smallest tree that every rule applies to and that breaks none. */
export const CLEAN_TREE: Tree = {
  ...manifest('packages/contract', '@writ/contract', { '.': './src/index.ts' }),
  ...manifest('packages/trust', '@writ/trust', {
    '.': './src/index.ts',
    './digest': './src/digest.ts',
    './authority': './src/authority/index.ts',
  }),
  ...manifest('packages/store', '@writ/store', {
    '.': './src/index.ts',
    './hold-folder': './src/hold-folder.ts',
  }),
  ...manifest('packages/client', '@writ/client', { '.': './src/index.ts', './node': './src/node/index.ts' }),
  ...manifest('apps/server', '@writ/server', { '.': './src/main.ts' }),
  ...manifest('apps/agent', '@writ/agent', { '.': './src/main.ts' }),
  ...manifest('apps/cli', 'writ', { '.': './src/main.ts' }),
  ...manifest('testkit', '@writ/testkit', { '.': './src/index.ts' }),

  'packages/contract/src/index.ts': `export const ids = 1;\n`,
  'packages/trust/src/index.ts': `import { ids } from '@writ/contract';\nexport const order = ids;\n`,
  'packages/trust/src/digest.ts': `import { sha256 } from './primitives/sha256.ts';\nexport const digest = sha256;\n`,
  'packages/trust/src/primitives/sha256.ts': `import { createHash } from 'node:crypto';\nexport const sha256 = createHash;\n`,
  'packages/trust/src/authority/index.ts': `export const authority = 1;\n`,
  'packages/store/src/index.ts': `import { ids } from '@writ/contract';\nimport { digest } from '@writ/trust/digest';\nimport { DatabaseSync } from 'node:sqlite';\nimport { Kysely } from 'kysely';\nexport const store = [ids, digest, DatabaseSync, Kysely];\n`,
  'packages/store/src/hold-folder.ts': `import { DatabaseSync } from 'node:sqlite';\nexport const holdFolder = DatabaseSync;\n`,
  'packages/client/src/index.ts': `import { order } from '@writ/trust';\nexport const client = order;\n`,
  'packages/client/src/node/index.ts': `import { readFileSync } from 'node:fs';\nexport const read = readFileSync;\n`,

  'apps/server/src/main.ts': `import { compose } from './compose.ts';\nexport const start = compose;\n`,
  'apps/server/src/compose.ts': `import { listen } from './listen/listen.ts';\nimport { lease } from './lease/lease-job.ts';\nimport { issue } from './certificates/issue.ts';\nimport { store } from '@writ/store';\nimport './dispatch/match.ts';\nimport './queue/queue-job.ts';\nimport { config } from './config/config.ts';\nexport const compose = [listen, lease, issue, store, config, Date.now];\n`,
  'apps/server/src/config/config.ts': `import process from 'node:process';\nexport const config = process.env;\n`,
  'apps/server/src/listen/listen.ts': `import { createServer } from 'node:tls';\nexport const listen = createServer().listen(0);\n`,
  'apps/server/src/lease/lease-job.ts': `export const lease = (now: Date): Date => new Date(now);\n`,
  'apps/server/src/dispatch/match.ts': `export const match = 1;\n`,
  'apps/server/src/queue/queue-job.ts': `export const queue = 1;\n`,
  'apps/server/src/certificates/issue.ts': `import { authority } from '@writ/trust/authority';\nexport const issue = authority;\n`,

  'apps/agent/src/main.ts': `import { compose } from './compose.ts';\nexport const start = compose;\n`,
  'apps/agent/src/compose.ts': `import { handleJob } from './handle-job.ts';\nimport { connect } from './connect/connect.ts';\nimport { holdFolder } from '@writ/store/hold-folder';\nexport const compose = [handleJob, connect, holdFolder];\n`,
  'apps/agent/src/handle-job.ts': `import type { Verify } from './verify/verify-order.ts';\nexport const handleJob = (verify: Verify): Verify => verify;\n`,
  'apps/agent/src/verify/verify-order.ts': `export type Verify = () => void;\n`,
  'apps/agent/src/replay/replay.ts': `export const replay = 1;\n`,
  'apps/agent/src/connect/connect.ts': `import { connect as dial } from 'node:tls';\nexport const connect = dial;\n`,
  'apps/agent/src/launcher/main.ts': `import { spawn } from 'node:child_process';\nexport const launch = spawn;\n`,
  'apps/agent/src/start/start-agent.ts': `import { spawn } from 'node:child_process';\nexport const startAgent = spawn;\n`,

  'apps/cli/src/main.ts': `import { start } from '@writ/server';\nimport { start as agent } from '@writ/agent';\nexport const cli = [start, agent];\n`,
  'apps/cli/src/job/order-job.ts': `import '../read/read.ts';\nexport const orderJob = 1;\n`,
  'apps/cli/src/read/read.ts': `import '../session/session.ts';\nexport const read = 1;\n`,
  'apps/cli/src/session/session.ts': `import '../show/show.ts';\nexport const session = 1;\n`,
  'apps/cli/src/show/show.ts': `import '../explain/explain.ts';\nexport const show = 1;\n`,
  'apps/cli/src/explain/explain.ts': `import '../config/settings.ts';\nexport const explain = 1;\n`,
  'apps/cli/src/config/settings.ts': `export const settings = process.env;\n`,
  'apps/cli/src/up/start-program.ts': `import { spawn } from 'node:child_process';\nexport const up = spawn;\n`,
  'testkit/src/index.ts': `import { start } from '@writ/server';\nexport const cluster = [start, process.env, Date.now()];\n`,
  'scripts/build.ts': `import { spawn } from 'node:child_process';\nexport const build = spawn;\n`,
};

function manifest(folder: string, name: string, exports: Readonly<Record<string, string>>): Tree {
  return { [`${folder}/package.json`]: `${JSON.stringify({ name, type: 'module', exports })}\n` };
}
