// A client of Postgres that does not wait for a server that fell silent: one that let us in and then says nothing would
// keep a command for ever. A long statement is no silence: while it runs, the server answers on a second connection.
// But a connection that something in between forgot has no answer any more, whatever the server says on another one:
// nothing waits longer for a statement than the server lets it take.
import pg from 'pg';

/** Without a byte from a server that owes an answer, in ms; then it is asked on a second connection. */
const SILENCE_MS = 3_000;
/** How long that may take, its login included, in ms; together less than a pool waits for a connection. */
const SECOND_MS = 4_000;
/** Both, of a server that was found silent and has not answered since: who asks it again waits no such time again. */
const AGAIN_MS = 1_000;
/** How long a server may take to end a connection that we end, in ms. */
const GOODBYE_MS = 1_000;

/** What a server answers at once; a pooler may let it wait. In ms. */
const AT_ONCE_MS = 20_000;
/** A commit may wait for a standby, which the time-out of a statement does not end. In ms. */
const COMMIT_MS = 60_000;

/** Servers that were found silent, as host and port. */
const silentServers = new Set<string>();

type Method = (...args: readonly unknown[]) => unknown;

/**
 * What a silent server does not answer fails with ETIMEDOUT, after 7 seconds at most; what a server does not answer on
 * this connection alone, `marginMs` after the time that it lets the statement take.
 */
export class WatchedClient extends pg.Client {
  static readonly marginMs: number = 10_000;

  constructor(config?: string | pg.ClientConfig) {
    super(config);
    const Client = new.target;
    const ask = (ms: number): Promise<boolean> => answersSecond(new Client(toSecond(config, ms)), ms);
    const { stop, start } = createWatch(this, ask, Client.marginMs);
    const limitOf = createLimits();
    const query = (Reflect.get(this, 'query') as Method).bind(this);
    const end = (Reflect.get(this, 'end') as Method).bind(this);
    this.on('drain', () => {
      silentServers.delete(nameServer(this));
      stop();
    });
    this.connection.on('end', stop);
    const watched: Readonly<Record<'query' | 'end', Method>> = {
      query: (...args) => {
        start(limitOf(textOf(args[0])));
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
  /** `limitMs`: how long the server lets the statement take; undefined: as long as it takes. */
  start(limitMs: number | undefined): void;
  stop(): void;
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query;
  const text: unknown = query === null || typeof query !== 'object' ? undefined : Reflect.get(query, 'text');
  return typeof text === 'string' ? text : '';
}

/** How long the server lets each statement take, from what the transaction has set. */
function createLimits(): (text: string) => number | undefined {
  let limit: number | undefined;
  return (text) => {
    const [, edge] = /^\s*(begin|commit|rollback)\b/iu.exec(text) ?? [];
    if (edge !== undefined) {
      limit = undefined;
      return edge.toLowerCase() === 'commit' ? COMMIT_MS : AT_ONCE_MS;
    }
    const set = [...text.matchAll(/\bset local statement_timeout = ([^;]*)/giu)].at(-1)?.[1]?.trim();
    if (set !== undefined) limit = /^[1-9]\d*$/u.test(set) ? Number(set) : undefined;
    return limit;
  };
}

const nameServer = ({ host, port }: pg.Client): string => `${host}:${port}`;

function createWatch(client: pg.Client, ask: (ms: number) => Promise<boolean>, marginMs: number): Watch {
  const choose = (ms: number): number => (silentServers.has(nameServer(client)) ? AGAIN_MS : ms);
  let timer: NodeJS.Timeout | undefined;
  let until = Number.POSITIVE_INFINITY;
  const readBytes = (): unknown => Reflect.get(client.connection.stream, 'bytesRead');
  const wait = (before: unknown): void => {
    timer = setTimeout(() => void look(before), choose(SILENCE_MS)).unref();
  };
  const look = async (before: unknown): Promise<void> => {
    const at = timer;
    const now = readBytes();
    const answers = now !== before || (await ask(choose(SECOND_MS)));
    if (timer !== at) return; // it was answered meanwhile
    const isForgotten = now === before && performance.now() > until;
    if (answers && !isForgotten) return wait(now);
    if (!answers) silentServers.add(nameServer(client));
    client.connection.stream.destroy(answers ? forgotten() : silent());
  };
  return {
    start: (limitMs) => {
      until = performance.now() + (limitMs === undefined ? Number.POSITIVE_INFINITY : limitMs + marginMs);
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

const forgotten = (): Error =>
  Object.assign(new Error('the server answers, but not on this connection'), { code: 'ETIMEDOUT' });

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
