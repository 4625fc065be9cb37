// npm test [-- --only gates,house,unit,e2e,docs] [-- PATH …]
import { dirname, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { add, closingLine, NONE, type Counts } from './test/closing-line.ts';
import { setUpCounterparts } from './test/counterparts.ts';
import { notRunHere } from './test/not-run-here.ts';
import { DOCS, GATES, SUITES, type Gate } from './test/parts.ts';
import { readArguments, type Part } from './test/read-arguments.ts';
import { killAllRunning, runProgram } from './test/run-program.ts';
import { runSuite } from './test/run-suite.ts';

const wanted = readArguments(process.argv.slice(2));
const root = resolve(wanted.root ?? dirname(dirname(fileURLToPath(import.meta.url))));
const strict = process.env['CI'] === 'true';
const minutes: string[] = [];
const notRun: string[] = [];
let counts: Counts = NONE;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    killAllRunning();
    process.exit(130);
  });
}

const missing = await timed('set-up', findCounterparts);
if (wanted.parts.includes('gates')) await timed('gates', () => runGates(GATES, 2));
for (const suite of SUITES) {
  if (!wanted.parts.includes(suite.name as Part)) continue;
  await timed(suite.name, async () => {
    const result = await runSuite(suite, { root, paths: wanted.paths, missing });
    for (const complaint of result.complaints) say(`✗ ${complaint}`);
    notRun.push(...result.notRun);
    take(suite.name, result.counts);
  });
}
if (wanted.parts.includes('docs')) await timed('docs', () => runGates(DOCS, 1));
if (wanted.paths.length > 0 && counts.passed + counts.failed + counts.skipped === 0) {
  say(`✗ no test file has ${wanted.paths.join(' or ')} in its path`);
  counts = add(counts, { ...NONE, failed: 1 });
}

say('');
if (wanted.paths.length === 0) notRun.push(...notRunHere());
if (notRun.length > 0)
  say(`not run on this machine, because\n${notRun.map((line) => `  ${line}`).join('\n')}\n`);
say(`minutes: ${minutes.join(' · ')}`);
process.exitCode = counts.failed > 0 ? 1 : 0;
say(closingLine(counts));

async function findCounterparts(): Promise<ReadonlyMap<string, string>> {
  // Only these start programs of the machine.
  if (!wanted.parts.includes('unit') && !wanted.parts.includes('e2e') && !wanted.parts.includes('docs')) {
    return new Map();
  }
  const lacking = await setUpCounterparts(say);
  for (const reason of lacking.values()) say(`${strict ? '✗' : '·'} ${reason}`);
  if (strict && lacking.size > 0) take('counterparts', { ...NONE, failed: lacking.size });
  return lacking;
}

async function runGates(gates: readonly Gate[], atOnce: number): Promise<void> {
  const waiting = [...gates];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let gate = waiting.shift(); gate; gate = waiting.shift()) await runGate(gate);
    }),
  );
}

async function runGate(gate: Gate): Promise<void> {
  const ended = await runProgram(gate.argv, { cwd: root, minutes: 10 });
  if (ended.exitCode === 0) {
    take(gate.name, { ...NONE, passed: 1 });
    return;
  }
  say(`✗ ${gate.name}\n${ended.output.trimEnd()}`);
  if (ended.timedOut) say('  stopped after 10 minutes');
  take(gate.name, { ...NONE, failed: 1 });
}

function take(name: string, result: Counts): void {
  counts = add(counts, result);
  const mark = result.failed > 0 ? '✗' : '✓';
  say(`${mark} ${name}: ${result.passed} of ${result.passed + result.failed + result.skipped}`);
}

async function timed<T>(name: string, run: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await run();
  } finally {
    minutes.push(`${name} ${((performance.now() - start) / 60_000).toFixed(1)}`);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
