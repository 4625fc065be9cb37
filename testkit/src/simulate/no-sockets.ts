import { EventEmitter } from 'node:events';

/** What `node:net` is to the agent's socket for jobs in the simulator: nowhere to listen, so jobs run without it. */
export function createServer(): EventEmitter & { listen(): void; close(done?: () => void): void } {
  const server = new EventEmitter();
  return Object.assign(server, {
    listen: () => queueMicrotask(() => server.emit('error', new Error('no sockets in the simulator'))),
    close: (done?: () => void) => done && queueMicrotask(done),
  });
}
