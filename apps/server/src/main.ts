import { composeServer } from './compose.ts';
import { readArguments } from './config/read-arguments.ts';
import { logLines } from './log.ts';
import type { RunningServer, ServerOptions } from './running-server.ts';

export type { AddressFile, Addresses, ListeningAt, RunningServer, ServerOptions } from './running-server.ts';
export { StartError } from './server-error.ts';

/** Starts a server and resolves when its socket listens, and its ports if it has a cluster. */
export async function start(options: ServerOptions): Promise<RunningServer> {
  return await composeServer(options);
}

/** The program: runs until it is told to stop. */
export async function run(argv: readonly string[]): Promise<void> {
  const log = logLines(writeLine, Date.now);
  process.stderr.on('error', () => {});
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log('error', 'process.failed', { kind: event, error });
      process.exit(70);
    });
  }
  try {
    const server = await start({ log, ...readArguments(argv) });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void server.close());
    await server.stopped;
    process.exit(0);
  } catch (error) {
    log('error', 'server.not_started', { error });
    process.exit(1);
  }
}

/** The log may lie on a disk that is full: what cannot be said must not end the server. */
function writeLine(line: string): void {
  try {
    process.stderr.write(line);
  } catch {
    // There is nobody to tell.
  }
}

// As a program of its own, from source or as its bundle; inside another bundle this file is another's part.
const isProgram = import.meta.main && /\/server(\/src\/main\.ts|\.js)$/.test(import.meta.url);
if (isProgram) await run(process.argv.slice(2));
