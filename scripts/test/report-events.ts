import { inspect } from 'node:util';
import type { TestEvent } from 'node:test/reporters';

/** One line of what the runner needs to know about a test or a test file. */
export type TestLine =
  | { kind: 'test'; file: string; title: string; outcome: 'passed' | 'failed' | 'skipped'; because: string }
  | { kind: 'end of file'; file: string };

/** A reporter for node:test that writes one JSON object per line. */
async function* reportEvents(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const line = toLine(event);
    if (line) yield `${JSON.stringify(line)}\n`;
  }
}

function toLine(event: TestEvent): TestLine | undefined {
  if (event.type === 'test:summary' && event.data.file) return { kind: 'end of file', file: event.data.file };
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined;
  const { file, name, skip, todo, details } = event.data;
  const failed = event.type === 'test:fail';
  if (details.type === 'suite' && !(failed && isItsOwnFailure(event.data.details.error))) return undefined;
  const test = { kind: 'test', file: file ?? '', title: name } as const;
  // Unfinished work is not a pass.
  if (todo !== undefined && todo !== false) {
    return { ...test, outcome: 'failed', because: 'is marked as todo' };
  }
  if (skip !== undefined && skip !== false) return { ...test, outcome: 'skipped', because: String(skip) };
  if (!failed) return { ...test, outcome: 'passed', because: '' };
  const { error } = event.data.details;
  return { ...test, outcome: 'failed', because: inspect(error.cause ?? error, { depth: 4, colors: false }) };
}

// A suite also fails when a test in it fails, which is counted there.
function isItsOwnFailure(error: Error): boolean {
  return !('failureType' in error) || error.failureType !== 'subtestsFailed';
}

// node:test takes a reporter from a default export only.
// oxlint-disable-next-line import/no-default-export
export default reportEvents;
