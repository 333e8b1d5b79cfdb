// The embedded PostgreSQL: several processes share one server, which stops with the last of them, killed or not.
// Never listens on a network address, never gives up durability, knows nothing of what the databases hold.
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { Log } from '../../kernel/log.js';
import { readEnvironment } from '../environment.js';
import { prepareBinaries } from './binaries.js';
import { prepareHome, prepareLocation, type ServerLocation } from './location.js';
import { readOwnFile } from './own-files.js';
import { acquireServer } from './server.js';
import { findServerUser } from './server-user.js';

export interface EmbeddedPostgresOptions {
  /** The folder that the server belongs to, such as the project's: the same folder, the same server. */
  readonly root: string;
  readonly log: Log;
  /** Settings of the server, by their PostgreSQL names. They hold only if this call starts it. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The bin folder of an installed PostgreSQL. Defaults to CREDIT_ROLLOUT_PG_BIN, else the npm package's 18. */
  readonly binFolder?: string;
  /** Where the server's files lie, instead of a place derived from `root`. */
  readonly folder?: string;
}

/** A running server that this process holds. */
export interface EmbeddedPostgres {
  /** A postgres:// URL over the unix socket, password included: for connecting, never for showing. */
  url(database: string): string;
  /** The URL of the database `postgres`. */
  readonly adminUrl: string;
  /** Creates the databases that do not exist; safe when several do it at once. */
  ensureDatabases(...names: readonly string[]): Promise<void>;
  readonly dataFolder: string;
  /** True if no server ran before, or one without its watcher. */
  readonly startedByUs: boolean;
  /** Gives the hold back; the server stops when nobody holds it. Idempotent. Close all connections before. */
  leave(): Promise<void>;
}

const SETTINGS = {
  max_connections: '300',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  jit: 'off',
  fsync: 'on',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  log_min_error_statement: 'panic', // statements carry org ids
} as const;
const SHARED_MEMORY_BYTES = 512 * 1024 * 1024;

/**
 * Joins the server of `root`, starting it (and making its data folder) when nobody has.
 * @throws embedded_unsupported_platform, embedded_start_failed with the last lines of its log.
 */
export async function joinEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const user = await findServerUser();
  const home = await prepareHome(options.root, user);
  const binFolder = options.binFolder ?? readEnvironment('CREDIT_ROLLOUT_PG_BIN');
  const binaries = await prepareBinaries({ binFolder, home, user });
  const location = await prepareLocation(options.folder ?? join(home, `postgres-${binaries.major}`), user);
  const adminUrl = (): string => createUrls(location)('postgres');
  const settings = { ...SETTINGS, ...sharedMemorySettings(), ...options.settings };
  const acquire = () => acquireServer({ location, binaries, settings, adminUrl, log: options.log });
  const { hold, startedByUs } = await acquire();
  const url = createUrls(location);
  return {
    url,
    adminUrl: url('postgres'),
    ensureDatabases: (...names) => ensureDatabases(url('postgres'), names),
    dataFolder: location.dataFolder,
    startedByUs,
    leave: async () => {
      // without its watcher the server would outlive us: whoever notices last has it watched again
      if (hold.isOpen() && !hold.ping()) (await acquire()).hold.release();
      hold.release();
    },
  };
}

function createUrls(location: ServerLocation): (database: string) => string {
  const password = readOwnFile(location.passwordFile).trim();
  const query = `host=${encodeURIComponent(location.socketFolder)}`;
  return (database) => `postgres://postgres:${password}@localhost/${encodeURIComponent(database)}?${query}`;
}

// Containers often have 64 MB of /dev/shm, which one parallel query can fill; elsewhere any user can fill it. Said in
// either case: initdb leaves another value.
function sharedMemorySettings(): Readonly<Record<string, string>> {
  return { dynamic_shared_memory_type: hasSharedMemory() ? 'posix' : 'mmap' };
}

function hasSharedMemory(): boolean {
  if (process.platform !== 'linux') return true;
  try {
    const { bsize, bavail } = statfsSync('/dev/shm');
    return bsize * bavail >= SHARED_MEMORY_BYTES;
  } catch {
    return false;
  }
}

const DUPLICATE_DATABASE = ['42P04', '23505']; // the second when two create it at the same instant

async function ensureDatabases(adminUrl: string, names: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database');
    const missing = names.filter((name) => !rows.some(({ datname }) => datname === name));
    for (const name of missing) await createDatabase(client, name);
  } finally {
    await client.end();
  }
}

async function createDatabase(client: pg.Client, name: string): Promise<void> {
  try {
    await client.query(`create database ${pg.escapeIdentifier(name)}`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && DUPLICATE_DATABASE.includes(error.code ?? ''))) throw error;
  }
}
