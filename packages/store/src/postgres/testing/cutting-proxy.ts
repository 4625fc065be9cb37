import { once } from 'node:events';
import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ProxyRule {
  /** The next commit is cut off once: before PostgreSQL sees it, or after it has answered. */
  cut: 'before' | 'after' | null;
  cuts: number;
  /** Whoever asks next whether it was committed is cut off, once. */
  isQuestionCut: boolean;
}

/** Stands between a client and the socket of a PostgreSQL. */
export async function startCuttingProxy(
  to: string,
  rule: ProxyRule,
): Promise<{ readonly folder: string; [Symbol.asyncDispose](): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-cut-'));
  chmodSync(folder, 0o755);
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const database = createConnection(join(to, '.s.PGSQL.5432'));
    let isAnswerLost = false;
    const end = () => {
      client.destroy();
      database.destroy();
    };
    for (const socket of [client, database]) {
      open.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        open.delete(socket);
        end();
      });
    }
    client.on('data', (chunk) => {
      if (rule.isQuestionCut && chunk.includes("where name = 'commit'")) {
        rule.isQuestionCut = false;
        end();
        return;
      }
      const isCommit = rule.cut !== null && chunk.includes('commit\0');
      if (isCommit && rule.cut === 'before') {
        rule.cut = null;
        rule.cuts += 1;
        end();
        return;
      }
      isAnswerLost ||= isCommit;
      database.write(chunk);
    });
    database.on('data', (chunk) => {
      if (!isAnswerLost) {
        client.write(chunk);
        return;
      }
      rule.cut = null;
      rule.cuts += 1;
      end();
    });
  });
  server.listen(join(folder, '.s.PGSQL.5432'));
  await once(server, 'listening');
  return {
    folder,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
