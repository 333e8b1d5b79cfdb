// A TCP port in front of a server that can fall silent: it takes connections and never answers, as behind a firewall,
// or lets open ones stand, as when the power is cut.
import { createServer, connect as dial, type Socket } from 'node:net';

export interface Tap {
  /** The URL through this port. */
  readonly url: string;
  /** How many connections were opened through it so far. */
  count(): number;
  /** Cuts what is open; from now on connections are taken and nothing is ever answered. */
  silence(): void;
  /** Cuts nothing; from now on nothing passes on any connection, open or new. */
  suspend(): void;
  /** Cuts what is open; from now on every connection is ended at once. */
  reject(): void;
  /** Ends connection number `nth`, counted from the first one, at once; the others go through. */
  end(nth: number): void;
  /** Cuts what is silent; from now on everything goes through. */
  open(): void;
  close(): Promise<void>;
}

/** Listens on a free port in front of the server of `url`; begins open. */
export async function createTap(url: string): Promise<Tap> {
  const target = new URL(url);
  const server = locate(target);
  const sockets = new Set<Socket>();
  let count = 0;
  let ended: number | undefined;
  let state: 'open' | 'silent' | 'rejecting' = 'open';
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };
  const listener = createServer((socket) => {
    count += 1;
    keep(socket);
    if (state === 'rejecting' || count === ended) socket.destroy();
    if (state !== 'open' || count === ended) return;
    const upstream = keep(dial(server));
    socket.pipe(upstream).pipe(socket);
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const through = new URL(`postgres://127.0.0.1:${address.port}${target.pathname}`);
  through.username = target.username;
  through.password = target.password;
  const turn = (to: typeof state): void => {
    state = to;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: through.href,
    count: () => count,
    end: (nth) => {
      ended = nth;
    },
    silence: () => turn('silent'),
    suspend: () => {
      state = 'silent';
      for (const socket of sockets) socket.unpipe().pause();
    },
    reject: () => turn('rejecting'),
    open: () => turn('open'),
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        turn('rejecting');
      }),
  };
}

/** A server of the suites may listen on a Unix socket only. */
function locate({
  searchParams,
  hostname,
  port,
}: URL): { readonly path: string } | { readonly host: string; readonly port: number } {
  const host = searchParams.get('host') ?? hostname;
  const number = searchParams.get('port') ?? (port || '5432');
  return host.startsWith('/') ? { path: `${host}/.s.PGSQL.${number}` } : { host, port: Number(number) };
}
