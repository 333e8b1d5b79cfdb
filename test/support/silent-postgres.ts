// A server that lets everybody in and then says nothing, as a stopped machine behind a proxy that goes on.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

export interface SilentPostgres {
  readonly url: string;
  close(): Promise<void>;
}

const LET_IN = Buffer.from('R\0\0\0\u0008\0\0\0\0', 'latin1');
const READY = Buffer.from('Z\0\0\0\u0005I', 'latin1');

export async function createSilentPostgres(): Promise<SilentPostgres> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => void socket.write(Buffer.concat([LET_IN, READY])));
    socket.resume();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `postgres://app:secret@127.0.0.1:${address.port}/x`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
