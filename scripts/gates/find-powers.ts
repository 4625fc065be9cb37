import ts from 'typescript';
import type { Power } from './power-rules.ts';

export type Use = { readonly power: Power; readonly line: number; readonly text: string };

/** Finds what a file does that needs a power. It reads syntax only, so an alias of a global counts as its use. */
export function findPowers(path: string, text: string): Use[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const uses: Use[] = [];
  const visit = (node: ts.Node): void => {
    // A type is gone before anything runs.
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return;
    if (ts.isImportDeclaration(node) && node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
      return;
    const power = powerOf(node);
    if (power) {
      const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      uses.push({ power, line, text: node.getText().split('\n')[0]?.slice(0, 80) ?? '' });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return uses;
}

const GLOBALS: Readonly<Record<string, Power>> = {
  setTimeout: 'clock',
  setInterval: 'clock',
  performance: 'clock',
  eval: 'evaluation',
  Function: 'evaluation',
  require: 'hidden import',
};

const MEMBERS: Readonly<Record<string, Power>> = {
  'process.env': 'environment',
  'process.hrtime': 'clock',
  'process.uptime': 'clock',
  'Date.now': 'clock',
  'AbortSignal.timeout': 'clock',
  'Math.random': 'randomness',
  'crypto.getRandomValues': 'randomness',
  'crypto.randomUUID': 'randomness',
  'crypto.subtle': 'cryptography',
  'process.getBuiltinModule': 'hidden import',
  'process.binding': 'hidden import',
  'process.dlopen': 'hidden import',
};

/** Names that are a power when they are imported from a module of Node, or used as a member of it. */
const IMPORTED: Readonly<Record<string, Readonly<Record<string, Power>>>> = {
  process: { env: 'environment', hrtime: 'clock', uptime: 'clock', getBuiltinModule: 'hidden import' },
  timers: { setTimeout: 'clock', setInterval: 'clock' },
  'timers/promises': { setTimeout: 'clock', setInterval: 'clock', scheduler: 'clock' },
  perf_hooks: { performance: 'clock' },
  crypto: {
    randomBytes: 'randomness',
    randomUUID: 'randomness',
    randomInt: 'randomness',
    randomFill: 'randomness',
    randomFillSync: 'randomness',
    getRandomValues: 'randomness',
  },
  os: { userInfo: 'account', homedir: 'account' },
  module: { createRequire: 'hidden import', register: 'hidden import' },
  vm: { default: 'evaluation' },
  net: { createServer: 'listening', Server: 'listening' },
  tls: { createServer: 'listening', Server: 'listening' },
  http: { createServer: 'listening', Server: 'listening' },
  https: { createServer: 'listening', Server: 'listening' },
  http2: { createServer: 'listening', createSecureServer: 'listening' },
  dgram: { createSocket: 'listening' },
};

const METHODS: Readonly<Record<string, Power>> = {
  listen: 'listening',
  createServer: 'listening',
  createSecureServer: 'listening',
  randomBytes: 'randomness',
  userInfo: 'account',
  homedir: 'account',
  createRequire: 'hidden import',
};

function powerOf(node: ts.Node): Power | undefined {
  if (ts.isImportSpecifier(node)) return node.isTypeOnly ? undefined : ofImport(node);
  if (ts.isImportDeclaration(node))
    return moduleName(node.moduleSpecifier) === 'vm' ? 'evaluation' : undefined;
  if (ts.isPropertyAccessExpression(node)) return ofMember(node.expression, node.name.text, isCalled(node));
  if (ts.isElementAccessExpression(node)) {
    const name = node.argumentExpression;
    return ts.isStringLiteralLike(name) ? ofMember(node.expression, name.text, isCalled(node)) : undefined;
  }
  if (ts.isVariableDeclaration(node)) return ofDestructuring(node);
  if (ts.isNewExpression(node)) return isClockReading(node) ? 'clock' : undefined;
  if (ts.isCallExpression(node)) return ofCall(node);
  if (ts.isIdentifier(node) && isGlobalUse(node)) return own(GLOBALS, node.text);
  return undefined;
}

function ofImport(node: ts.ImportSpecifier): Power | undefined {
  const from = moduleName(node.parent.parent.parent.moduleSpecifier);
  return own(own(IMPORTED, from) ?? {}, (node.propertyName ?? node.name).text);
}

function moduleName(specifier: ts.Node): string {
  return ts.isStringLiteralLike(specifier) ? specifier.text.replace(/^node:/, '') : '';
}

function ofMember(object: ts.Expression, name: string, called: boolean): Power | undefined {
  const holder = lastName(object);
  const power = own(MEMBERS, `${holder}.${name}`);
  if (power) return power;
  // globalThis.setTimeout is setTimeout.
  if (holder === 'globalThis') return own(GLOBALS, name);
  return called ? own(METHODS, name) : undefined;
}

function lastName(expression: ts.Expression): string {
  if (ts.isIdentifier(expression)) return expression.text;
  if (ts.isPropertyAccessExpression(expression)) return expression.name.text;
  if (ts.isParenthesizedExpression(expression) || ts.isNonNullExpression(expression)) {
    return lastName(expression.expression);
  }
  return '';
}

function ofDestructuring(node: ts.VariableDeclaration): Power | undefined {
  if (!ts.isObjectBindingPattern(node.name) || !node.initializer) return undefined;
  const holder = lastName(node.initializer);
  for (const element of node.name.elements) {
    const key = element.propertyName ?? element.name;
    const power = ts.isIdentifier(key) ? own(MEMBERS, `${holder}.${key.text}`) : undefined;
    if (power) return power;
  }
  return undefined;
}

function isClockReading(node: ts.NewExpression): boolean {
  return lastName(node.expression) === 'Date' && (node.arguments ?? []).length === 0;
}

function ofCall(node: ts.CallExpression): Power | undefined {
  if (node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [what] = node.arguments;
    return what && ts.isStringLiteralLike(what) ? undefined : 'hidden import';
  }
  // Date() without new is the time as text.
  if (ts.isIdentifier(node.expression) && node.expression.text === 'Date') return 'clock';
  return undefined;
}

function isCalled(node: ts.Expression): boolean {
  return ts.isCallExpression(node.parent) && node.parent.expression === node;
}

// The name of a member, a declaration or a property of one's own is no use of the global.
function isGlobalUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isVariableDeclaration(parent) || ts.isParameter(parent)) return parent.initializer === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return (
    ts.isCallExpression(parent) ||
    ts.isNewExpression(parent) ||
    ts.isBinaryExpression(parent) ||
    ts.isConditionalExpression(parent) ||
    ts.isReturnStatement(parent) ||
    ts.isArrowFunction(parent) ||
    ts.isArrayLiteralExpression(parent) ||
    ts.isShorthandPropertyAssignment(parent)
  );
}

function own<V>(table: Readonly<Record<string, V>>, key: string): V | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
