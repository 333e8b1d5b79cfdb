// Cells and control behind PgBouncer in transaction mode: only transaction-level locks and SET LOCAL, so everything
// holds.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { initQueue } from '../../jobs/queue/connection.js';
import { setIntent } from '../../src/engine/operate/set-intent.js';
import { allDone, createFleet, slowDown, speedUp } from '../support/fleet.js';
import { pgbouncerAvailable, startPgbouncer, type TestPgbouncer } from '../support/pgbouncer.js';
import { waitFor } from '../support/wait.js';

describe.skipIf(!pgbouncerAvailable())('PgBouncer in transaction mode', () => {
  let pooler: TestPgbouncer;
  beforeAll(async () => {
    pooler = await startPgbouncer();
  });
  afterAll(() => pooler.stop());

  test('a whole run passes through it, a pause and its resume included', async () => {
    const fleet = await createFleet({ cells: [{}, {}], orgs: 1_200, queue: 'postgres', through: pooler.through });
    await slowDown(fleet.cell(0), 50);
    fleet.startWorker();
    fleet.startWorker();
    fleet.startScheduler();
    await fleet.apply(...fleet.cells);
    await waitFor(
      'some batches',
      async () => (await fleet.cell(0).sql(`select from credit_rollout.batches where state = 'done'`)).length >= 2,
    );
    const request = { dataCenter: fleet.cell(0).dataCenter.id, intent: 'pause', reason: null } as const;
    await setIntent(fleet.engine, request);
    await waitFor(
      'a confirmed stop',
      async () =>
        (await fleet.control(`select quiet from credit_rollout_control.data_centers order by position`))[0]?.quiet ===
        true,
    );
    await setIntent(fleet.engine, { ...request, intent: 'run' });
    await speedUp(fleet.cell(0));
    await fleet.waitForStages(allDone);
    await fleet.expectInvariants();
    // nothing of ours stays behind on the pooler's sessions; what a worker holds just now goes with its transaction
    await waitFor('the locks to go', async () => {
      const held = await fleet.cell(0).sql(`select from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())`);
      return held.length === 0;
    });
    await fleet.drop();
  });

  test('a queue behind it is rejected', async () => {
    const fleet = await createFleet({ orgs: 0 });
    await expect(initQueue(pooler.through(fleet.controlUrl))).rejects.toMatchObject({
      code: 'queue_pooled',
      exitCode: 1,
    });
    await fleet.drop();
  });
});
