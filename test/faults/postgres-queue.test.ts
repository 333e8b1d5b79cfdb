// The queue on Postgres: the same promises as on Redis, its tables truncated in the middle, and its database taken
// away.
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { checkQueue, initQueue } from '../../jobs/queue/connection.js';
import { allDone, type Fleet, slowDown } from '../support/fleet.js';
import { adminUrl } from '../support/postgres.js';
import { waitFor } from '../support/wait.js';
import { done, testQueue, withFleet } from './queue-scenarios.js';

const LOCK_NOT_AVAILABLE = '55P03';

async function withClient(url: string, act: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await act(client).finally(() => client.end());
}

/**
 * Empties every table of the queue's schema but the list of its migrations. Takes all its locks at once or none:
 * BullMQ's functions take them in orders of their own, and whoever waits for one while it holds another can end in a
 * deadlock.
 */
const truncateQueue = (fleet: Fleet): Promise<void> =>
  withClient(fleet.queueUrl ?? '', async (client) => {
    const { rows } = await client.query(`select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema') and tablename not like '%migration%'`);
    expect(rows.length).toBeGreaterThan(0);
    const tables = rows.map((row) => row.name).join(', ');
    await waitFor('a moment in which nobody uses the queue', () => tryTruncate(client, tables), { everyMs: 5 });
  });

async function tryTruncate(client: pg.Client, tables: string): Promise<boolean> {
  try {
    await client.query(`begin; lock table ${tables} in access exclusive mode nowait`);
    await client.query(`truncate ${tables} cascade; commit`);
    return true;
  } catch (error) {
    await client.query('rollback');
    if (error instanceof pg.DatabaseError && error.code === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}

describe('the queue on Postgres', () => {
  testQueue({ queue: () => 'postgres', empty: truncateQueue });

  test('may be unreachable for most of a run: workers poll by themselves', () =>
    withFleet({ orgs: 600, queue: 'postgres' }, async (fleet) => {
      await slowDown(fleet.cell(0), 60);
      fleet.startWorker({ pollMs: 500 });
      fleet.startScheduler();
      await fleet.apply(fleet.cell(0));
      await waitFor('a first batch', async () => (await done(fleet)) >= 1);
      const name = new URL(fleet.queueUrl ?? '').pathname.slice(1);
      await withClient(adminUrl(), (client) => client.query(`alter database ${name} allow_connections false`));
      await withClient(adminUrl(), (client) =>
        client.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`),
      );
      await fleet.waitForStages(allDone);
      await withClient(adminUrl(), (client) => client.query(`alter database ${name} allow_connections true`));
      await fleet.expectInvariants();
    }));

  test('is made once when five init run at the same time', () =>
    withFleet({ orgs: 0, queue: 'postgres' }, async (fleet) => {
      await withClient(fleet.queueUrl ?? '', (client) => client.query('drop schema if exists bullmq cascade'));
      const url = fleet.queueUrl ?? '';
      await expect(checkQueue(url)).rejects.toMatchObject({ code: 'not_initialised' });
      await Promise.all(Array.from({ length: 5 }, () => initQueue(url)));
      await expect(checkQueue(url)).resolves.toBeUndefined();
    }));
});
