// A run that is paused while batches are under way, or aborted: when its fence is confirmed closed, what it keeps, and
// how it goes on.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { readIntent, setIntent } from '../../../src/engine/operate/set-intent.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { type Fleet, slowDown, speedUp } from '../../support/fleet.js';
import { startStopwatch } from '../../support/stopwatch.js';
import { waitFor } from '../../support/wait.js';
import { count, dropAll, keepDoing, keepServing, makeFleet } from './run-life-scene.js';

afterEach(dropAll);

const holdsOf = async (fleet: Fleet): Promise<readonly unknown[]> =>
  (await fleet.control('select code from credit_rollout_control.holds order by data_center, position')).map(
    (row) => row.code,
  );

describe('pause and abort', () => {
  const dcOf = (fleet: Fleet): string => fleet.cell(0).dataCenter.id;

  test('is confirmed within three seconds while batches run, and nothing commits after the acknowledgement', async () => {
    const fleet = await makeFleet({ orgs: 3_000 });
    await slowDown(fleet.cell(0), 150);
    await fleet.apply(fleet.cell(0));
    const stop = keepServing(fleet);
    const stopTicking = keepDoing(() => tick(fleet.engine), 200);
    await waitFor(
      'some batches',
      async () =>
        (await count(fleet, `select count(*) from credit_rollout.batches where state = 'done' and kind = 'range'`)) >=
        2,
    );
    const stopwatch = startStopwatch(fleet.cell(0));
    const request = { dataCenter: dcOf(fleet), intent: 'pause', reason: 'a test' } as const;
    await setIntent(fleet.engine, request);
    await waitFor('a confirmed stop', async () => (await readIntent(fleet.engine, request)).fenceConfirmedClosed);
    expect(await stopwatch()).toBeLessThan(3_000);
    const seen = await fleet
      .cell(0)
      .sql(
        `select max(done_at)::text as at, count(*) filter (where state = 'done') as done, max(epoch) as epoch from credit_rollout.batches`,
      );
    const written = await count(fleet, 'select count(*) from credit_rollout.allotments');
    const until = Date.now() + 800;
    await waitFor('a while in which workers go on trying', () => Date.now() > until);
    expect(
      await fleet
        .cell(0)
        .sql(
          `select max(done_at)::text as at, count(*) filter (where state = 'done') as done, max(epoch) as epoch from credit_rollout.batches`,
        ),
    ).toEqual(seen);
    expect(await count(fleet, 'select count(*) from credit_rollout.allotments')).toBe(written);
    expect(await holdsOf(fleet)).toEqual(['paused']);
    await speedUp(fleet.cell(0));
    const epoch = await count(fleet, 'select epoch from credit_rollout.fence');
    await setIntent(fleet.engine, { ...request, intent: 'run' });
    // by more than one where two checks asked for it, or where the verification has followed already
    await waitFor('a new epoch', async () => (await count(fleet, 'select epoch from credit_rollout.fence')) > epoch);
    await fleet.waitForStages((stages) => stages[0] === 'done');
    await Promise.all([stopTicking(), stop()]);
    await fleet.expectInvariants();
  });

  test('holds through twenty pauses in a row, each while ranges are under way', async () => {
    const fleet = await makeFleet({ orgs: 10_000 });
    await slowDown(fleet.cell(0), 100);
    await fleet.apply(fleet.cell(0));
    const stop = keepServing(fleet);
    const ranges = (state: string): Promise<number> =>
      count(fleet, `select count(*) from credit_rollout.batches where kind = 'range' and state ${state}`);
    for (let n = 0; n < 20; n += 1) {
      const written = await ranges(`= 'done'`);
      await fleet.tickUntil('one more range', async () => (await ranges(`= 'done'`)) > written);
      const request = { dataCenter: dcOf(fleet), intent: 'pause', reason: null } as const;
      await setIntent(fleet.engine, request);
      await fleet.tickUntil(
        'a confirmed stop',
        async () => (await readIntent(fleet.engine, request)).fenceConfirmedClosed,
      );
      expect(await fleet.stages()).toEqual(['migrating']);
      expect(await ranges(`<> 'done'`)).toBeGreaterThan(0);
      await setIntent(fleet.engine, { ...request, intent: 'run' });
    }
    await speedUp(fleet.cell(0));
    await fleet.tickUntil('the end', async () => (await fleet.stages())[0] === 'done');
    await stop();
    expect(
      await count(fleet, `select count(distinct epoch) from credit_rollout.batches where kind = 'range'`),
    ).toBeGreaterThanOrEqual(20);
    await fleet.expectInvariants();
  }, 120_000);

  test('an abort keeps what was applied, stays, and lets a new apply finish the rest', async () => {
    const fleet = await makeFleet({ orgs: 2_000 });
    await slowDown(fleet.cell(0), 50);
    await fleet.apply(fleet.cell(0));
    await tick(fleet.engine);
    const stop = keepServing(fleet);
    await fleet.tickUntil(
      'some batches',
      async () =>
        (await count(fleet, `select count(*) from credit_rollout.batches where state = 'done' and kind = 'range'`)) >=
        3,
    );
    await setIntent(fleet.engine, { dataCenter: dcOf(fleet), intent: 'abort', reason: null });
    await fleet.tickUntil('aborted', async () => (await fleet.stages())[0] === 'aborted');
    const kept = await count(fleet, 'select count(*) from credit_rollout.allotments');
    expect(kept).toBeGreaterThan(0);
    await expect(
      setIntent(fleet.engine, { dataCenter: dcOf(fleet), intent: 'run', reason: null }),
    ).rejects.toMatchObject({ code: 'wrong_stage' });
    await tick(fleet.engine);
    expect(await fleet.stages()).toEqual(['aborted']);
    expect(await count(fleet, 'select count(*) from credit_rollout.allotments')).toBe(kept);
    await fleet.expectInvariants();
    await stop();
    await speedUp(fleet.cell(0));
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    expect(await count(fleet, `select count(*) from credit_rollout.allotments`)).toBe(1_990);
    await fleet.expectInvariants();
  });

  test('shows pausing, and starts nothing, while a session of ours still holds the fence', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    await fleet.apply(fleet.cell(0));
    await tick(fleet.engine);
    await serveOpenWork(fleet.engine, dcOf(fleet)); // its plan
    await tick(fleet.engine);
    const holder = new pg.Client({ connectionString: fleet.cell(0).url });
    await holder.connect();
    await holder.query('begin; select pg_advisory_xact_lock_shared(1129467724, 0)');
    const request = { dataCenter: dcOf(fleet), intent: 'pause', reason: null } as const;
    expect((await setIntent(fleet.engine, request)).fenceConfirmedClosed).toBe(false);
    await holder.query('commit');
    await tick(fleet.engine);
    expect((await readIntent(fleet.engine, request)).fenceConfirmedClosed).toBe(true);
    await holder.end();
    await fleet.expectInvariants();
    // the cell is back as it was before the pause, and control has recorded that the fence is closed
    const stateOf = async () => (await readStatus(fleet.engine)).dataCenters[0]?.state;
    expect(await stateOf()).toBe('paused');
    await fleet.cell(0).rewritePast(`update credit_rollout.fence set state = 'open'`);
    expect(await stateOf()).toBe('pausing');
    expect((await readIntent(fleet.engine, request)).fenceConfirmedClosed).toBe(false);
    await tick(fleet.engine);
    expect(await stateOf()).toBe('paused');
    expect((await setIntent(fleet.engine, request)).fenceConfirmedClosed).toBe(true);
  });
});
