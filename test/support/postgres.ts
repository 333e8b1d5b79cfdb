// Fresh databases for suites, on the server that test/support/global-setup.ts started. Never shared between suites.
import { randomBytes } from 'node:crypto';
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
  /** A database to copy, such as one with the schemas in place; it must have no sessions. */
  readonly template?: string;
  /** Another server than the shared one, by the URL of its database `postgres` as its superuser. */
  readonly server?: string | undefined;
}

/** URL of the database `postgres` on the shared server, as its superuser. */
export function adminUrl(): string {
  return inject('postgresAdminUrl');
}

/** Creates a database; the label, such as `claim`, says in its name whose it is. */
export async function createTestDatabase(label: string, options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const name = `test_${label.replace(/\W+/g, '_').toLowerCase()}_${randomBytes(5).toString('hex')}`;
  const template = options.template === undefined ? '' : ` template ${pg.escapeIdentifier(options.template)}`;
  const server = options.server ?? adminUrl();
  await runAsAdmin(server, `create database ${pg.escapeIdentifier(name)}${template}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    drop: () => runAsAdmin(server, `drop database if exists ${pg.escapeIdentifier(name)} with (force)`),
  };
}

async function runAsAdmin(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
