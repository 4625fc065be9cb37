import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../test/run-program.ts';

/** What `@writ/client` is made of: each package by its entries, which are all that others may import. */
export const DECLARED = {
  '@writ/client': 'packages/client/src/index',
  '@writ/client/node': 'packages/client/src/node/index',
  '@writ/contract': 'packages/contract/src/index',
  '@writ/trust': 'packages/trust/src/index',
  '@writ/trust/digest': 'packages/trust/src/digest',
  '@writ/trust/certificates': 'packages/trust/src/certificates/index',
  '@writ/trust/node': 'packages/trust/src/node/index',
} as const;

const TSC = fileURLToPath(new URL('../../node_modules/typescript-7/bin/tsc', import.meta.url));

/** Writes the declarations of the client's packages below `folder`, laid out as their sources are. */
export async function declareClient(root: string, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const configuration = join(folder, 'tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: root,
    outDir: folder,
    typeRoots: [join(root, 'node_modules', '@types')],
    // Found through node_modules they would be somebody else's, and not be declared.
    paths: Object.fromEntries(
      Object.entries(DECLARED).map(([name, entry]) => [name, [join(root, `${entry}.ts`)]]),
    ),
  };
  const files = Object.values(DECLARED).map((entry) => join(root, `${entry}.ts`));
  const text = { extends: join(root, 'tsconfig.json'), compilerOptions, include: [], files };
  writeFileSync(configuration, JSON.stringify(text));
  const ended = await runProgram([process.execPath, TSC, '-p', configuration], { cwd: root, minutes: 2 });
  if (ended.exitCode !== 0) throw new Error(`the client cannot be declared:\n${ended.output}`);
}
