// A Redis or Valkey server of our own, for tests and benchmarks, where one is installed. Listens on 127.0.0.1 only,
// with a password, and ends with this process. Never used by a command of the product.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { systemClock } from '../../src/kernel/clock.js';
import { RolloutError } from '../../src/kernel/rollout-error.js';
import { readEnvironment } from '../../src/platform/environment.js';

export interface LocalRedisOptions {
  /** Where its append-only file and log lie; the folder must exist. The same folder again: the same keys. */
  readonly folder: string;
  /** Further arguments of the server, such as `['--maxmemory', '10mb']`. */
  readonly extraArgs?: readonly string[];
  /** To come back at the address of a server that was stopped or killed. */
  readonly again?: { readonly url: string };
}

/** A running local server. */
export interface LocalRedis {
  /** A redis:// URL, password included. */
  readonly url: string;
  readonly pid: number;
  /** Ends it as an operator would: keys are kept. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
}

const PROGRAMS = ['valkey-server', 'redis-server'] as const;
const TIMEOUT_MS = 10_000;

/** The path of an installed valkey-server or redis-server, in PATH or /usr/bin; undefined: none. */
export function findRedisServer(): string | undefined {
  const folders = [...(readEnvironment('PATH') ?? '').split(':').filter(Boolean), '/usr/bin', '/usr/local/bin'];
  return PROGRAMS.flatMap((program) => folders.map((folder) => join(folder, program))).find(isExecutable);
}

/** Starts a server and waits until it answers. @throws local_redis_failed */
export async function startLocalRedis(options: LocalRedisOptions): Promise<LocalRedis> {
  const program = findRedisServer();
  if (program === undefined) {
    throw new RolloutError('local_redis_failed', { message: 'Neither valkey-server nor redis-server is installed.' });
  }
  const url = options.again?.url ?? `redis://:${randomBytes(12).toString('hex')}@127.0.0.1:${await findFreePort()}`;
  const server = spawnServer(program, url, options);
  try {
    await waitUntilReady(server, url);
  } catch (cause) {
    server.kill('SIGKILL');
    const log = await readFile(join(options.folder, 'redis.log'), 'utf8').catch(() => '');
    const message = `The local Redis did not start; its log ends: ${log.trim().split('\n').slice(-3).join(' ')}`;
    throw new RolloutError('local_redis_failed', { message, cause });
  }
  const pid = server.pid ?? 0;
  const guard = guardServer(pid);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const isRunning = server.exitCode === null && server.signalCode === null;
    if (isRunning && server.kill(signal)) await once(server, 'exit');
    guard.kill('SIGKILL');
  };
  return { url, pid, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

function spawnServer(program: string, url: string, { folder, extraArgs = [] }: LocalRedisOptions): ChildProcess {
  const { port, password } = new URL(url);
  const log = openSync(join(folder, 'redis.log'), 'a', 0o600);
  const durable = ['--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--save', ''];
  // the password goes in by standard input: arguments are seen by everybody
  const args = ['-', '--bind', '127.0.0.1', '--port', port, '--dir', folder, ...durable, ...extraArgs];
  const server = spawn(program, args, { stdio: ['pipe', log, log], detached: true });
  closeSync(log);
  server.stdin?.on('error', () => undefined);
  server.stdin?.end(`requirepass ${password}\n`);
  return server;
}

async function waitUntilReady(server: ChildProcess, url: string): Promise<void> {
  const failure = once(server, 'exit').then(() => Promise.reject(new Error('it ended at once')));
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  const deadline = new AbortController();
  const late = systemClock
    .sleep(TIMEOUT_MS, deadline.signal)
    .then(() => Promise.reject(new Error('it did not answer')));
  late.catch(() => undefined);
  failure.catch(() => undefined);
  try {
    await Promise.race([client.ping(), failure, late]);
  } finally {
    deadline.abort();
    client.disconnect();
  }
}

// a shell that reads a pipe of ours: the pipe ends with us, also by kill -9, and the shell ends the server then
function guardServer(pid: number): ChildProcess {
  const guard = spawn('sh', ['-c', 'read -r _; kill -TERM "$1"', 'credit-rollout-redis', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  return guard;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
