import { open, readFile, rename } from 'node:fs/promises';

/**
 * Where a server listened last. Agents and contexts know it by its ports, and whoever chose an address meant no other:
 * it listens there again.
 */
export interface KeptListening {
  /** Null: on all addresses. */
  readonly host: string | null;
  readonly people: number | null;
  readonly agents: number | null;
}

export async function readKeptListening(file: string): Promise<KeptListening> {
  let value: Partial<Record<string, unknown>> = {};
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    // Absent or damaged: the ports are chosen anew.
    if (!(error instanceof SyntaxError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return {
    host: asHost(value?.['host']),
    people: asPort(value?.['people']),
    agents: asPort(value?.['agents']),
  };
}

export async function keepListening(file: string, ports: KeptListening): Promise<void> {
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

const asHost = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

const asPort = (value: unknown): number | null =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536 ? value : null;
