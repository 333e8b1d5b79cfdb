// A proxy in front of a Postgres server that lets one statement fail as if the server itself had said so. It sends the
// server a statement that fails in the same place, and rewrites the answer: so the state of the transaction, and what
// the server skips until the next Sync, are always its own. Plain text only; it reads the protocol, and knows nothing
// of us.
import { once } from 'node:events';
import { createServer, type Server, type Socket, connect as toServer } from 'node:net';

export interface Injection {
  readonly sqlstate: string;
  /**
   * `error`: the statement fails, the session goes on. `fatal`: the server ends the session instead of the statement.
   * `unanswered`: the statement is executed, and the session ends before its answer. `refused`: a session that begins.
   */
  readonly as: 'error' | 'fatal' | 'unanswered' | 'refused';
  /** The n-th statement from now on, or for `refused` the n-th session; counted over all sessions, from 1. */
  readonly at: number;
  /** In every text of the error. */
  readonly marker: string;
  /** What else the server sends, by the letters of the protocol, such as the function that raised it: `R`. */
  readonly fields?: Readonly<Record<string, string>>;
}

export interface InjectingProxy {
  /** The same database through the proxy. */
  through(url: string): string;
  /** Counts from 1 again. */
  inject(injection: Injection): void;
  /** Ends the injection; whether it happened, and how many statements were sent since it was asked for. */
  clear(): { readonly happened: boolean; readonly statements: number };
  stop(): Promise<void>;
}

/** Bytes of a type and a length, with which every message but the first of a client begins. */
const HEAD = 5;
const QUERY = 'Q'.charCodeAt(0);
const PARSE = 'P'.charCodeAt(0);
const ERROR_RESPONSE = 'E'.charCodeAt(0);
const READY = 'Z'.charCodeAt(0);

interface State {
  injection: Injection | undefined;
  statements: number;
  sessions: number;
  happened: boolean;
}

/** Listens on loopback. Call stop() in afterAll. */
export async function startInjectingProxy(serverUrl: string): Promise<InjectingProxy> {
  const { hostname, port, searchParams } = new URL(serverUrl);
  const [socketFolder, serverPort] = [searchParams.get('host'), port || '5432'];
  const state: State = { injection: undefined, statements: 0, sessions: 0, happened: false };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = toServer(
      socketFolder === null
        ? { port: Number(serverPort), host: hostname }
        : { path: `${socketFolder}/.s.PGSQL.${serverPort}` },
    );
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => sockets.delete(socket));
    }
    relay(state, client, upstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = portOf(server);
  return {
    through: (url) => {
      const proxied = new URL(url);
      proxied.hostname = '127.0.0.1';
      proxied.port = String(own);
      proxied.searchParams.delete('host');
      return proxied.href;
    },
    inject: (injection) => Object.assign(state, { injection, statements: 0, sessions: 0, happened: false }),
    clear: () => {
      state.injection = undefined;
      return { happened: state.happened, statements: state.statements };
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return address.port;
}

/** One session: what the server's next error, or its next answer, becomes. */
interface Session {
  error: Injection | undefined;
  unanswered: Injection | undefined;
}

function relay(state: State, client: Socket, upstream: Socket): void {
  const session: Session = { error: undefined, unanswered: undefined };
  const end = (injection: Injection): void => {
    client.end(describeError(injection, 'FATAL'));
    upstream.destroy();
  };
  const fromClient = createFramer('first message without a type', (message) => {
    const injection = message.kind === 'start' ? countSession(state) : countStatement(state, message);
    if (injection === undefined) return void upstream.write(message.bytes);
    if (injection.as === 'refused' || injection.as === 'fatal') return end(injection);
    if (injection.as === 'unanswered') {
      session.unanswered = injection;
      return void upstream.write(message.bytes);
    }
    session.error = injection;
    upstream.write(failing(message.bytes, message.type));
  });
  const fromServer = createFramer('every message has a type', ({ type, bytes }) => {
    if (session.unanswered !== undefined) {
      if (type === READY) end(session.unanswered);
      return;
    }
    if (session.error === undefined || type !== ERROR_RESPONSE) return void client.write(bytes);
    client.write(describeError(session.error, 'ERROR'));
    session.error = undefined;
  });
  client.on('data', fromClient);
  upstream.on('data', fromServer);
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.end());
  }
}

function countSession(state: State): Injection | undefined {
  state.sessions += 1;
  const { injection } = state;
  return injection?.as === 'refused' && injection.at === state.sessions ? happen(state, injection) : undefined;
}

function countStatement(state: State, message: Message): Injection | undefined {
  if (!isCounted(message)) return undefined;
  state.statements += 1;
  const { injection } = state;
  return injection !== undefined && injection.as !== 'refused' && injection.at === state.statements
    ? happen(state, injection)
    : undefined;
}

function happen(state: State, injection: Injection): Injection {
  state.happened = true;
  return injection;
}

interface Message {
  readonly kind: 'start' | 'typed';
  readonly type: number;
  readonly bytes: Buffer;
}

/** Cuts a stream into whole messages. Only the first of a client has no type before its length. */
function createFramer(
  form: 'first message without a type' | 'every message has a type',
  take: (message: Message) => void,
): (chunk: Buffer) => void {
  let kind: Message['kind'] = form === 'every message has a type' ? 'typed' : 'start';
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const head = kind === 'typed' ? 1 : 0;
      if (rest.length < head + 4) return;
      const size = head + rest.readUInt32BE(head);
      if (rest.length < size) return;
      const bytes = rest.subarray(0, size);
      rest = rest.subarray(size);
      const message = { kind, type: kind === 'typed' ? bytes.readUInt8(0) : 0, bytes };
      kind = 'typed';
      take(message);
    }
  };
}

/** A commit that fails ends its transaction; a statement that cannot be parsed leaves it as any other failure does. */
const failingInPlaceOf = (statement: string): string =>
  /^\s*commit\b/iu.test(statement) ? 'rollback; select 1/0' : 'injected';

/** The message with a statement that fails where this one stands. */
function failing(message: Buffer, type: number): Buffer {
  if (type === QUERY) return encode('Q', `${failingInPlaceOf(textAt(message, HEAD))}\0`);
  const nameEnd = message.indexOf(0, HEAD);
  const textEnd = message.indexOf(0, nameEnd + 1);
  return encode('P', message.subarray(HEAD, nameEnd + 1), 'injected\0', message.subarray(textEnd + 1));
}

const textAt = (message: Buffer, from: number): string => message.toString('utf8', from, message.indexOf(0, from));

/** A rollback never fails: where it does, the session is gone. */
function isCounted({ type, bytes }: Message): boolean {
  if (type === QUERY) return !/^\s*rollback\b/iu.test(textAt(bytes, HEAD));
  return type === PARSE;
}

function describeError({ sqlstate, marker, fields }: Injection, severity: 'ERROR' | 'FATAL'): Buffer {
  const parts = {
    S: severity,
    V: severity,
    C: sqlstate,
    M: `${marker} message`,
    D: `${marker} detail`,
    H: `${marker} hint`,
    s: `${marker}_schema`,
    t: `${marker}_table`,
    c: `${marker}_column`,
    n: `${marker}_constraint`,
    ...fields,
  };
  return encode('E', ...Object.entries(parts).map(([letter, text]) => `${letter}${text}\0`), '\0');
}

function encode(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const head = Buffer.alloc(HEAD);
  head.write(type, 0, 'latin1');
  head.writeUInt32BE(body.length + HEAD - 1, 1);
  return Buffer.concat([head, body]);
}
