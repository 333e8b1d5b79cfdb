// A TCP proxy between our processes and a server: it passes, delays, holds everything back, or resets every connection.
// Its target is asked for at each connection, so that a promoted standby can take a server's place.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { systemClock } from '../../src/kernel/clock.js';

export type ProxyTarget = { readonly path: string } | { readonly host: string; readonly port: number };

export interface FaultyProxy {
  readonly port: number;
  /** The same database or server through the proxy. */
  through(url: string): string;
  /** Each piece of data comes so much later. */
  slow(ms: number): void;
  /** Nothing passes in either direction, and nobody is told. */
  hold(): void;
  /** Everything passes again, what was held back too. */
  heal(): void;
  /** Resets every connection. */
  cut(): void;
  /** Every connection stays silent for ever, as behind a firewall that forgot it; new ones pass. */
  forget(): void;
  stop(): Promise<void>;
}

export async function startFaultyProxy(target: () => ProxyTarget): Promise<FaultyProxy> {
  const sockets = new Set<Socket>();
  let delayMs = 0;
  const forgotten = new WeakSet<Socket>();
  let healed: { readonly wait: Promise<void>; readonly now: () => void } | undefined;
  const gate = async (): Promise<void> => {
    if (delayMs > 0) await systemClock.sleep(delayMs);
    await healed?.wait;
  };
  const relay = (from: Socket, to: Socket): void => {
    from.on('data', (chunk) => {
      if (forgotten.has(from)) return;
      if (delayMs === 0 && healed === undefined) {
        to.write(chunk);
        return;
      }
      from.pause();
      void gate().then(() => {
        if (!forgotten.has(from)) to.write(chunk);
        from.resume();
      });
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      if (!forgotten.has(from)) to.destroy();
    });
  };
  const server = createServer((client) => {
    const upstream = connect(target());
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => sockets.delete(socket));
    }
    relay(client, upstream);
    relay(upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const { port } = address;
  const cut = (): void => {
    for (const socket of sockets) {
      // a socket of a file has no reset
      if (socket.remoteAddress === undefined) socket.destroy();
      else socket.resetAndDestroy();
    }
  };
  return {
    port,
    through: (url) => {
      const proxied = new URL(url);
      proxied.hostname = '127.0.0.1';
      proxied.port = String(port);
      proxied.searchParams.delete('host');
      return proxied.href;
    },
    slow: (ms) => {
      delayMs = ms;
    },
    hold: () => {
      if (healed !== undefined) return;
      const { promise: wait, resolve: now } = createPromise();
      healed = { wait, now };
    },
    heal: () => {
      delayMs = 0;
      healed?.now();
      healed = undefined;
    },
    cut,
    forget: () => {
      for (const socket of sockets) forgotten.add(socket);
    },
    stop: async () => {
      healed?.now();
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

function createPromise(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
