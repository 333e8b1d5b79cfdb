// One PostgreSQL for a whole test run, in a temporary folder: the embedded one, or that of CREDIT_ROLLOUT_PG_BIN.
// Durability is off here and only here; suites that need it start a server of their own.
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { type EmbeddedPostgres, joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { readEnvironment } from '../../src/platform/environment.js';
import { removeBundles } from './bundle-process.js';
import { isRunning, makeServerFolder, removeLeftovers } from './server-folder.js';
import { silentLog } from './silent.js';
import { waitUntilStopped } from './stopped-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the database `postgres` on the shared server, as its superuser. */
    postgresAdminUrl: string;
  }
}

/** Settings of a server whose data may be lost. */
export const FAST = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '256MB',
  checkpoint_timeout: '1h',
  // every dropped database is searched for here
  shared_buffers: '64MB',
  // databases live for seconds, and there are many: each would get a worker of its own every minute
  autovacuum_naptime: '1h',
  // what nobody looks at, or what only makes a server durable sooner
  update_process_title: 'off',
  wal_writer_delay: '10s',
  bgwriter_delay: '10s',
  // nearly every one of thousands of sessions calls a function of ours, and would load it for itself
  shared_preload_libraries: 'plpgsql',
};

/** Unknown to 15. */
const OF_18: Readonly<Record<string, string>> = {
  // workers that read for others cost more than reading, where the files lie in memory
  io_method: 'sync',
  // of the passwords that suites give to logins, which prove them often
  scram_iterations: '1',
};

/** Starts the server; what it returns stops it and removes its folder. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeLeftovers();
  const removeOwnBundles = (): Promise<void> => removeBundles((pid) => !isRunning(pid));
  await removeOwnBundles();
  // what is watched has changed
  project.onTestsRerun(removeOwnBundles);
  const folder = await makeServerFolder();
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const own = readEnvironment('CREDIT_ROLLOUT_PG_BIN') === undefined ? OF_18 : {};
  const server = await joinEmbeddedPostgres({ root, folder, log: silentLog, settings: { ...FAST, ...own } });
  await prepareServer(server);
  project.provide('postgresAdminUrl', server.adminUrl);
  return async () => {
    await server.leave();
    await waitUntilStopped(server.dataFolder);
    await rm(folder, { recursive: true, force: true });
    await removeOwnBundles();
  };
}

// Its folder lets nobody else in. Proving a password takes 4,096 hashes at both ends of each of a run's thousands of
// connections; other users than the superuser, whose logins are tested, still prove theirs.
const LOGINS = 'local all postgres trust\nlocal all all scram-sha-256\n';

async function prepareServer({ adminUrl, dataFolder }: EmbeddedPostgres): Promise<void> {
  await writeFile(join(dataFolder, 'pg_hba.conf'), LOGINS);
  const template1 = Object.assign(new URL(adminUrl), { pathname: '/template1' }).href;
  // a quarter fewer files to copy: none of free space, none of what is visible
  await query(template1, 'vacuum full');
  // the first session of a database writes what the others read of its catalogs, and copies get it too
  await query(template1, 'select pg_reload_conf()');
}

/** In a session of its own. */
async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(sql);
  await client.end();
}
