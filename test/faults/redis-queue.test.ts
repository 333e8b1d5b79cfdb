// The queue on Redis: the same promises as on Postgres, and a server that is flushed, killed, restarted empty or never
// there.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allDone, slowDown } from '../support/fleet.js';
import { redisAvailable, startTestRedis, type TestRedis } from '../support/redis.js';
import { startStopwatch } from '../support/stopwatch.js';
import { waitFor } from '../support/wait.js';
import { done, testQueue, withFleet } from './queue-scenarios.js';

describe.skipIf(!redisAvailable())('the queue on Redis', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startTestRedis();
  });
  afterAll(() => redis.remove());

  const flush = async (): Promise<void> => {
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();
  };

  testQueue({ queue: () => ({ redis: redis.url }), empty: flush });

  test('may be killed and come back empty', () =>
    withFleet({ orgs: 1_500, queue: { redis: redis.url } }, async (fleet) => {
      await slowDown(fleet.cell(0), 100);
      fleet.startWorker({ pollMs: 2_000 });
      fleet.startScheduler();
      await fleet.apply(fleet.cell(0));
      await waitFor('some batches', async () => (await done(fleet)) >= 3);
      await redis.kill();
      redis = await redis.restart('empty');
      await fleet.waitForStages(allDone);
      await fleet.expectInvariants();
    }));

  test('keeps a pause that only Postgres knows of', () =>
    withFleet({ orgs: 1_500, queue: { redis: redis.url } }, async (fleet) => {
      const { setIntent } = await import('../../src/engine/operate/set-intent.js');
      await slowDown(fleet.cell(0), 100);
      fleet.startWorker({ pollMs: 300 });
      fleet.startScheduler();
      await fleet.apply(fleet.cell(0));
      await waitFor('some batches', async () => (await done(fleet)) >= 2);
      const request = { dataCenter: fleet.cell(0).dataCenter.id, intent: 'pause', reason: null } as const;
      await setIntent(fleet.engine, request);
      await waitFor(
        'a confirmed stop',
        async () => (await fleet.control('select quiet from credit_rollout_control.data_centers'))[0]?.quiet === true,
      );
      const before = await done(fleet);
      await flush();
      const until = Date.now() + 1_000;
      await waitFor('a while in which workers poll by themselves', () => Date.now() > until);
      expect(await done(fleet)).toBe(before);
      await setIntent(fleet.engine, { ...request, intent: 'run' });
      await fleet.waitForStages(allDone);
      await fleet.expectInvariants();
    }));

  test('may be down for the whole run: workers and schedulers poll by themselves, and end on request', () =>
    withFleet({ orgs: 400, queue: { redis: redis.url } }, async (fleet) => {
      await redis.kill();
      const worker = fleet.startWorker({ pollMs: 500 });
      const scheduler = fleet.startScheduler();
      await fleet.apply(fleet.cell(0));
      await fleet.waitForStages(allDone);
      const stopwatch = startStopwatch(fleet.cell(0));
      await Promise.all([worker.stop(), scheduler.stop()]);
      expect(await stopwatch()).toBeLessThan(6_000);
      await fleet.expectInvariants();
      redis = await redis.restart('empty');
    }));
});
