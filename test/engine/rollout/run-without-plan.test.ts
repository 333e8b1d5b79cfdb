// What an earlier version may have left behind: a request, or a run under way, that follows no plan. Nothing of it is
// written any more.
import { afterEach, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { retryRun } from '../../../src/engine/rollout/retry-run.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import type { Fleet } from '../../support/fleet.js';
import { count, dropAll, makeFleet } from './run-life-scene.js';

afterEach(dropAll);

/** As the earlier version wrote it, whatever today's triggers say of it. */
const unguarded = (sql: string): string =>
  `set session_replication_role = replica; ${sql}; set session_replication_role = origin`;

const PIN_NONE = `plan = plan || '{"pin": "none"}'`;

/** A run of the earlier version: two of its three ranges are cut, its fence is open, and nothing is written. */
async function leaveRunWithoutPlan(fleet: Fleet): Promise<{ readonly dataCenter: string; readonly epoch: bigint }> {
  const { dataCenter, card, sql } = fleet.cell(0);
  await fleet.apply(fleet.cell(0));
  await fleet.control(
    unguarded(`insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash)
        values (7, '${dataCenter.id}', 'migrate', '${card.hash}');
      update credit_rollout_control.rollout set epoch = 7;
      update credit_rollout_control.data_centers
        set stage = 'migrating', run_id = 7, epoch = 7, quiet = false, ${PIN_NONE}`),
  );
  await sql(
    unguarded(`insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes, rails)
        values (7, 'migrate', '${card.hash}', 100, 2, '{}');
      insert into credit_rollout.batches (run_id, batch_no, lower_id, upper_id, state, expected)
        values (7, 1, null, 101, 'pending', 100), (7, 2, 101, 201, 'pending', 100), (7, 3, 201, null, 'uncut', null);
      update credit_rollout.cell set active_card = '${card.hash}';
      update credit_rollout.fence set state = 'open', epoch = 7, run_id = 7,
        server_started_at = pg_postmaster_start_time(),
        timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`),
  );
  return { dataCenter: dataCenter.id, epoch: 7n };
}

const countWritten = (fleet: Fleet): Promise<number> => count(fleet, 'select count(*) from credit_rollout.allotments');
const holdsOf = (fleet: Fleet): Promise<readonly unknown[]> =>
  fleet.control('select code, value, release from credit_rollout_control.holds');

describe('a run that follows no plan', () => {
  test('is stopped and held until it is aborted, and the next apply follows a plan', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const { dataCenter } = await leaveRunWithoutPlan(fleet);
    await tick(fleet.engine);
    expect(await fleet.cell(0).sql('select state, failure from credit_rollout.fence')).toEqual([
      { state: 'closed', failure: null },
    ]);
    expect(await fleet.drive()).toEqual(['migrating']);
    expect(await holdsOf(fleet)).toEqual([
      { code: 'plan_failed', value: 'plan_unknown', release: `credit-rollout abort --dc ${dataCenter}` },
    ]);
    expect(await countWritten(fleet)).toBe(0);
    await setIntent(fleet.engine, { dataCenter, intent: 'abort', reason: null });
    expect(await fleet.stages()).toEqual(['aborted']);
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    expect(await countWritten(fleet)).toBeGreaterThan(290);
    expect(
      await fleet.control('select run_id, plan_id is not null as planned from credit_rollout_control.runs'),
    ).toEqual([
      { run_id: '7', planned: false },
      { run_id: expect.any(String), planned: true },
    ]);
  });

  test('fails in a worker that meets its batches, writes none, and cannot be retried', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const { dataCenter, epoch } = await leaveRunWithoutPlan(fleet);
    const { last } = await applyBatches(fleet.engine, { dataCenter, epoch, forMs: 60_000 });
    expect(last).toEqual({ kind: 'failed', code: 'plan_unknown' });
    expect(await countWritten(fleet)).toBe(0);
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await fleet.control('select failure from credit_rollout_control.data_centers')).toEqual([
      { failure: 'plan_unknown' },
    ]);
    await expect(retryRun(fleet.engine, dataCenter, null)).rejects.toMatchObject({
      code: 'plan_unknown',
      message: `The run 7 of data center "${dataCenter}" follows no plan, as an earlier version could begin it.`,
    });
    await setIntent(fleet.engine, { dataCenter, intent: 'abort', reason: null });
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
  });
});

describe('a request that asked to follow no plan', () => {
  test('gets a plan at its turn, and waits for its approval as every other', async () => {
    const fleet = await makeFleet({ orgs: 300, rollout: '{ batchSize: 100, guardRails: { orgsTouched: 10 } }' });
    await fleet.apply(fleet.cell(0));
    await fleet.control(unguarded(`update credit_rollout_control.data_centers set ${PIN_NONE}`));
    expect(await fleet.drive()).toEqual(['pending']);
    expect(await holdsOf(fleet)).toMatchObject([{ code: 'needs_approval' }]);
    expect(await count(fleet, 'select count(*) from credit_rollout.runs')).toBe(0);
    expect(await countWritten(fleet)).toBe(0);
  });
});

describe('a cell that was restored to a state before its plan', () => {
  test('fails the run when its fence would open again, and has no run and no range of it', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const { dataCenter, sql } = fleet.cell(0);
    const { planId } = await fleet.plan(fleet.cell(0));
    await fleet.applyPlan(fleet.cell(0), planId ?? '');
    await tick(fleet.engine);
    expect(await sql('select state from credit_rollout.fence')).toEqual([{ state: 'open' }]);
    await sql(
      unguarded(`delete from credit_rollout.batches; delete from credit_rollout.runs; delete from credit_rollout.plans;
        delete from credit_rollout.plan_ranges; delete from credit_rollout.plan_groups;
        update credit_rollout.fence set state = 'closed', epoch = 0, run_id = null`),
    );
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await fleet.control('select failure from credit_rollout_control.data_centers')).toEqual([
      { failure: 'plan_unknown' },
    ]);
    expect(await count(fleet, 'select count(*) from credit_rollout.runs')).toBe(0);
    expect(await count(fleet, 'select count(*) from credit_rollout.batches')).toBe(0);
    expect(await countWritten(fleet)).toBe(0);
    await setIntent(fleet.engine, { dataCenter: dataCenter.id, intent: 'abort', reason: null });
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
  });
});
