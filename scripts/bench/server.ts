// The server that a benchmark runs on: an embedded one with the settings of the embedded default, in a folder of its
// own.
import { access, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectFolder } from '../../src/compose.js';
import { systemClock } from '../../src/kernel/clock.js';
import { joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { createLog } from '../../src/platform/log.js';
import { findRedisServer, type LocalRedis, startLocalRedis } from '../../test/support/local-redis.js';

/** What a benchmark needs of its servers. */
export interface BenchSite {
  /** A URL of a database, password included. */
  url(database: string): string;
  /** Undefined where no Redis server is installed. */
  readonly redisUrl: string | undefined;
  /** A folder for files of the benchmark, readable by us alone. */
  readonly folder: string;
}

export interface BenchServer extends BenchSite {
  /** URL of the database `postgres`. */
  readonly adminUrl: string;
  /** Stops what was started and removes its files. Idempotent. */
  close(): Promise<void>;
}

const TIMEOUT_MS = 60_000;

/** Starts PostgreSQL, and Redis where one is installed. */
export async function startBenchServer(options: { readonly redis: 'wanted' | 'unwanted' }): Promise<BenchServer> {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-bench-'));
  // beside ours, not in it: when we are root, the server's user cannot enter ours
  const postgresFolder = await mkdtemp(join(tmpdir(), 'credit-rollout-bench-postgres-'));
  const closers = [() => remove(folder), () => remove(postgresFolder)];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= closeAll(closers.toReversed());
    return closing;
  };
  try {
    const postgres = await joinEmbeddedPostgres({ root: projectFolder, folder: postgresFolder, log: createLog() });
    closers.push(async () => {
      await postgres.leave();
      await waitUntilGone(join(postgres.dataFolder, 'postmaster.pid'));
    });
    const redis = options.redis === 'wanted' ? await startRedis(join(folder, 'redis')) : undefined;
    if (redis !== undefined) closers.push(redis.stop);
    return { folder, adminUrl: postgres.adminUrl, url: postgres.url, redisUrl: redis?.url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function closeAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  for (const close of closers) await close();
}

const remove = (path: string): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 5 });

async function startRedis(folder: string): Promise<LocalRedis | undefined> {
  if (findRedisServer() === undefined) return undefined;
  await mkdir(folder);
  return startLocalRedis({ folder });
}

async function waitUntilGone(path: string): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  const isThere = (): Promise<boolean> =>
    access(path).then(
      () => true,
      () => false,
    );
  while ((await isThere()) && Date.now() < deadline) await systemClock.sleep(50);
}
