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
}

/** URL of the database `postgres` on the shared server, as its superuser. */
export function adminUrl(): string {
  return inject('postgresAdminUrl');
}

/** Creates a database; the label, such as `claim`, says in its name whose it is. */
export async function createTestDatabase(label: string, options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const name = `test_${label.replace(/\W+/g, '_').toLowerCase()}_${randomBytes(5).toString('hex')}`;
  const template = options.template === undefined ? '' : ` template ${pg.escapeIdentifier(options.template)}`;
  await runAsAdmin(`create database ${pg.escapeIdentifier(name)}${template}`);
  const url = new URL(adminUrl());
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    drop: () => runAsAdmin(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`),
  };
}

async function runAsAdmin(sql: string): Promise<void> {
  await withAdmin((client) => client.query(sql));
}

async function withAdmin<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: adminUrl() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
