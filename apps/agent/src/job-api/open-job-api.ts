import { closeSync, constants, openSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { Attempt } from './attempt.ts';
import type { AttemptWish } from './attempt.ts';

/** A slot, and which of its sets of files an attempt has: nobody else has both until the attempt is over. */
export interface Door {
  readonly slot: number;
  readonly set: number;
}

export interface JobApi {
  /** From now on, who comes to this door is this attempt. Call it before the attempt can have started. */
  begin(door: Door, wish: AttemptWish): void;
  /**
   * Every process of the attempt is dead. Answers the outputs it named, and resolves `quiet` when nothing it left behind
   * can be heard as another attempt's any more: until then nobody else may have the door.
   */
  end(door: Door): { readonly named: ReadonlySet<string>; readonly quiet: Promise<void> };
  /** Called every few hundredths of a second while anything runs. */
  look(): void;
  close(): Promise<void>;
}

export interface JobApiPlace {
  /** Made here; what an earlier program left in it is removed. */
  readonly folder: string;
  readonly slots: number;
  readonly sets: number;
  readonly monotonic: () => number;
  readonly onFault: (why: Error) => void;
}

const LONGEST_ADDRESS = 100;
const NONE: ReadonlySet<string> = new Set();

/**
 * Listens at `<folder>/<slot>.<set>`; where that cannot be, jobs run without it. The launcher puts that socket, and no other, before the attempt with this set.
 */
export async function openJobApi(place: JobApiPlace): Promise<JobApi> {
  await rm(place.folder, { recursive: true, force: true });
  await mkdir(place.folder, { recursive: true, mode: 0o700 });
  let deep: number | undefined;
  const wishes = new Map<string, AttemptWish>();
  /** Those that have said something, or tried to: most jobs never do. */
  const speaking = new Map<string, Attempt>();
  const servers = new Map<string, Server>();

  /** An address has 107 bytes at most, the folder may lie deeper. */
  const addressOf = (name: string): string => {
    const path = `${place.folder}/${name}`;
    if (Buffer.byteLength(path) <= LONGEST_ADDRESS) return path;
    deep ??= openSync(place.folder, constants.O_RDONLY | constants.O_DIRECTORY);
    return `/proc/self/fd/${deep}/${name}`;
  };
  const listen = (name: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true }, (socket) => meet(name, socket));
      servers.set(name, server);
      server.once('error', reject);
      // Jobs have accounts of their own; who may come here is decided by who is led to this name.
      server.listen({ path: addressOf(name), readableAll: true, writableAll: true }, () => {
        server.off('error', reject).on('error', place.onFault);
        resolve();
      });
    });
  const meet = (name: string, socket: Socket): void => {
    socket.on('error', () => {});
    const attempt = attemptAt(name);
    if (!attempt) return void socket.destroy();
    if (attempt.admit(socket, place.monotonic())) return;
    socket.destroy();
    shut(name);
  };
  const attemptAt = (name: string): Attempt | undefined => {
    const wish = wishes.get(name);
    if (!wish) return undefined;
    const attempt = speaking.get(name) ?? new Attempt(wish, place.monotonic());
    speaking.set(name, attempt);
    return attempt;
  };
  /** Turning away costs more than not being there; the attempt's own listener comes back with the next one. */
  const shut = (name: string): void => {
    servers.get(name)?.close();
    servers.delete(name);
  };
  const leave = (name: string): Attempt | undefined => {
    const attempt = speaking.get(name);
    wishes.delete(name);
    speaking.delete(name);
    attempt?.end();
    return attempt;
  };
  const turn = turns();

  const names = Array.from({ length: place.slots * place.sets }, (_, n) =>
    nameOf({ slot: Math.floor(n / place.sets), set: n % place.sets }),
  );
  await Promise.all(names.map((name) => listen(name).catch(place.onFault)));
  return {
    begin(door, wish) {
      const name = nameOf(door);
      leave(name);
      wishes.set(name, wish);
    },
    end(door) {
      const name = nameOf(door);
      const named = leave(name)?.named ?? NONE;
      if (servers.has(name)) return { named, quiet: turn() };
      return { named, quiet: turn().then(() => listen(name).catch(place.onFault)) };
    },
    look() {
      if (speaking.size === 0) return;
      const now = place.monotonic();
      for (const attempt of speaking.values()) attempt.look(now);
    },
    async close() {
      for (const name of names) leave(name);
      await Promise.all(
        Array.from(
          servers.values(),
          (server) => new Promise<void>((resolve) => server.close(() => resolve())),
        ),
      );
      if (deep !== undefined) closeSync(deep);
    },
  };
}

const nameOf = ({ slot, set }: Door): string => `${slot}.${set}`;

/**
 * One whole look at every socket: the first callback ends the turn in which the end was heard, the second comes after the
 * next look, in which every connection that was made before is accepted and, because the door is nobody's, turned away.
 * Ends that are heard in one turn wait together.
 */
function turns(): () => Promise<void> {
  let next: Promise<void> | undefined;
  return () =>
    (next ??= new Promise((resolve) =>
      setImmediate(() => {
        next = undefined;
        setImmediate(resolve);
      }),
    ));
}
