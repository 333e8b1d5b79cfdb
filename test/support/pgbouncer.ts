// A PgBouncer of our own in transaction mode in front of the shared server, where one is installed; else a reported
// skip.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { findServerUser } from '../../src/platform/embedded/server-user.js';
import { adminUrl } from './postgres.js';
import { reportSkipped, requiresAll } from './skipped-suites.js';
import { waitFor } from './wait.js';

const PROGRAM = '/usr/sbin/pgbouncer';

/** For `describe.skipIf(!pgbouncerAvailable())`: false, and reported, where it is not installed. */
export function pgbouncerAvailable(): boolean {
  if (isInstalled() || requiresAll()) return true;
  reportSkipped('PgBouncer suites: pgbouncer is not installed (apt-get install pgbouncer).');
  return false;
}

function isInstalled(): boolean {
  try {
    accessSync(PROGRAM, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface TestPgbouncer {
  readonly port: number;
  /** The same database through the pooler. */
  through(url: string): string;
  /** Ends it with SIGKILL, and starts it again at the same port. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it on loopback with few server connections, so that sessions are truly shared. Call stop() in afterAll. */
export async function startPgbouncer(): Promise<TestPgbouncer> {
  const { hostname, searchParams, port, username, password } = new URL(adminUrl());
  const host = searchParams.get('host') ?? hostname;
  const user = decodeURIComponent(username) || 'postgres';
  const pooler = await startPooler(`* = host=${host} port=${searchParams.get('port') ?? (port || '5432')}`, [
    [user, decodeURIComponent(password)],
  ]);
  const through = (url: string): string => {
    const pooled = new URL(`postgres://${username}@127.0.0.1:${pooler.port}${new URL(url).pathname}`);
    pooled.password = password;
    return pooled.href;
  };
  await waitFor('PgBouncer to answer', () => answers(through(adminUrl())));
  return { ...pooler, through };
}

/** One for lines of its section `databases`, and for these logins with their passwords. */
export async function startPooler(
  databases: string,
  logins: readonly (readonly [string, string])[],
): Promise<Omit<TestPgbouncer, 'through'>> {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-pgbouncer-'));
  const port = await findFreePort();
  await writeFile(join(folder, 'pgbouncer.ini'), describeConfig(databases, folder, port), { mode: 0o600 });
  await writeFile(join(folder, 'users.txt'), logins.map(([name, secret]) => `"${name}" "${secret}"\n`).join(''), {
    mode: 0o600,
  });
  let child = await launch(folder);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };
  return {
    port,
    crash: async () => {
      await end('SIGKILL');
      child = await launch(folder);
    },
    stop: async () => {
      await end('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function describeConfig(databases: string, folder: string, port: number): string {
  return `[databases]
${databases}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${join(folder, 'users.txt')}
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
server_reset_query_always = 0
`;
}

/** It rejects to run as root: then it runs as the user of the server, who alone reaches its socket. */
async function launch(folder: string): Promise<ChildProcess> {
  const user = await findServerUser();
  if (user !== undefined) {
    await chmod(folder, 0o700);
    for (const file of ['', 'pgbouncer.ini', 'users.txt']) await chown(join(folder, file), user.uid, user.gid);
  }
  return spawn(PROGRAM, ['-q', join(folder, 'pgbouncer.ini')], { stdio: 'ignore', ...user });
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query('select 1')).rows.length === 1;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
