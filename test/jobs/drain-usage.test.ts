// What gateways counted on a meter's Redis gets into the cell by a worker: woken up by BullMQ, and by itself where the
// queue is away. A job of it is no sign of life of a rollout.
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createUsageDrain, isDrainJob } from '../../jobs/drain-usage.job.js';
import { connectQueue } from '../../jobs/queue/connection.js';
import { startQueueWorker } from '../../jobs/queue/queue-worker.js';
import { cellQueueName } from '../../jobs/queue/wake-ups.js';
import { findMeterDay, nextMeterDay } from '../../src/domain/meter/meter-day.js';
import { createEmptyUsage } from '../../src/domain/meter/usage.js';
import { drainUsage } from '../../src/engine/usage/drain-usage.js';
import { systemClock } from '../../src/kernel/clock.js';
import { connectMeterRedis, createRedisMeterStore } from '../../src/stores/meter/redis-meter-store.js';
import { createHandClock } from '../metering/meter-scene.js';
import { createTestCell, type TestCell } from '../support/cell.js';
import { redisAvailable, startTestRedis, type TestRedis } from '../support/redis.js';
import { silentLog } from '../support/silent.js';
import { waitFor } from '../support/wait.js';

const ZONE = 'Asia/Kolkata';
const NOWHERE = 'redis://127.0.0.1:1';

describe.skipIf(!redisAvailable())('a worker', () => {
  let cell: TestCell;
  let server: TestRedis;
  let redis: Redis;
  beforeAll(async () => {
    [cell, server] = await Promise.all([createTestCell({ zone: ZONE, orgs: [{}] }), startTestRedis()]);
    redis = connectMeterRedis(server.url, { timeoutMs: 20_000 });
    await new Promise((resolve) => redis.once('ready', resolve));
  });
  afterAll(async () => {
    redis.disconnect();
    await server.remove();
    await cell.drop();
  });

  const drain = (): Promise<number> => drainUsage(cell.cell, createRedisMeterStore(redis));
  const day = findMeterDay(Date.now(), ZONE);
  const days = [day, nextMeterDay(day, ZONE)] as const;

  async function count(orgIds: readonly string[], calls: number): Promise<void> {
    const usage = { ...createEmptyUsage('', day.day, 'credits'), calls, capacity: 10, epoch: null };
    await createRedisMeterStore(redis).merge(
      orgIds.map((orgId) => ({ ...usage, orgId })),
      days,
    );
  }
  const waitForCalls = (calls: number): Promise<unknown> =>
    waitFor(
      'the drain',
      async () => {
        const [row] = await cell.sql(`select calls::int from credit_rollout.usage_days where org_id = '1'`);
        return row?.calls === calls;
      },
      { forMs: 20_000 },
    );
  const readSum = async (): Promise<unknown> =>
    (await cell.sql('select count(*)::int, coalesce(sum(calls), 0)::int as calls from credit_rollout.usage_days'))[0];

  test('brings every org once, in parts, and again what has grown', async () => {
    const ids = Array.from({ length: 5_100 }, (_, at) => String(at + 1));
    await count(ids, 1);
    expect([await drain(), await drain()]).toEqual([5_100, 0]);
    await count(ids.slice(0, 300), 2);
    expect([await drain(), await readSum()]).toEqual([300, { count: 5_100, calls: 5_400 }]);
  });

  test('that fails in the middle brings the rest the next time', async () => {
    await count(['1', '2', '3'], 7);
    await cell.sql('alter table credit_rollout.usage_days rename to held');
    await expect(drain()).rejects.toThrow();
    await cell.sql('alter table credit_rollout.held rename to usage_days');
    expect([await drain(), await drain()]).toEqual([3, 0]);
  });

  test('is woken up by the queue', async () => {
    await count(['1'], 9);
    const queue = connectQueue(server.url);
    const dataCenter = cell.dataCenter.id;
    const served = createUsageDrain({ clock: systemClock, log: silentLog }, { dataCenter, queue, drain });
    const stopping = new AbortController();
    const jobs: boolean[] = [];
    const worker = startQueueWorker(
      queue,
      {
        name: cellQueueName(dataCenter),
        concurrency: 1,
        process: (job) => {
          jobs.push(isDrainJob(job));
          return served.serve();
        },
      },
      { clock: systemClock, log: silentLog },
      stopping.signal,
    );
    // its connection is not open yet the first time
    const isWoken = async (): Promise<boolean> => {
      await served.runOnce(stopping.signal);
      return jobs.length > 0;
    };
    await waitFor('a job', isWoken, { forMs: 20_000 });
    await waitForCalls(9);
    expect(new Set(jobs)).toEqual(new Set([true]));
    stopping.abort();
    await worker.stop();
    await served.close();
    queue.close();
  });

  test('drains by itself when no job has come for 15 s', async () => {
    await count(['1'], 10);
    const clock = createHandClock(Date.now());
    const queue = connectQueue(NOWHERE);
    const served = createUsageDrain({ clock, log: silentLog }, { dataCenter: cell.dataCenter.id, queue, drain });
    const run = async (): Promise<void> => {
      const ran = served.runOnce(new AbortController().signal);
      await clock.move(15_000);
      await ran;
    };
    await run();
    expect(await waitForCalls(10)).toBe(true);
    await served.close();
    queue.close();
  });
});
