// Makes what the drivers want from what a URL says about TLS: reads its files, and never shows their names or content.
import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, createSecureContext, TLSSocket } from 'node:tls';
import type pg from 'pg';
import { CLEAR_TEXT_ASKED, CLEAR_TEXT_ON_SOCKET, FOREIGN_ANSWER } from '../kernel/login-failure.js';
import { RolloutError } from '../kernel/rollout-error.js';
import type { TlsFiles, TlsSpec } from '../kernel/tls.js';
import { readTextNow } from './read-text.js';
import { WatchedClient } from './watched-client.js';

/** What a driver is told about TLS. */
export interface ServerTls {
  readonly ssl: ConnectionOptions | false;
  readonly sslnegotiation?: 'direct';
  /** The class that connects to a Postgres. */
  readonly Client: typeof pg.Client;
}

export interface ServerTlsRequest {
  readonly tls: TlsSpec;
  readonly direct: boolean;
  /** The key of the configuration that has the URL. */
  readonly key: string;
}

/** @throws invalid_config with the key of the configuration, when a file cannot be used. */
export function createServerTls({ tls, direct, key }: ServerTlsRequest): ServerTls {
  return {
    ssl: createTlsOptions(tls, key),
    ...(direct && { sslnegotiation: 'direct' }),
    Client: tls.kind === 'tls' && tls.otherwise === 'plain' ? PreferringClient : GuardedClient,
  };
}

function createTlsOptions(tls: TlsSpec, key: string): ConnectionOptions | false {
  if (tls.kind === 'plain') return false;
  const ca = readPem(tls.files, 'sslrootcert', key);
  const cert = readPem(tls.files, 'sslcert', key);
  const privateKey = readPem(tls.files, 'sslkey', key);
  const material = { ...(ca && { ca }), ...(cert && { cert }), ...(privateKey && { key: privateKey }) };
  if (ca !== undefined) assertCertificate(ca, 'sslrootcert', key);
  if (cert !== undefined) assertCertificate(cert, 'sslcert', key);
  try {
    createSecureContext(material);
  } catch (cause) {
    throw reject(key, 'sslkey is no private key of sslcert, or has a pass phrase', cause);
  }
  return {
    ...material,
    rejectUnauthorized: tls.verify !== 'none', // said in either case: NODE_TLS_REJECT_UNAUTHORIZED=0 does not count
    ...(tls.verify === 'authority' && { checkServerIdentity: () => undefined }),
  };
}

/** In bytes: several times the authorities of a whole system. */
const MAX_PEM = 2_000_000;

function readPem(files: TlsFiles, name: keyof TlsFiles, key: string): string | undefined {
  const path = files[name];
  if (path === undefined) return undefined;
  const text = readFileOf(path, name, key);
  if (text === undefined) throw reject(key, `the file that ${name} names has more than ${MAX_PEM} bytes`, undefined);
  return text;
}

function readFileOf(path: string, name: keyof TlsFiles, key: string): string | undefined {
  try {
    return readTextNow(path, MAX_PEM);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw reject(key, `the file that ${name} names cannot be read (${code})`, cause);
  }
}

function assertCertificate(text: string, name: keyof TlsFiles, key: string): void {
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu) ?? [];
  try {
    if (found.length === 0) throw new Error('no certificate');
    for (const certificate of found) new X509Certificate(certificate);
  } catch (cause) {
    throw reject(key, `the file that ${name} names holds no certificate in PEM form`, cause);
  }
}

const reject = (key: string, reason: string, cause: unknown): RolloutError =>
  new RolloutError('invalid_config', { message: `${key}: ${reason}.`, next: 'Correct it: docs/how-to/tls.md', cause });

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const PROBE_MS = 5_000;

/**
 * A client that sends no password in clear text to whoever has the port, or the name of the socket, and that no answer
 * makes end the process.
 */
class GuardedClient extends WatchedClient {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    // before the driver's own listener, which sends it
    this.connection.on('authenticationCleartextPassword', () => {
      const { stream } = this.connection;
      if (stream instanceof TLSSocket) return;
      const isSocket = this.host.startsWith('/');
      if (isSocket && !isWrittenByAll(this.host)) return;
      stream.destroy(new Error(isSocket ? CLEAR_TEXT_ON_SOCKET : CLEAR_TEXT_ASKED));
    });
    endWhereUnreadable(this.connection);
  }
}

const OTHERS_WRITE = 0o002;

/** Such as /tmp, where any user can make the socket while the server is down. */
function isWrittenByAll(folder: string): boolean {
  try {
    return (statSync(folder).mode & OTHERS_WRITE) !== 0;
  } catch {
    return true;
  }
}

type Listener = (...values: readonly unknown[]) => void;

/** The driver throws what it cannot read in a listener of its stream, where nobody could catch it. */
function endWhereUnreadable(connection: pg.Connection): void {
  const attach: Listener = Reflect.get(connection, 'attachListeners').bind(connection);
  const attachListeners = (stream: Socket): void => {
    const on = (event: string, listener: Listener) =>
      stream.on(event, (...values: readonly unknown[]) => {
        try {
          listener(...values);
        } catch (cause) {
          stream.destroy(new Error(FOREIGN_ANSWER, { cause }));
        }
      });
    attach({ on });
  };
  Object.assign(connection, { attachListeners });
}

/**
 * A client for libpq's `prefer`: with TLS where the server offers it, else without. Both are as safe as plain text,
 * since whoever sits in between can say that there is none.
 */
class PreferringClient extends GuardedClient {
  override connect(): Promise<this>;
  override connect(done: (error: Error) => void): void;
  override connect(done?: (error: Error) => void): Promise<this> | undefined {
    const started = offersTls(this.host, this.port).then((offered) => {
      // the client, and its connection below, each look at their own
      if (!offered) for (const part of [this, Reflect.get(this, 'connection')]) Object.assign(part, { ssl: false });
    });
    if (done === undefined) return started.then(() => super.connect() as unknown as Promise<this>);
    started.then(
      () => super.connect(done),
      (error: Error) => done(error),
    );
    return undefined;
  }
}

/** A server that does not answer is asked again by the connection itself, which then fails with the reason. */
function offersTls(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, host);
    const end = (offered: boolean): void => {
      socket.destroy();
      resolve(offered);
    };
    socket.setTimeout(PROBE_MS, () => end(false));
    socket.once('error', () => end(false));
    socket.once('connect', () => socket.write(SSL_REQUEST));
    socket.once('data', (answer) => end(answer.toString('latin1') === 'S'));
    socket.once('close', () => end(false));
  });
}
