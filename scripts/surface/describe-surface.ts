import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import type { ExtractorMessage, IExtractorInvokeOptions } from '@microsoft/api-extractor';
import { DECLARED, declareClient } from './declare-client.ts';

/** The public surface of one entry of `@writ/client`. */
export interface Surface {
  /** `client.api.md` */
  readonly file: string;
  /** Every name that is exported, with its type. */
  readonly report: string;
  /** What a reader of the surface would miss: a word of documentation, or a type that cannot be named. */
  readonly complaints: readonly string[];
}

const ENTRIES = [
  { file: 'client.api.md', entry: DECLARED['@writ/client'] },
  { file: 'client-node.api.md', entry: DECLARED['@writ/client/node'] },
] as const;

// CommonJS: its names are not all seen by an import.
const { Extractor, ExtractorConfig } = createRequire(import.meta.url)(
  '@microsoft/api-extractor',
) as typeof import('@microsoft/api-extractor');

/** Reads the surface of the client as its users see it: from the declarations, not from the sources. */
export async function describeSurface(root: string): Promise<Surface[]> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-surface-'));
  try {
    await declareClient(root, folder);
    // What the root exports can be named by who uses the entry for Node.
    const exported = new Set<string>();
    return ENTRIES.map(({ file, entry }) => {
      const surface = describe(root, folder, file, entry, exported);
      for (const [, name = ''] of surface.report.matchAll(
        /^export .*?(?:class|const|function\*?|interface|type) (\w+)/gm,
      ))
        exported.add(name);
      return surface;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function describe(
  root: string,
  folder: string,
  file: string,
  entry: string,
  exported: ReadonlySet<string>,
): Surface {
  const paths = Object.fromEntries(
    Object.entries(DECLARED).map(([name, path]) => [name, [join(folder, `${path}.d.ts`)]]),
  );
  const main = join(folder, `${entry}.d.ts`);
  const reports = join(folder, 'reports', basename(file));
  mkdirSync(join(reports, 'temporary'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"name":"@writ/client","version":"0.0.0"}');
  const complaints: string[] = [];
  Extractor.invoke(
    ExtractorConfig.prepare({
      configObjectFullPath: join(folder, 'api-extractor.json'),
      packageJsonFullPath: join(folder, 'package.json'),
      configObject: {
        projectFolder: folder,
        mainEntryPointFilePath: main,
        newlineKind: 'lf',
        compiler: {
          overrideTsconfig: {
            files: [main],
            compilerOptions: {
              ...STRICT,
              typeRoots: [join(root, 'node_modules', '@types')],
              paths: { ...paths, '*': [join(root, 'node_modules', '*')] },
            },
          },
        },
        apiReport: {
          enabled: true,
          reportFileName: file,
          reportFolder: reports,
          reportTempFolder: join(reports, 'temporary'),
        },
        docModel: { enabled: false },
        dtsRollup: { enabled: false },
        tsdocMetadata: { enabled: false },
        messages: {
          extractorMessageReporting: { default: { logLevel: 'warning' }, 'ae-missing-release-tag': NOT },
          // The tags are those of TSDoc; the hyphen behind a parameter's name is left out everywhere here.
          tsdocMessageReporting: { default: { logLevel: 'warning' }, 'tsdoc-param-tag-missing-hyphen': NOT },
        },
      } as Parameters<typeof ExtractorConfig.prepare>[0]['configObject'],
    }),
    { localBuild: true, messageCallback: (message) => take(message) } satisfies IExtractorInvokeOptions,
  );
  return { file, report: readFileSync(join(reports, file), 'utf8'), complaints };

  function take(message: ExtractorMessage): void {
    message.handled = true;
    if (message.category === 'console' || message.logLevel === 'none') return;
    const [, name = ''] = /symbol "(\w+)" needs to be exported/.exec(message.text) ?? [];
    if (exported.has(name)) return;
    // Of other packages the types that are passed on are documented, not each of their fields.
    const isField = /^Missing documentation for "[a-z]/.test(message.text);
    if (isField && message.sourceFilePath?.includes('/packages/client/') !== true) return;
    const where = message.sourceFilePath
      ? `${relative(folder, message.sourceFilePath).replace(/\.d\.ts$/, '.ts')}: `
      : '';
    complaints.push(`${where}${message.text}`);
  }
}

const NOT = { logLevel: 'none' } as const;
const STRICT = {
  target: 'es2024',
  lib: ['es2024', 'esnext.disposable', 'dom'],
  module: 'nodenext',
  moduleResolution: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  types: ['node'],
} as const;
