// A way to a Redis that can be cut after the server did what it was asked, and before anybody hears of it.
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';

export interface CuttingProxy {
  readonly url: string;
  /** Passes on what is asked next, and closes the connection in place of the answer. */
  cutAtNextAnswer(): void;
  close(): Promise<void>;
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port, username, password } = new URL(target);
  let cuts = false;
  const sockets = new Set<Socket>();
  const proxy: Server = createServer((client) => {
    const upstream = connectTcp(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (answer) => {
      if (!cuts) return client.write(answer);
      cuts = false;
      return client.destroy();
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  const own = typeof address === 'object' && address !== null ? address.port : 0;
  const login = password === '' ? '' : `${username}:${password}@`;
  return {
    url: `redis://${login}127.0.0.1:${own}`,
    cutAtNextAnswer: () => {
      cuts = true;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
