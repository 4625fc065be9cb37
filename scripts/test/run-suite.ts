import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { add, NONE, type Counts } from './closing-line.ts';
import { runProgram } from './run-program.ts';
import type { TestLine } from './report-events.ts';
import { readMarks } from './test-marks.ts';

export type Suite = {
  readonly name: string;
  readonly globs: readonly string[];
  readonly concurrency: number;
  readonly minutes: number;
};

export type SuiteResult = {
  readonly counts: Counts;
  readonly complaints: readonly string[];
  readonly notRun: readonly string[];
};

type Place = { root: string; paths: readonly string[]; missing: ReadonlyMap<string, string> };

/**
 * Runs the test files of a suite and counts their tests. Besides a test that fails, these count as failed: a suite
 * without files, a file without tests, a file that ends before its tests, an exit code that nothing explains.
 */
export async function runSuite(suite: Suite, place: Place): Promise<SuiteResult> {
  const found = findFiles(suite, place);
  if (found.length === 0) {
    if (place.paths.length > 0) return { counts: NONE, complaints: [], notRun: [] };
    return failed(`${suite.name}: no test file matches ${suite.globs.join(', ')}`);
  }
  const files = found.map((path) => ({ path, marks: readMarks(join(place.root, path)) }));
  const lacking = files.filter((file) => file.marks.needs.some((need) => place.missing.has(need)));
  const runnable = files.filter((file) => !lacking.includes(file));
  const together = runnable.filter((file) => !file.marks.alone).map((file) => file.path);
  const alone = runnable.filter((file) => file.marks.alone).map((file) => file.path);
  const results = [
    await runFiles(together, suite.concurrency, suite, place.root),
    await runFiles(alone, 1, suite, place.root),
  ];
  return {
    counts: results.map((result) => result.counts).reduce(add),
    complaints: results.flatMap((result) => result.complaints),
    notRun: lacking.map((file) => `${file.path}: ${whyNot(file.marks.needs, place.missing)}`),
  };
}

function findFiles(suite: Suite, place: Place): string[] {
  const ignored = (path: string): boolean => /(^|\/)(node_modules|dist|out)(\/|$)/.test(path);
  const all = globSync([...suite.globs], { cwd: place.root, exclude: ignored });
  return all
    .filter((path) => !ignored(path))
    .filter((path) => place.paths.length === 0 || place.paths.some((wanted) => path.includes(wanted)))
    .toSorted();
}

function whyNot(needs: readonly string[], missing: ReadonlyMap<string, string>): string {
  return needs.flatMap((need) => missing.get(need) ?? []).join('; ');
}

async function runFiles(
  paths: readonly string[],
  concurrency: number,
  suite: Suite,
  root: string,
): Promise<SuiteResult> {
  if (paths.length === 0) return { counts: NONE, complaints: [], notRun: [] };
  const folder = mkdtempSync(join(tmpdir(), 'writ-test-'));
  try {
    const events = join(folder, 'events');
    const env = { ...process.env };
    // Set when a test runs this runner; node:test would then run nothing.
    delete env['NODE_TEST_CONTEXT'];
    const reporter = fileURLToPath(new URL('report-events.ts', import.meta.url));
    const ended = await runProgram(
      [
        process.execPath,
        '--test',
        `--test-concurrency=${concurrency}`,
        `--test-reporter=${reporter}`,
        `--test-reporter-destination=${events}`,
        ...paths,
      ],
      { cwd: root, minutes: suite.minutes, env },
    );
    const counted = count(readLines(events), paths, root);
    const complaints = [...counted.complaints];
    if (ended.timedOut) complaints.push(`${suite.name}: stopped after ${suite.minutes} minutes`);
    else if (ended.exitCode !== 0 && counted.counts.failed === 0) {
      complaints.push(
        `${suite.name}: every test passed, yet the exit code is ${ended.exitCode}\n${ended.output}`,
      );
    }
    const more = complaints.length - counted.complaints.length;
    return { counts: add(counted.counts, { ...NONE, failed: more }), complaints, notRun: [] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readLines(events: string): TestLine[] {
  let text: string;
  try {
    text = readFileSync(events, 'utf8');
  } catch {
    return [];
  }
  // The last line is cut when the run was killed.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TestLine);
}

function count(lines: readonly TestLine[], paths: readonly string[], root: string): SuiteResult {
  const complaints: string[] = [];
  let counts = NONE;
  for (const path of paths) {
    const own = lines.filter((line) => relative(root, line.file) === path);
    const tests = own.filter((line) => line.kind === 'test');
    // node:test speaks of a file as of a test when it has no tests, or fails outside of them.
    const isFile = (title: string): boolean => resolve(root, title) === join(root, path);
    const broken = tests.filter((test) => test.outcome === 'failed');
    const outside = broken.some((test) => isFile(test.title));
    const inside = tests.filter((test) => !isFile(test.title));
    for (const test of broken) {
      complaints.push(
        isFile(test.title) ? `${path}: ${test.because}` : `${path}: ${test.title}: ${test.because}`,
      );
    }
    counts = add(counts, {
      passed: inside.filter((test) => test.outcome === 'passed').length,
      failed: broken.length,
      skipped: inside.filter((test) => test.outcome === 'skipped').length,
    });
    if (outside) continue;
    const finished = own.some((line) => line.kind === 'end of file');
    if (finished && inside.length > 0) continue;
    complaints.push(`${path}: ${inside.length === 0 ? 'ran no test' : 'ended before its tests did'}`);
    counts = add(counts, { ...NONE, failed: 1 });
  }
  return { counts, complaints, notRun: [] };
}

function failed(complaint: string): SuiteResult {
  return { counts: { ...NONE, failed: 1 }, complaints: [complaint], notRun: [] };
}
