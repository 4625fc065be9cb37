import { closeSync, fdatasync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { AgentError } from './agent-error.ts';
import { reasonOf } from './log.ts';

/** A file that only grows. */
export interface AppendFile {
  /** Whole or not at all. In the page cache when it returns: it survives this process, not the machine. */
  append(text: string): void;
  /** Everything appended before the call is durable. Calls of one loop turn share one fdatasync, without a timer. */
  sync(): Promise<void>;
  readonly size: number;
  close(): Promise<void>;
}

/** The kernel need not keep what it could not write: what was appended last may be gone. */
export interface Loss {
  /** Called once; nothing more is written then. */
  readonly onLost?: (error: AgentError) => void;
  /** Tried to be left at the end of the file, for whoever reads it next. */
  readonly lastWord?: string;
}

/** Who opens it closes it. */
export function openAppendFile(path: string, loss: Loss = {}): AppendFile {
  const descriptor = openSync(path, 'a', 0o600);
  let size = fstatSync(descriptor).size;
  let broken: AgentError | undefined;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  const flush = async (): Promise<void> => {
    await running?.catch(() => undefined);
    await new Promise<void>((resolve) => setImmediate(resolve));
    running = next;
    next = undefined;
    try {
      if (broken) throw broken;
      await new Promise<void>((resolve, reject) => {
        fdatasync(descriptor, (error) => (error ? reject(error) : resolve()));
      });
    } catch (cause) {
      throw lose(cause);
    }
  };

  return {
    get size() {
      return size;
    },
    append(text) {
      if (broken) throw broken;
      const bytes = Buffer.from(text);
      let written = 0;
      try {
        while (written < bytes.length) written += writeSync(descriptor, bytes, written);
      } catch (cause) {
        if (!isWantOfRoom(cause)) throw lose(cause);
        if (written > 0) takeBack(written, cause);
        throw notDurable(path, cause);
      }
      size += bytes.length;
    },
    sync() {
      next ??= flush();
      return next;
    },
    async close() {
      await next?.catch(() => undefined);
      await running?.catch(() => undefined);
      broken = new AgentError('record.not_durable', `${path} is closed.`);
      closeSync(descriptor);
    },
  };

  function takeBack(written: number, cause: unknown): void {
    try {
      ftruncateSync(descriptor, size);
    } catch {
      size += written;
      throw lose(cause);
    }
  }

  /** After it nobody can say which bytes reached the disk. */
  function lose(cause: unknown): AgentError {
    if (broken) return broken;
    broken = new AgentError(
      'record.lost',
      `${path} could not be written: ${reasonOf(cause)}. Part of what was recorded may be gone, so this agent promises nothing more and ends. Look at that disk, then start the agent again: it goes on from what is there.`,
      { cause },
    );
    try {
      writeSync(descriptor, Buffer.from(loss.lastWord ?? ''), 0);
    } catch {
      // It is said in the log as well.
    }
    loss.onLost?.(broken);
    return broken;
  }
}

/** Then the kernel took nothing, and keeps what it had. */
function isWantOfRoom(cause: unknown): boolean {
  const { code } = cause as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

export function notDurable(path: string, cause: unknown): AgentError {
  return new AgentError(
    'record.not_durable',
    `${path} could not be written: ${reasonOf(cause)}. Nothing starts that is not recorded. Make room on that disk.`,
    { cause },
  );
}
