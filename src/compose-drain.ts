// What a worker brings from a data center's meter into its cell. No decisions.

import type { WorkerContext } from './engine/context.js';
import { drainUsage } from './engine/usage/drain-usage.js';
import { isRolloutError } from './kernel/rollout-error.js';
import type { ServerTls } from './platform/tls.js';
import { connectMeterRedis, createRedisMeterStore } from './stores/meter/redis-meter-store.js';

/** A worker waits longer than a gateway: nobody waits for it. */
const TIMEOUT_MS = 5_000;

/**
 * Finds what drains a data center. Undefined: it counts on no Redis, or this process has no URL of it, and leaves it to
 * another.
 */
export function createDrains(
  { cells }: WorkerContext,
  findServer: (dataCenter: string) => (ServerTls & { readonly url: string }) | undefined,
  closers: (() => Promise<void>)[],
): (dataCenter: string) => (() => Promise<number>) | undefined {
  return (dataCenter) => {
    const server = readServer(() => findServer(dataCenter));
    if (server === undefined) return undefined;
    const redis = connectMeterRedis(server.url, { tls: server.ssl, timeoutMs: TIMEOUT_MS });
    closers.push(async () => redis.disconnect());
    const store = createRedisMeterStore(redis);
    return () => drainUsage(cells.get(dataCenter), store);
  };
}

function readServer<T>(findServer: () => T): T | undefined {
  try {
    return findServer();
  } catch (error) {
    if (isRolloutError(error) && error.code === 'missing_environment_variable') return undefined;
    throw error;
  }
}
