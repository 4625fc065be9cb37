import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A start of a task as the task itself told it: nothing of Writ stands between. */
export interface Effect {
  readonly job: string;
  readonly index: number;
  readonly attempt: number;
  /** The account that it ran as. */
  readonly uid: number;
  /** It came to its own end. */
  readonly isDone: boolean;
  /** Some process of it lives. */
  readonly isAlive: boolean;
  /** Milliseconds since 1970. */
  readonly began: number;
  /** When the last of its processes ended. */
  readonly closed: number | null;
}

/** A recorder on loopback to which tasks tell that they began and ended. */
export interface EffectLog extends AsyncDisposable {
  /** In the order in which they began. */
  readonly effects: readonly Effect[];
  /** `job.index` of tasks that came to their own end. */
  readonly done: ReadonlySet<string>;
  /** Whoever connects here writes `job index attempt uid`, waits for a line, and writes `done` at the end. */
  readonly port: number;
  alive(): Effect[];
  /** What a task runs to be recorded: begins, waits about that long (the longer, the higher its index by four), ends. `mark` stands in its argv and in the name of a file that it writes. */
  command(milliseconds: number, mark: string): readonly string[];
  stop(): Promise<void>;
}

/** Descriptor 3 stays open in every child of the task, so the connection ends when the last of its processes does. */
const script = `exec 3<>/dev/tcp/127.0.0.1/$1 && echo "$WRIT_JOB $WRIT_INDEX $WRIT_ATTEMPT $UID" >&3 && read -r <&3 && echo work >"$0.work" && sleep "$(($2 + WRIT_INDEX % 4 * $3))e-3" && echo done >&3`;

export async function startEffectLog(): Promise<EffectLog> {
  type Seen = { -readonly [K in keyof Effect]: Effect[K] };
  const effects: Seen[] = [];
  const alive = new Set<Seen>();
  const done = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    let effect: Seen | undefined;
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (effect) {
        if (!text.endsWith('done\n')) return;
        effect.isDone = true;
        done.add(`${effect.job}.${effect.index}`);
        return;
      }
      if (!text.endsWith('\n')) return;
      const [job = '', index, attempt, uid] = text.trim().split(' ');
      effect = {
        job,
        index: Number(index),
        attempt: Number(attempt),
        uid: Number(uid),
        isDone: false,
        isAlive: true,
        began: Date.now(),
        closed: null,
      };
      effects.push(effect);
      alive.add(effect);
      // Nothing goes on before it stands here.
      socket.write('go\n');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      if (!effect) return;
      effect.isAlive = false;
      effect.closed = Date.now();
      alive.delete(effect);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP listener has a port');
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  return {
    effects,
    done,
    port: address.port,
    alive: () => [...alive],
    command: (milliseconds, mark) => [
      '/bin/bash',
      '-c',
      script,
      mark,
      String(address.port),
      String(milliseconds),
      String(Math.round(milliseconds / 4)),
    ],
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
