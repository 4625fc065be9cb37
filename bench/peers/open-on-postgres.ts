import type { OpenedPeer, PeerPlace } from './peer.ts';
import { startPeerProgram } from './start-peer-program.ts';
import { startPostgres } from './start-postgres.ts';

/** @param name of its file in `programs`. */
export async function openOnPostgres(name: string, place: PeerPlace): Promise<OpenedPeer> {
  await using opening = new AsyncDisposableStack();
  const postgres = opening.use(await startPostgres());
  const program = opening.use(await startPeerProgram(name, place, postgres.url));
  const opened = opening.move();
  return {
    folders: [place.folder, postgres.folder],
    run: program.run,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
