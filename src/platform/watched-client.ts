// A client of Postgres that does not wait for a server that fell silent: one that let us in and then says nothing would
// keep a command for ever. A long statement is no silence: while it runs, the server answers on a second connection.
import pg from 'pg';

/** Without a byte from a server that owes an answer, in ms; then it is asked on a second connection. */
const SILENCE_MS = 3_000;
/** How long that may take, its login included, in ms; together less than a pool waits for a connection. */
const SECOND_MS = 4_000;
/** Both, of a server that was found silent and has not answered since: who asks it again waits no such time again. */
const AGAIN_MS = 1_000;
/** How long a server may take to end a connection that we end, in ms. */
const GOODBYE_MS = 1_000;

/** Servers that were found silent, as host and port. */
const silentServers = new Set<string>();

type Method = (...args: readonly unknown[]) => unknown;

/** What a silent server does not answer fails with ETIMEDOUT, after 7 seconds at most. */
export class WatchedClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    const Client = new.target;
    const ask = (ms: number): Promise<boolean> => answersSecond(new Client(toSecond(config, ms)), ms);
    const { stop, start } = createWatch(this, ask);
    const query = (Reflect.get(this, 'query') as Method).bind(this);
    const end = (Reflect.get(this, 'end') as Method).bind(this);
    this.on('drain', () => {
      silentServers.delete(nameServer(this));
      stop();
    });
    this.connection.on('end', stop);
    const watched: Readonly<Record<'query' | 'end', Method>> = {
      query: (...args) => {
        start();
        return query(...args);
      },
      end: (...args) => {
        setTimeout(() => this.connection.stream.destroy(), GOODBYE_MS).unref();
        return end(...args);
      },
    };
    Object.assign(this, watched);
  }
}

interface Watch {
  start(): void;
  stop(): void;
}

const nameServer = ({ host, port }: pg.Client): string => `${host}:${port}`;

function createWatch(client: pg.Client, ask: (ms: number) => Promise<boolean>): Watch {
  const choose = (ms: number): number => (silentServers.has(nameServer(client)) ? AGAIN_MS : ms);
  let timer: NodeJS.Timeout | undefined;
  const readBytes = (): unknown => Reflect.get(client.connection.stream, 'bytesRead');
  const wait = (before: unknown): void => {
    timer = setTimeout(() => void look(before), choose(SILENCE_MS)).unref();
  };
  const look = async (before: unknown): Promise<void> => {
    const at = timer;
    const now = readBytes();
    const answers = now !== before || (await ask(choose(SECOND_MS)));
    if (timer !== at) return; // it was answered meanwhile
    if (answers) return wait(now);
    silentServers.add(nameServer(client));
    client.connection.stream.destroy(silent());
  };
  return {
    start: () => {
      if (timer === undefined) wait(readBytes());
    },
    stop: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

const silent = (): Error =>
  Object.assign(new Error('the server says nothing, on a second connection neither'), { code: 'ETIMEDOUT' });

const toSecond = (config: string | pg.ClientConfig | undefined, ms: number): pg.ClientConfig => ({
  ...(typeof config === 'string' ? { connectionString: config } : config),
  connectionTimeoutMillis: ms,
});

/** Whatever the server says: also that it has no connection left. */
async function answersSecond(second: pg.Client, ms: number): Promise<boolean> {
  second.on('error', () => undefined);
  const late = setTimeout(() => second.connection.stream.destroy(silent()), ms);
  try {
    await second.connect();
    await second.query('select 1');
    return true;
  } catch (error) {
    return error instanceof pg.DatabaseError;
  } finally {
    clearTimeout(late);
    second.end().catch(() => undefined);
  }
}
