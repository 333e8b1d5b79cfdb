// A TCP port in front of a server that can fall silent: it takes connections and never answers, as behind a firewall,
// or lets open ones stand, as when the power is cut.
import { createServer, connect as dial, type Socket } from 'node:net';
import { Transform } from 'node:stream';

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
  /**
   * Every connection that is opened from now on is terminated in the packet that answers its first statement, as when a
   * server is stopped at that moment.
   */
  terminateAfterFirst(): void;
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
  let terminates = false;
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
    socket.pipe(upstream);
    if (terminates) upstream.pipe(terminateAfterAnswer()).pipe(socket);
    else upstream.pipe(socket);
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
    terminateAfterFirst: () => {
      terminates = true;
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

const READY = Buffer.from([0x5a, 0, 0, 0, 5]);
const FATAL = (() => {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0');
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
})();

/** The server is ready once after the login, and once after each statement. */
function terminateAfterAnswer(): Transform {
  let ready = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (chunk.subarray(-6, -1).equals(READY)) ready += 1;
      done(null, ready < 2 ? chunk : Buffer.concat([chunk, FATAL]));
    },
  });
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
