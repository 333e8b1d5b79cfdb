// The change feed as it ships: a real worker and a real scheduler, which lets it through once the data center is done.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeze, unfreeze } from '../../../src/engine/operate/freeze.js';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { installChangeFeed } from '../../../src/engine/setup/triggers.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { allDone, createFleet, type Fleet } from '../../support/fleet.js';
import { pgbouncerAvailable, startPgbouncer, type TestPgbouncer } from '../../support/pgbouncer.js';
import { startStopwatch } from '../../support/stopwatch.js';
import { waitFor } from '../../support/wait.js';
import { edit, type FeedBy, readTotal } from './feed-cell.js';

async function startFed(by: FeedBy, through?: (url: string) => string): Promise<Fleet> {
  const fleet = await createFleet({ orgs: 200, queue: 'postgres', ...(through && { through }) });
  const { cell, dataCenter } = fleet.cell(0);
  if (by === 'triggers') await installChangeFeed(cell, { dataCenter, clock: systemClock, feed: 'wanted' });
  fleet.startWorker();
  fleet.startWorker();
  fleet.startScheduler();
  await fleet.apply(fleet.cell(0));
  await fleet.waitForStages(allDone);
  await waitForSingleWrites(fleet, true);
  return fleet;
}

const waitForSingleWrites = (fleet: Fleet, wanted: boolean): Promise<unknown> =>
  waitFor(`single writes ${wanted}`, async () => {
    const [fence] = await fleet.cell(0).sql('select single_writes from credit_rollout.fence');
    return fence?.single_writes === wanted;
  });

const BOUGHT = 'additional_credits = additional_credits + 1000';

/** An edit of the org is followed within five seconds. */
async function expectFollowed(fleet: Fleet, orgId: number): Promise<void> {
  const cell = fleet.cell(0);
  const before = Number((await readTotal(cell, orgId))?.total);
  await edit(cell, orgId, BOUGHT);
  const stopwatch = startStopwatch(cell);
  await waitFor('the raise', async () => {
    const now = await readTotal(cell, orgId);
    return now?.total === String(before + 1000) && now.cause === 'purchase';
  });
  expect(await stopwatch()).toBeLessThan(5_000);
}

describe.each(['triggers', 'updates'] as const)('a worker that follows edits by %s', (by) => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFed(by);
  });
  afterAll(() => fleet.drop());

  test('raises within seconds', async () => {
    await expectFollowed(fleet, 2);
    await expectFollowed(fleet, 4);
    await fleet.expectInvariants(['I22']);
  });

  test('stops at a pause and at a freeze, and follows up when they end', async () => {
    const cell = fleet.cell(0);
    const dataCenter = cell.dataCenter.id;
    const pause = { dataCenter, reason: null } as const;
    const stops = [
      [
        () => setIntent(fleet.engine, { ...pause, intent: 'pause' }),
        () => setIntent(fleet.engine, { ...pause, intent: 'run' }),
      ],
      [
        () => freeze(fleet.engine, { dataCenters: [dataCenter], reason: 'test' }),
        () => unfreeze(fleet.engine, { dataCenters: [dataCenter], reason: null }),
      ],
    ] as const;
    for (const [stop, release] of stops) {
      await stop();
      await waitForSingleWrites(fleet, false);
      const [last] = await cell.sql('select max(change_id) as id from credit_rollout.allotment_changes');
      await edit(cell, 6, BOUGHT);
      const [at] = await cell.sql('select clock_timestamp() as at');
      // both workers have polled since
      await waitFor('two seconds', async () => {
        const [row] = await cell.sql(`select clock_timestamp() > $1::timestamptz + interval '2.5 seconds' as over`, [
          at?.at,
        ]);
        return row?.over === true;
      });
      expect((await cell.sql('select max(change_id) as id from credit_rollout.allotment_changes'))[0]).toEqual(last);
      const before = Number((await readTotal(cell, 6))?.total);
      await release();
      await waitFor('the raise', async () => Number((await readTotal(cell, 6))?.total) > before);
    }
  });
});

describe.skipIf(!pgbouncerAvailable())('a worker behind PgBouncer in transaction mode', () => {
  let pooler: TestPgbouncer;
  beforeAll(async () => {
    pooler = await startPgbouncer();
  });
  afterAll(() => pooler.stop());

  test.each(['triggers', 'updates'] as const)('raises within seconds, by %s', async (by) => {
    const fleet = await startFed(by, pooler.through);
    await expectFollowed(fleet, 2);
    await fleet.drop();
  });
});
