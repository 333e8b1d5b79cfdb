// A worker of the queue on Postgres through a port that can fail: it must go on serving, and must never keep its
// process from doing anything else.
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectQueue, initQueue } from '../../jobs/queue/connection.js';
import { startQueueWorker } from '../../jobs/queue/queue-worker.js';
import { systemClock } from '../../src/kernel/clock.js';
import type { Log } from '../../src/kernel/log.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { silentLog } from '../support/silent.js';
import { createTap, type Tap } from '../support/tap.js';
import { waitFor } from '../support/wait.js';

const NAME = 'probe';
const CONNECTIONS_OF_THE_CHECK = 2;

let database: TestDatabase;
let admin: pg.Client;
let tap: Tap;
beforeEach(async () => {
  database = await createTestDatabase('queue');
  await initQueue(database.url);
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  tap = await createTap(database.url);
});
afterEach(async () => {
  await tap.close();
  await admin.end();
  await database.drop();
});

/** A worker whose log ends a loop that would otherwise never let the test run again; and what it has done. */
function start(): {
  served(): readonly string[];
  errors(): number;
  add(name: string): Promise<unknown>;
  stop(): Promise<void>;
} {
  const served: string[] = [];
  let errors = 0;
  const stopping = new AbortController();
  const debug: Log['debug'] = (event) => {
    if (event !== 'queue_worker_error') return;
    errors += 1;
    if (errors > 2_000) throw new Error('the worker repeats its error without end');
  };
  const queue = connectQueue(tap.url);
  const worker = startQueueWorker(
    queue,
    {
      name: NAME,
      concurrency: 2,
      process: async (job) => {
        served.push(job.name);
      },
    },
    { clock: systemClock, log: { ...silentLog, debug } },
    stopping.signal,
  );
  const direct = connectQueue(database.url);
  const producer = direct.createQueue(NAME);
  producer.on('error', () => undefined);
  return {
    served: () => served,
    errors: () => errors,
    add: (name) => producer.add(name, {}),
    stop: async () => {
      stopping.abort();
      await worker.stop();
      await producer.close();
      direct.close();
      queue.close();
    },
  };
}

test('a worker whose first connection fails serves once the queue can be used', async () => {
  tap.end(CONNECTIONS_OF_THE_CHECK + 1);
  const worker = start();
  await worker.add('only');
  await waitFor('the job', () => worker.served().length > 0);
  await worker.stop();
  expect(worker.served()).toEqual(['only']);
});

test('a worker whose requests fail for a while serves when they no longer do', async () => {
  const worker = start();
  await worker.add('before');
  await waitFor('a first job', () => worker.served().length === 1);
  await admin.query('alter table bullmq.job rename to away');
  await waitFor('its errors', () => worker.errors() > 0);
  await admin.query('alter table bullmq.away rename to job');
  await worker.add('after');
  await waitFor('the job of afterwards', () => worker.served().length === 2);
  await worker.stop();
  expect(worker.served()).toEqual(['before', 'after']);
});

test('a connection that is terminated while the queue holds it between two statements ends no process', async () => {
  tap.terminateAfterFirst();
  const before = tap.count();
  const queue = connectQueue(tap.url);
  const worker = queue.createWorker(NAME, async () => undefined, { concurrency: 1 });
  const producer = queue.createQueue(NAME);
  const quiet = (): void => undefined;
  worker.on('error', quiet);
  producer.on('error', quiet);
  // an error that nobody listens to would end the process, and fails this run
  await Promise.all([worker.waitUntilReady().catch(quiet), producer.waitUntilReady().catch(quiet)]);
  expect(tap.count()).toBeGreaterThan(before + 1);
  await worker.close();
  await producer.close();
  queue.close();
});
