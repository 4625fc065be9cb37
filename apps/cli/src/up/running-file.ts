import { readFileSync } from 'node:fs';
import { check, Type, type Static } from '@writ/contract';
import { readPrivateFile, writePrivateFile } from '@writ/client/node';
import type { Places } from './places.ts';

const Process = Type.Object({ pid: Type.Integer({ minimum: 2 }), started: Type.String() });
const Running = Type.Object({
  format: Type.Literal(1),
  server: Type.Optional(Process),
  agent: Type.Optional(Process),
});
export type Running = Static<typeof Running>;
const runningCheck = check(Running);

export type Part = 'server' | 'agent';

/** Which processes this state folder's programs are, as far as they still run. A number alone could be somebody else's by now. */
export async function readRunning({ runFile }: Places): Promise<{ readonly [part in Part]?: number }> {
  const text = await readPrivateFile(runFile);
  let value: unknown;
  try {
    value = text === undefined ? undefined : JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!runningCheck.is(value)) return {};
  const running: { [part in Part]?: number } = {};
  for (const part of ['server', 'agent'] as const) {
    const entry = value[part];
    if (entry && startOf(entry.pid) === entry.started) running[part] = entry.pid;
  }
  return running;
}

export async function noteRunning(places: Places, part: Part, pid: number): Promise<void> {
  const running = await readRunning(places);
  const noted: Record<string, unknown> = { format: 1 };
  for (const [name, each] of Object.entries({ ...running, [part]: pid }))
    noted[name] = { pid: each, started: startOf(each) ?? '' };
  await writePrivateFile(places.runFile, `${JSON.stringify(noted)}\n`);
}

/** When a process began: together with its number it names one process for ever. Undefined when there is none, or only its remains. */
export function startOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return isAlive(pid) ? 'unknown' : undefined;
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
