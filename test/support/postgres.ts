// Fresh databases for suites, on the server that test/support/global-setup.ts started. Never shared between suites.
// Schemas are made once per run, in templates; a suite gets a copy, which costs a tenth of the migrations.
import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

/** A database of its own. */
export interface TestDatabase {
  /** A postgres:// URL, as the server's superuser. */
  readonly url: string;
  readonly name: string;
  /** Ends its sessions and drops it. */
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** A database to copy, as `ensureTemplate` returns it. */
  readonly template?: string | undefined;
  /** Another server than the shared one, by the URL of its database `postgres` as its superuser. */
  readonly server?: string | undefined;
}

/** URL of the database `postgres` on the shared server, as its superuser. */
export function adminUrl(): string {
  return inject('postgresAdminUrl');
}

/** Creates a database; the label, such as `claim`, shows in its name whose it is. */
export async function createTestDatabase(label: string, options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const name = `test_${label.replace(/\W+/g, '_').toLowerCase()}_${randomBytes(5).toString('hex')}`;
  const server = options.server ?? adminUrl();
  await createOn(server, name, options.template);
  return {
    name,
    url: urlOf(server, name),
    drop: async () => {
      await runAsAdmin(server, `drop database if exists ${pg.escapeIdentifier(name)} with (force)`);
    },
  };
}

const made = new Map<string, Promise<string>>();

/**
 * The name of a database of the shared server that `make` has filled: the first worker of a run that asks makes it, the
 * others wait. The key names everything that `make` depends on.
 */
export function ensureTemplate(key: string, make: (url: string) => Promise<void>): Promise<string> {
  const known = made.get(key);
  if (known !== undefined) return known;
  const making = findOrMake(`template_${createHash('sha256').update(key).digest('hex').slice(0, 20)}`, make);
  made.set(key, making);
  return making;
}

async function findOrMake(name: string, make: (url: string) => Promise<void>): Promise<string> {
  const client = new pg.Client({ connectionString: adminUrl() });
  await client.connect();
  try {
    // held to the end of the session: two workers never make the same one
    await client.query('select pg_advisory_lock(hashtext($1))', [name]);
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 1) return name;
    const draft = `${name}_${randomBytes(3).toString('hex')}`;
    await createOn(adminUrl(), draft);
    await make(urlOf(adminUrl(), draft));
    // nobody may be connected to what is copied, autovacuum included
    await client.query(`alter database ${draft} allow_connections false`);
    await client.query(`alter database ${draft} rename to ${name}`);
    return name;
  } finally {
    await client.end();
  }
}

async function createOn(server: string, name: string, template = 'template1'): Promise<void> {
  const { rows } = await runAsAdmin(server, `select current_setting('server_version_num')::int >= 150000 as chooses`);
  // copied as files, as 14 always does: through the log takes twice as long on a server whose fsync is off
  const strategy = rows[0]?.chooses === true ? ' strategy file_copy' : '';
  await runAsAdmin(
    server,
    `create database ${pg.escapeIdentifier(name)} template ${pg.escapeIdentifier(template)}${strategy}`,
  );
}

function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}

const admins = new Map<string, pg.Pool>();

/** One connection to each server stays open for a while: databases come and go all the time. */
export async function runAsAdmin(server: string, sql: string): Promise<pg.QueryResult> {
  let pool = admins.get(server);
  if (pool === undefined) {
    pool = new pg.Pool({ connectionString: server, max: 4, idleTimeoutMillis: 30_000, allowExitOnIdle: true });
    pool.on('error', () => undefined);
    admins.set(server, pool);
  }
  return pool.query(sql);
}
