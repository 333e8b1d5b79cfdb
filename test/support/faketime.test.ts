// A PostgreSQL under a false clock must still keep its own time-outs: suites wait for what comes after them.
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.js';
import { withTimeout } from '../../src/kernel/retry.js';
import {
  type ClockedServer,
  createFakeClock,
  type FakeClock,
  faketimeAvailable,
  startServerUnder,
} from './faketime.js';

const HOUR_S = 3_600;

describe.skipIf(!faketimeAvailable())('startServerUnder', () => {
  let clock: FakeClock;
  let server: ClockedServer;
  beforeAll(async () => {
    clock = await createFakeClock();
    server = await startServerUnder(clock);
  });
  afterAll(async () => {
    await server.stop();
    await clock.remove();
  });

  test.each([
    ['right', 0],
    ['an hour ahead', HOUR_S],
    ['an hour behind', -HOUR_S],
  ])('ends a wait for a lock at its time-out while its clock is %s', async (_, offsetS) => {
    await clock.set(offsetS);
    const [holder, waiter] = [new pg.Client(server.adminUrl), new pg.Client(server.adminUrl)];
    try {
      await Promise.all([holder.connect(), waiter.connect()]);
      await holder.query('select pg_advisory_lock(1)');
      await waiter.query(`set lock_timeout = '100 ms'`);
      const waited = waiter.query('select pg_advisory_lock(1)').then(
        () => 'locked',
        (error: unknown) => (error as { readonly code?: unknown }).code,
      );
      expect(await withTimeout(systemClock, 60_000, waited)).toBe('55P03');
    } finally {
      await Promise.all([holder.end(), waiter.end()]);
    }
  });
});
