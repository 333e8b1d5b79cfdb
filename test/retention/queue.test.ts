// What a queue keeps: limited, whatever happens to its jobs, and also while nobody takes them.
import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { connectQueue, initQueue, type QueueConnection } from '../../jobs/queue/connection.js';
import { startQueueWorker } from '../../jobs/queue/queue-worker.js';
import { cellQueueName, createWakeUps, SCHEDULER_QUEUE } from '../../jobs/queue/wake-ups.js';
import type { EngineContext } from '../../src/engine/context.js';
import { deleteRemovedQueues } from '../../src/engine/setup/delete-removed-queues.js';
import { systemClock } from '../../src/kernel/clock.js';
import { uniqueId } from '../support/fleet.js';
import { createTestDatabase } from '../support/postgres.js';
import { redisAvailable, startTestRedis } from '../support/redis.js';
import { silentLog } from '../support/silent.js';
import { waitFor } from '../support/wait.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function openQueue(
  kind: 'postgres' | 'redis',
): Promise<{ readonly queue: QueueConnection; readonly url: string }> {
  if (kind === 'redis') {
    const redis = await startTestRedis();
    ends.push(redis.remove);
    return { queue: connectQueue(redis.url), url: redis.url };
  }
  const database = await createTestDatabase('queue');
  ends.push(database.drop);
  await initQueue(database.url);
  return { queue: connectQueue(database.url), url: database.url };
}

const KINDS = ['postgres', ...(redisAvailable() ? (['redis'] as const) : [])] as const;
const JOBS = 1_500;

describe.each(KINDS)('a queue on %s', (kind) => {
  test('keeps at most a hundred failed jobs, no completed ones, and about a thousand events', async () => {
    const { queue, url } = await openQueue(kind);
    const dataCenter = uniqueId('q');
    const name = cellQueueName(dataCenter);
    const wakeUps = createWakeUps(queue, silentLog);
    ends.push(wakeUps.close);
    let served = 0;
    const stopping = new AbortController();
    const process = async (): Promise<void> => {
      served += 1;
      if (served % 3 === 0) throw new Error('it fails');
    };
    const worker = startQueueWorker(
      queue,
      { name, concurrency: 8, process },
      { clock: systemClock, log: silentLog },
      stopping.signal,
    );
    const opened = queue.createQueue(name);
    opened.on('error', () => undefined);
    ends.push(() => opened.close());
    while (served < JOBS) {
      await wakeUps.enqueue(dataCenter, Array(50).fill('apply'), 1n);
      await waitFor('an empty queue', async () => (await opened.getWaitingCount()) === 0, { forMs: 60_000 });
    }
    stopping.abort();
    await worker.stop();
    const { completed, failed, waiting } = await opened.getJobCounts('completed', 'failed', 'waiting');
    expect({ completed, waiting }).toEqual({ completed: 0, waiting: 0 });
    expect(failed).toBe(100);
    const events = await countEvents(url, name);
    expect(events).toBeGreaterThan(500);
    // of more than 4,500 that happened; BullMQ trims now and then, and leaves it to the next event where another trims
    expect(events).toBeLessThanOrEqual(3_000);
  });

  test('takes no more ticks than it needs while no scheduler runs', async () => {
    const { queue } = await openQueue(kind);
    const wakeUps = createWakeUps(queue, silentLog);
    ends.push(wakeUps.close);
    for (let round = 0; round < 30; round += 1) await wakeUps.wakeSchedulers();
    const opened = queue.createQueue(SCHEDULER_QUEUE);
    opened.on('error', () => undefined);
    ends.push(() => opened.close());
    expect(await opened.getWaitingCount()).toBe(10);
  });

  test('keeps nothing of a data center that was taken out, job schedulers included', async () => {
    const { queue } = await openQueue(kind);
    const [removed, kept] = [uniqueId('q'), uniqueId('q')];
    const wakeUps = createWakeUps(queue, silentLog);
    ends.push(wakeUps.close);
    const opened = [removed, kept].map((id) => queue.createQueue(cellQueueName(id)));
    for (const one of opened) {
      one.on('error', () => undefined);
      ends.push(() => one.close());
    }
    for (const [index, id] of [removed, kept].entries()) {
      await wakeUps.enqueue(id, ['apply', 'verify'], 1n);
      await waitFor('a job scheduler', () => opened[index]?.upsertJobScheduler('old', { every: 3_600_000 }));
      await opened[index]?.add('later', {}, { delay: 3_600_000 });
    }
    const context = { wakeUps, control: { inTransaction: async () => [removed] } } as unknown as EngineContext;
    const forgotten = new Set(['came back']);
    await deleteRemovedQueues(context, forgotten);
    expect([...forgotten]).toEqual([removed]);
    const count = async (one: Queue | undefined) => [
      Object.values((await one?.getJobCounts()) ?? {}).reduce((sum, jobs) => sum + jobs, 0),
      (await one?.getJobSchedulers())?.length,
    ];
    expect(await count(opened[0])).toEqual([0, 0]);
    expect(await count(opened[1])).toEqual([4, 1]);
    // it comes back, and its queue works again
    await wakeUps.request(removed, 'apply', 2n, 1);
    expect(await opened[0]?.getWaitingCount()).toBe(1);
  });

  test('takes no more jobs of a data center than its workers can have, however often they are asked for', async () => {
    const { queue } = await openQueue(kind);
    const dataCenter = uniqueId('q');
    const wakeUps = createWakeUps(queue, silentLog);
    ends.push(wakeUps.close);
    for (let epoch = 1n; epoch <= 30n; epoch += 1n) {
      await wakeUps.request(dataCenter, 'apply', epoch, 8);
      await wakeUps.enqueue(dataCenter, ['apply', 'apply'], epoch);
    }
    const opened = queue.createQueue(cellQueueName(dataCenter));
    opened.on('error', () => undefined);
    ends.push(() => opened.close());
    expect(await opened.getWaitingCount()).toBeLessThanOrEqual(210);
  });
});

async function countEvents(url: string, name: string): Promise<number> {
  if (!url.startsWith('redis')) {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query('select count(*)::int as events from bullmq.event where queue = $1', [name]);
    await client.end();
    return rows[0].events;
  }
  const redis = new Redis(url);
  try {
    const [key = ''] = await redis.keys(`*:${name}:events`);
    return await redis.xlen(key);
  } finally {
    redis.disconnect();
  }
}
