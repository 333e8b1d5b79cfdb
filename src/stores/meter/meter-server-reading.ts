// What a meter's Redis says about itself, for `doctor`. Writes nothing, and reads no key.
import { connectMeterRedis, type MeterRedisOptions } from './redis-meter-store.js';

export interface MeterServerReading {
  /** Of this run of the server: two URLs with the same one lead to the same server. */
  readonly runId: string;
  /** Which of its databases. */
  readonly database: number;
  readonly evictionPolicy: string;
  readonly isReplica: boolean;
  readonly isCluster: boolean;
  readonly clock: { readonly before: Date; readonly server: Date; readonly after: Date };
}

const TIMEOUT_MS = 3000;

/** Rejects where the server cannot be reached, or does not let us in. `now`: our clock. */
export async function readMeterServer(
  url: string,
  { tls = false }: Pick<MeterRedisOptions, 'tls'>,
  now: () => Date,
): Promise<MeterServerReading> {
  const redis = connectMeterRedis(url, { timeoutMs: TIMEOUT_MS, tls, tries: 'once' });
  try {
    await redis.connect();
    const info = await redis.info();
    const find = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'mu').exec(info)?.[1] ?? '';
    const before = now();
    const [seconds, micros] = await redis.time();
    return {
      runId: find('run_id'),
      database: redis.options.db ?? 0,
      evictionPolicy: find('maxmemory_policy'),
      isReplica: find('role') === 'slave',
      isCluster: find('redis_mode') === 'cluster',
      clock: { before, server: new Date(Number(seconds) * 1000 + Number(micros) / 1000), after: now() },
    };
  } finally {
    redis.disconnect();
  }
}
