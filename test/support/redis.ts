// Redis for the suites that need one: a real server where one is installed, otherwise a reported skip.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findRedisServer, type LocalRedis, startLocalRedis } from './local-redis.js';
import { reportSkipped, requiresAll } from './skipped-suites.js';

/** For `describe.skipIf(!redisAvailable())`: false, and reported, where no server is installed. */
export function redisAvailable(): boolean {
  if (findRedisServer() !== undefined || requiresAll()) return true;
  reportSkipped('Redis suites: neither redis-server nor valkey-server is installed (apt-get install redis-server).');
  return false;
}

export interface TestRedis extends LocalRedis {
  /** Starts the server again at the same URL, after stop() or kill(): with its keys, or `empty`. */
  restart(keys: 'kept' | 'empty'): Promise<TestRedis>;
  /** Stops it and removes its folder. */
  remove(): Promise<void>;
}

/** Starts a server in a temporary folder. Call remove() in afterAll. */
export async function startTestRedis(extraArgs: readonly string[] = []): Promise<TestRedis> {
  return startIn(await mkdtemp(join(tmpdir(), 'credit-rollout-redis-')), extraArgs);
}

async function startIn(folder: string, extraArgs: readonly string[], url?: string): Promise<TestRedis> {
  const server = await startLocalRedis({ folder, extraArgs, ...(url !== undefined && { again: { url } }) });
  return {
    ...server,
    restart: async (keys) => {
      if (keys === 'empty') await rm(join(folder, 'appendonlydir'), { recursive: true, force: true });
      return startIn(folder, extraArgs, server.url);
    },
    remove: async () => {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
