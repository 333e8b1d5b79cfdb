// What `doctor` says about the Redis of a meter: of a real one, in each state that would cost counters or let ids out.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createMeterServers } from '../../../src/compose-doctor.js';
import type { ConfiguredServer } from '../../../src/domain/config/configured-servers.js';
import type { DataCenterConfig } from '../../../src/domain/config/rollout-config.js';
import { parseRedisServer } from '../../../src/domain/config/server-url.js';
import { checkMeter, readMeters } from '../../../src/engine/doctor/check-meter.js';
import type { Finding } from '../../../src/engine/doctor/finding.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { redisAvailable, startTestRedis, type TestRedis } from '../../support/redis.js';

const serverAt = (url: string): ConfiguredServer => ({ key: 'test', ...parseRedisServer(url, 'test') });

describe.skipIf(!redisAvailable())("doctor on a meter's Redis", () => {
  let redis: TestRedis;
  let queue: TestRedis;
  let client: Redis;
  beforeAll(async () => {
    [redis, queue] = await Promise.all([startTestRedis(), startTestRedis()]);
    client = new Redis(redis.url);
  });
  afterAll(async () => {
    client.disconnect();
    await Promise.all([redis.remove(), queue.remove()]);
  });
  beforeEach(() => client.config('SET', 'maxmemory-policy', 'noeviction'));

  const at = (aheadMs: number) => {
    const now = systemClock.now();
    return { before: now, server: new Date(now.getTime() + aheadMs), after: now };
  };

  async function check(
    urls: Readonly<Record<string, string>>,
    { queueUrl = queue.url, cellAheadMs = 0 } = {},
  ): Promise<readonly Pick<Finding, 'check' | 'level' | 'code' | 'found'>[]> {
    const servers = createMeterServers({
      meter: (id) => (urls[id] === undefined ? undefined : serverAt(urls[id])),
      queue: () => serverAt(queueUrl),
    });
    const dataCenters = ['in', 'eu'].map((id) => ({ id }) as DataCenterConfig);
    const meters = await readMeters(servers, dataCenters, systemClock);
    const about = { subject: 'in', title: 'Data center "in"' };
    return checkMeter(about, { meters, cellClock: at(cellAheadMs) });
  }
  const troubles = async (...args: Parameters<typeof check>): Promise<readonly unknown[]> =>
    (await check(...args)).filter(({ level }) => level !== 'ok').map(({ check, level, code }) => [check, level, code]);

  test('finds nothing wrong with a server of its own that evicts nothing', async () => {
    const findings = await check({ in: redis.url });
    expect(findings.map((one) => [one.check, one.level])).toEqual(
      ['meter', 'meter role', 'meter place', 'meter memory', 'meter clock'].map((name) => [name, 'ok']),
    );
    expect(await check({ eu: redis.url })).toEqual([]);
  });

  test('names a policy that drops counters', async () => {
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    expect(await troubles({ in: redis.url })).toEqual([['meter memory', 'error', 'meter_unusable']]);
  });

  test("names the queue's server, whichever of its databases", async () => {
    for (const url of [redis.url, `${redis.url}/3`])
      expect(await troubles({ in: url }, { queueUrl: redis.url })).toEqual([['meter place', 'error', 'meter_shared']]);
    // a queue that cannot be asked has its own finding
    expect(await troubles({ in: redis.url }, { queueUrl: 'redis://127.0.0.1:1' })).toEqual([]);
  });

  test('names the server of another data center: an error in the same database, a warning in another', async () => {
    expect(await troubles({ in: redis.url, eu: redis.url })).toEqual([['meter place', 'error', 'meter_shared']]);
    expect(await troubles({ in: redis.url, eu: `${redis.url}/1` })).toEqual([['meter place', 'warning', undefined]]);
  });

  test("names a clock that is not the cell's", async () => {
    expect(await troubles({ in: redis.url }, { cellAheadMs: 10_000 })).toEqual([['meter clock', 'warning', undefined]]);
    expect(await troubles({ in: redis.url }, { cellAheadMs: -10_000 })).toHaveLength(1);
  });

  test('names one that cannot be reached, or refuses the login, without its password', async () => {
    const wrong = redis.url.replace(/:[^:@]+@/u, ':not-the-password@');
    for (const url of ['redis://127.0.0.1:1', wrong]) {
      const findings = await check({ in: url });
      expect(findings.map(({ code }) => code)).toEqual(['meter_unreachable']);
      expect(JSON.stringify(findings.map(({ found }) => found))).not.toContain('not-the-password');
    }
  });
});
