// From the configuration to the rows of a cell: a worker that is composed as its command composes it finds the meter's
// Redis, lets BullMQ wake it, and brings what gateways counted. On both back ends of the queue.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectQueue } from '../../jobs/queue/connection.js';
import { cellQueueName } from '../../jobs/queue/wake-ups.js';
import { compose } from '../../src/compose.js';
import { findMeterDay, nextMeterDay } from '../../src/domain/meter/meter-day.js';
import { createEmptyUsage } from '../../src/domain/meter/usage.js';
import { connectMeterRedis, createRedisMeterStore } from '../../src/stores/meter/redis-meter-store.js';
import { createFleet, type Fleet, uniqueId } from '../support/fleet.js';
import { redisAvailable, startTestRedis, type TestRedis } from '../support/redis.js';
import { waitFor } from '../support/wait.js';

describe.skipIf(!redisAvailable())('a composed worker', () => {
  let server: TestRedis;
  let folder: string;
  beforeAll(async () => {
    [server, folder] = await Promise.all([startTestRedis(), mkdtemp(join(tmpdir(), 'credit-rollout-drain-'))]);
  });
  afterAll(async () => {
    await server.remove();
    await rm(folder, { recursive: true });
  });

  async function writeConfig(fleet: Fleet, meter: string): Promise<string> {
    const { id, zone } = fleet.cell(0).dataCenter;
    const path = join(folder, `${id}.yaml`);
    const database = `database: "${fleet.cell(0).url}", source: public.orgs`;
    await writeFile(
      path,
      `controlDatabase: "${fleet.controlUrl}"
queue: "${fleet.queueUrl}"
rateCard: ${resolve('src/sample/rate-card.yaml')}
dataCenters:
  - { id: ${id}, zone: ${zone}, ${database}, meter: "${meter}" }
`,
    );
    return path;
  }

  async function countCalls(url: string, zone: string, calls: number): Promise<void> {
    const redis = connectMeterRedis(url, { timeoutMs: 20_000 });
    await new Promise((done) => redis.once('ready', done));
    const day = findMeterDay(Date.now(), zone);
    const usage = { ...createEmptyUsage('1', day.day, 'credits'), calls, capacity: 10, epoch: null };
    await createRedisMeterStore(redis).merge([usage], [day, nextMeterDay(day, zone)]);
    redis.disconnect();
  }

  async function countWakeUps(fleet: Fleet): Promise<number> {
    const connection = connectQueue(fleet.queueUrl ?? '');
    const queue = connection.createQueue(cellQueueName(fleet.cell(0).dataCenter.id));
    queue.on('error', () => undefined);
    // its connection is not open yet the first time
    const schedulers = await waitFor('the queue', () => queue.getJobSchedulers().catch(() => undefined));
    await queue.close();
    connection.close();
    return schedulers[0]?.iterationCount ?? 0;
  }

  test.each(['postgres', 'redis'] as const)('drains a meter, its queue being on %s', async (kind) => {
    const fleet = await createFleet({
      cells: [{ dataCenter: uniqueId('d'), orgs: [{}] }],
      queue: kind === 'postgres' ? kind : { redis: server.url },
    });
    const meter = `${server.url}/${kind === 'postgres' ? 1 : 2}`;
    const { id, zone } = fleet.cell(0).dataCenter;
    const program = await compose({ configPath: await writeConfig(fleet, meter) });
    try {
      await countCalls(meter, zone, 7);
      const worker = await program.startWorker({ dataCenters: [id], queue: 'own', concurrency: 1 });
      const read = () => fleet.cell(0).sql('select org_id::text, calls::int from credit_rollout.usage_days');
      const [row] = await waitFor('the drain', async () => ((await read()).length > 0 ? read() : undefined), {
        forMs: 30_000,
      });
      expect(row).toEqual({ org_id: '1', calls: 7 });
      expect(await countWakeUps(fleet)).toBeGreaterThan(0);
      await worker.stop();
    } finally {
      await program.close();
      await fleet.drop();
    }
  });
});
