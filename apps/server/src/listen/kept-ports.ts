import { open, readFile, rename } from 'node:fs/promises';

/** Where a server listened last. Agents and contexts know it by these, so it listens there again. */
export interface KeptPorts {
  readonly people: number | null;
  readonly agents: number | null;
}

export async function readKeptPorts(file: string): Promise<KeptPorts> {
  let value: Partial<Record<string, unknown>> = {};
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    // Absent or damaged: the ports are chosen anew.
    if (!(error instanceof SyntaxError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return { people: asPort(value?.['people']), agents: asPort(value?.['agents']) };
}

export async function keepPorts(file: string, ports: KeptPorts): Promise<void> {
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify({ format: 1, ...ports })}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

export interface ChosenPort {
  readonly port: number;
  /** Whether it is the one from before, not one that was asked for now. */
  readonly isKept: boolean;
}

/** A port that is named counts. Else, and where any free one would do, the one from before; else the usual one. */
export function choosePort(asked: number | undefined, kept: number | null, usual: number): ChosenPort {
  if (asked !== undefined && asked !== 0) return { port: asked, isKept: false };
  if (kept !== null) return { port: kept, isKept: true };
  return { port: asked ?? usual, isKept: false };
}

const asPort = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536 ? value : null;
