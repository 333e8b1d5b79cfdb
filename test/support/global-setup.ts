// One PostgreSQL for a whole test run, in a temporary folder: the embedded one, or that of CREDIT_ROLLOUT_PG_BIN.
// Durability is off here and only here; suites that need it start a server of their own.
import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { readEnvironment } from '../../src/platform/environment.js';
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
};

/** Known since 18. Its workers that read for others cost more than reading, where the files lie in memory. */
const READS: Readonly<Record<string, string>> = { io_method: 'sync' };

/** Starts the server; what it returns stops it and removes its folder. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const base = await chooseBase();
  await removeLeftovers(base);
  const folder = await mkdtemp(join(base, `${PREFIX}${process.pid}-`));
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const own = readEnvironment('CREDIT_ROLLOUT_PG_BIN') === undefined ? READS : {};
  const server = await joinEmbeddedPostgres({ root, folder, log: silentLog, settings: { ...FAST, ...own } });
  project.provide('postgresAdminUrl', server.adminUrl);
  return async () => {
    await server.leave();
    await waitUntilStopped(server.dataFolder);
    await rm(folder, { recursive: true, force: true });
  };
}

const PREFIX = 'credit-rollout-test-';
const MEMORY = '/dev/shm';
const NEEDED_BYTES = 3 * 1024 ** 3;

/**
 * Memory, where there is enough. A database is some 400 files, and a run makes over a thousand databases: on ext4
 * finding free inodes alone took a third of the whole run.
 */
async function chooseBase(): Promise<string> {
  const memory = await statfs(MEMORY).catch(() => undefined);
  return memory !== undefined && memory.bavail * memory.bsize > NEEDED_BYTES ? MEMORY : tmpdir();
}

/** What runs that were killed have left: their servers ended with them. */
async function removeLeftovers(base: string): Promise<void> {
  for (const name of await readdir(base)) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split('-')[0]) : Number.NaN;
    if (Number.isInteger(pid) && !isRunning(pid)) await rm(join(base, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
