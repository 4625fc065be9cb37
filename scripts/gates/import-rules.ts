import type { IRegularForbiddenRuleType } from 'dependency-cruiser';

/** Tests, and what only they use, may do what a program may not. */
export const TEST_FILE = String.raw`(\.test\.ts$|/testing/)`;

const OURS = '^(packages|apps)/';
// What the agent may ask of its launcher and what the launcher is started with: the border between two programs.
const LAUNCHER_BORDER = String.raw`^apps/agent/src/launcher/(messages|owner-file|close-inherited-descriptors)\.ts$`;
const ENTRY_OF_A_PROGRAM = String.raw`^apps/(server|agent)/src/(main|index|start/index|config/machine-file)\.ts$`;
const core = (...names: readonly string[]): string => `^(node:)?(${names.join('|')})(/|$)`;
const npm = (...names: readonly string[]): string => `(^|/)node_modules/(${names.join('|')})/`;

/** Who may import whom, and which module gives which power. `comment` says why, and what to do instead. */
export const IMPORT_RULES: readonly IRegularForbiddenRuleType[] = [
  {
    severity: 'error',
    name: 'every-import-is-found',
    comment:
      'An import that cannot be resolved is an edge that no rule sees. Correct the path or the exports.',
    from: { path: '^(packages|apps|testkit|e2e|bench|scripts|examples)/' },
    to: { couldNotResolve: true },
  },
  {
    severity: 'error',
    name: 'no-circle',
    comment: 'Files that need each other are one thing or three. Move what both need below them.',
    from: { path: '^(packages|apps|testkit|scripts)/' },
    to: { circular: true },
  },
  {
    severity: 'error',
    name: 'tests-are-not-imported',
    comment: 'A test file is run, not imported. Move what two tests share into testkit or a named file.',
    from: { path: '^(packages|apps|testkit|e2e|bench|scripts|examples)/' },
    to: { path: String.raw`\.test\.ts$` },
  },
  {
    severity: 'error',
    name: 'packages-know-no-apps',
    comment: 'Imports point down: what a package needs from an app is a word for contract or an argument.',
    from: { path: '^packages/' },
    to: { path: '^(apps|e2e|bench|scripts|examples)/' },
  },
  {
    severity: 'error',
    name: 'testkit-is-for-tests',
    comment: 'Programs do not stand on what was made for tests.',
    from: { path: OURS, pathNot: TEST_FILE },
    to: { path: ['^(testkit|e2e|bench|scripts|examples)/', '/testing/'] },
  },
  {
    severity: 'error',
    name: 'contract-is-the-bottom',
    comment: 'contract imports no other package.',
    from: { path: '^packages/contract/' },
    to: { path: '^packages/(?!contract/)' },
  },
  {
    severity: 'error',
    name: 'trust-stands-on-contract',
    comment: 'trust imports contract only.',
    from: { path: '^packages/trust/' },
    to: { path: '^packages/(?!(trust|contract)/)' },
  },
  {
    severity: 'error',
    name: 'store-stands-on-contract',
    comment: 'store imports contract, and from trust only the digest.',
    from: { path: '^packages/store/', pathNot: TEST_FILE },
    to: { path: '^packages/(?!((store|contract)/|trust/src/digest\\.ts$))' },
  },
  {
    severity: 'error',
    name: 'client-stands-on-trust',
    comment: 'client imports contract and trust.',
    from: { path: '^packages/client/' },
    to: { path: '^packages/(?!(client|trust|contract)/)' },
  },
  {
    severity: 'error',
    name: 'apps-know-no-apps',
    comment: 'Programs speak over the wire. Only cli starts server and agent, by the entry of their package.',
    from: { path: '^apps/([^/]+)/', pathNot: TEST_FILE },
    to: { path: '^apps/', pathNot: ['^apps/$1/', ENTRY_OF_A_PROGRAM] },
  },
  {
    severity: 'error',
    name: 'only-cli-starts-programs',
    comment: 'Only cli imports the entry of server or agent.',
    from: { path: '^apps/([^/]+)/', pathNot: [TEST_FILE, '^apps/cli/'] },
    to: { path: ENTRY_OF_A_PROGRAM, pathNot: '^apps/$1/' },
  },
  {
    severity: 'error',
    name: 'features-know-no-features',
    comment: 'A folder under src is a feature. What it needs from another one is passed in by compose.ts.',
    from: { path: '^apps/([^/]+)/src/([^/]+)/', pathNot: [TEST_FILE, '^apps/cli/', '/(main|compose)\\.ts$'] },
    to: {
      path: '^apps/$1/src/[^/]+/',
      pathNot: ['^apps/$1/src/$2/', LAUNCHER_BORDER],
    },
  },
  ...cliLayers(),
  {
    severity: 'error',
    name: 'agent-takes-no-sql',
    comment:
      "The agent's replay record is an append-only file; from store it takes the lock on its folder only.",
    from: { path: '^apps/agent/', pathNot: TEST_FILE },
    to: { path: '^packages/store/', pathNot: '^packages/store/src/hold-folder\\.ts$' },
  },
  {
    severity: 'error',
    name: 'authority-key-in-one-place',
    comment: "The authority's private key is used by apps/server/src/certificates.",
    from: { path: OURS, pathNot: [TEST_FILE, '^packages/trust/', '^apps/server/src/certificates/'] },
    to: { path: '^packages/trust/src/authority/' },
  },
  {
    severity: 'error',
    name: 'contract-without-node',
    comment: 'contract runs in a browser and does no input or output.',
    from: { path: '^packages/contract/', pathNot: TEST_FILE },
    to: { dependencyTypes: ['core'] },
  },
  {
    severity: 'error',
    name: 'client-root-without-node',
    comment: 'The root of client runs in a browser; what needs Node belongs in packages/client/src/node.',
    from: { path: '^packages/client/', pathNot: [TEST_FILE, '^packages/client/src/node/'] },
    to: { dependencyTypes: ['core'] },
  },
  {
    severity: 'error',
    name: 'signing-half-without-node',
    comment: 'trust touches Node only in primitives, certificates, authority and node.',
    from: {
      path: '^packages/trust/',
      pathNot: [TEST_FILE, '^packages/trust/src/(primitives|certificates|authority|node)/'],
    },
    to: { dependencyTypes: ['core'] },
  },
  {
    severity: 'error',
    name: 'processes',
    comment: 'Processes are started by the launcher, by its starter, and by `writ up`.',
    from: { path: OURS, pathNot: [TEST_FILE, '^apps/agent/src/(launcher|start)/', '^apps/cli/src/up/'] },
    to: { path: core('child_process', 'cluster') },
  },
  {
    severity: 'error',
    name: 'sql',
    comment: 'SQL is spoken in packages/store.',
    from: { path: OURS, pathNot: [TEST_FILE, '^packages/store/'] },
    to: { path: [core('sqlite'), npm('kysely', 'pg', 'pg-[^/]+', 'better-sqlite3')] },
  },
  {
    severity: 'error',
    name: 'folder-lock-is-small',
    comment: 'The agent imports this file: it takes node:sqlite and nothing from npm.',
    from: { path: '^packages/store/src/hold-folder\\.ts$' },
    to: { path: '(^|/)node_modules/' },
  },
  {
    severity: 'error',
    name: 'cryptography',
    comment: 'Cryptographic primitives are used in packages/trust; hashing is @writ/trust/digest.',
    from: { path: OURS, pathNot: [TEST_FILE, '^packages/trust/'] },
    to: { path: [core('crypto'), npm('@peculiar/[^/]+', '@noble/[^/]+', 'node-forge', 'pkijs', 'jose')] },
  },
  {
    severity: 'error',
    name: 'launcher-without-network',
    comment:
      'The launcher may be root: it speaks to its agent over an inherited descriptor and to nobody else.',
    from: { path: '^apps/agent/src/launcher/', pathNot: TEST_FILE },
    to: { path: core('net', 'tls', 'http', 'https', 'http2', 'dgram', 'dns', 'inspector') },
  },
  {
    severity: 'error',
    name: 'launcher-without-dependencies',
    comment: 'The launcher may be root: what it runs is what stands in its folder.',
    from: { path: '^apps/agent/src/launcher/', pathNot: TEST_FILE },
    to: { path: '(^|/)node_modules/' },
  },
];

// The command line has no features: each verb is put together from the same few layers, and they point down.
function cliLayers(): IRegularForbiddenRuleType[] {
  const layers = ['job', 'read', 'session', 'show', 'explain', 'config'];
  return layers.map((layer, at) => ({
    severity: 'error',
    name: 'cli-layers-point-down',
    comment: `In the command line, ${layer} may import ${layers.slice(at + 1).join(', ') || 'no other folder'}.`,
    from: { path: `^apps/cli/src/${layer}/`, pathNot: TEST_FILE },
    to: { path: '^apps/cli/src/[^/]+/', pathNot: `^apps/cli/src/(${layers.slice(at).join('|')})/` },
  }));
}

/** What a file may not reach even through files that may; types do not count, because nothing of them is left to run. */
export const REACH_RULES: readonly {
  readonly name: string;
  readonly comment: string;
  readonly from: RegExp;
  readonly to: RegExp;
}[] = [
  {
    name: 'launcher-reaches-no-network',
    comment: 'No module that the launcher loads opens a connection.',
    from: /^apps\/agent\/src\/launcher\/(?!.*(?:\.test\.ts$|\/testing\/))/,
    to: new RegExp(core('net', 'tls', 'http', 'https', 'http2', 'dgram', 'dns')),
  },
  {
    name: 'launcher-reaches-no-dependency',
    comment: 'No module that the launcher loads comes from npm.',
    from: /^apps\/agent\/src\/launcher\/(?!.*(?:\.test\.ts$|\/testing\/))/,
    to: /(^|\/)node_modules\//,
  },
  {
    name: 'server-reaches-no-process',
    comment: 'The server starts no process.',
    from: /^apps\/server\/(?!.*(?:\.test\.ts$|\/testing\/))/,
    to: new RegExp(core('child_process', 'cluster')),
  },
  {
    name: 'agent-reaches-no-process',
    comment: "The agent's own program starts no process; it asks the launcher.",
    from: /^apps\/agent\/src\/(?!launcher\/|start\/|.*(?:\.test\.ts$|\/testing\/))/,
    to: new RegExp(core('child_process', 'cluster')),
  },
];
