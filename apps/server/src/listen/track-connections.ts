import type { Server } from 'node:net';

/** Closes the listener and every connection it took; a peer that keeps one open holds nothing up. */
export function trackConnections(server: Server): () => Promise<void> {
  const open = new Set<{ destroy(): unknown }>();
  for (const event of ['connection', 'secureConnection'] as const) {
    server.on(event, (socket: { destroy(): unknown; once(event: 'close', then: () => void): unknown }) => {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    });
  }
  return async () => {
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of open) socket.destroy();
    await closed;
  };
}
