// One PostgreSQL for a whole test run, in a temporary folder: the embedded one, or that of CREDIT_ROLLOUT_PG_BIN.
// Durability is off here and only here; suites that need it start a server of their own.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { silentLog } from '../../src/platform/log.js';
import { waitUntilStopped } from './stopped-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the database `postgres` on the shared server, as its superuser. */
    postgresAdminUrl: string;
  }
}

/** Settings of a server whose data may be lost. */
export const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_wal_size: '1GB' };

/** Starts the server; what it returns stops it and removes its folder. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-test-'));
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const server = await joinEmbeddedPostgres({ root, folder, log: silentLog, settings: FAST });
  project.provide('postgresAdminUrl', server.adminUrl);
  return async () => {
    await server.leave();
    await waitUntilStopped(server.dataFolder);
    await rm(folder, { recursive: true, force: true });
  };
}
