// A run that follows a plan, on real Postgres: exactly that is written; what changed since is left out and followed up.
import { afterEach, describe, expect, test } from 'vitest';
import { requestApply } from '../../../src/engine/rollout/request-rollout.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { addFollowUp } from '../../../src/stores/cell/batch/runs.js';
import { dropFleets, idOf, makeFleet, one } from './planned-run-scene.js';

afterEach(dropFleets);

describe('an apply that follows a plan', () => {
  test('writes exactly what was planned, after a canary of every branch', async () => {
    const fleet = await makeFleet({ orgs: 900 });
    const cell = fleet.cell(0);
    const plan = await fleet.plan(cell);
    await fleet.applyPlan(cell, idOf(plan.planId));
    expect(await fleet.drive()).toEqual(['done']);
    const written = await one(
      cell,
      'select count(*)::int as orgs, sum(total_credits)::text as credits from credit_rollout.allotments',
    );
    expect(written).toEqual({ orgs: plan.counts.touched, credits: plan.counts.after });
    const canary = await one(
      cell,
      `select inserted, orgs, mismatches from credit_rollout.batches where kind = 'canary'`,
    );
    expect(canary).toEqual({ inserted: plan.branches.length, orgs: plan.branches.length, mismatches: 0 });
    await fleet.expectInvariants();
  });

  test('leaves a changed, a new and a vanished org out, lists them with old and new inputs, and follows them up once', async () => {
    const fleet = await makeFleet({ orgs: 900 });
    const cell = fleet.cell(0);
    const plan = await fleet.plan(cell);
    await cell.sql('update public.orgs set agents = agents + 7 where org_id = 555');
    await cell.sql('delete from public.orgs where org_id = 556');
    await cell.insertOrgs({ org_id: 9_000, created_at: '2024-03-01 12:00+00' });
    await fleet.applyPlan(cell, idOf(plan.planId));
    await fleet.tickUntil('the ranges are written', async () => {
      await serveOpenWork(fleet.engine, cell.dataCenter.id);
      return (await fleet.stages())[0] === 'verifying';
    });
    const stale = await cell.sql(
      `select org_id::int, reason, (planned ->> 'agents')::int as planned, (found ->> 'agents')::int as found from credit_rollout.stale_orgs order by 1`,
    );
    expect(stale).toEqual([
      { org_id: 555, reason: 'changed', planned: (555 * 37) % 400, found: ((555 * 37) % 400) + 7 },
      { org_id: 556, reason: 'gone', planned: (556 * 37) % 400, found: null },
      { org_id: 9_000, reason: 'appeared', planned: null, found: expect.any(Number) },
    ]);
    expect(
      await one(cell, 'select count(*)::int as n from credit_rollout.allotments where org_id in (555, 9000)'),
    ).toEqual({ n: 0 });
    expect(await fleet.drive()).toEqual(['done']);
    expect(await cell.sql('select org_id::int, settled from credit_rollout.stale_orgs order by 1')).toEqual([
      { org_id: 555, settled: 'applied' },
      { org_id: 556, settled: 'gone' },
      { org_id: 9_000, settled: 'applied' },
    ]);
    expect(await one(cell, 'select agents::int from credit_rollout.allotments where org_id = 555')).toEqual({
      agents: ((555 * 37) % 400) + 7,
    });
    await fleet.expectInvariants();
  });

  test('follows up once, though two ticks ask for it at the same moment', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    const plan = await fleet.plan(cell);
    await cell.sql('update public.orgs set agents = agents + 7 where org_id = 111');
    await fleet.applyPlan(cell, idOf(plan.planId));
    expect(await fleet.drive()).toEqual(['done']);
    // as it was right before
    await cell.sql(`set local session_replication_role = replica; delete from credit_rollout.batches where kind = 'follow_up';
      update credit_rollout.stale_orgs set settled_at = null, settled = null;
      update credit_rollout.runs set follow_up_at = null, state = 'open', ended_at = null`);
    const [run] = await cell.sql('select run_id from credit_rollout.runs');
    const ask = () => cell.cell.inTransaction('fencer', (tx) => addFollowUp(tx, BigInt(String(run?.run_id))));
    expect((await Promise.all([ask(), ask()])).toSorted()).toEqual([0, 1]);
    expect(await one(cell, `select count(*)::int as n from credit_rollout.batches where kind = 'follow_up'`)).toEqual({
      n: 1,
    });
  });

  test('claims nothing about the payment of an org that the plan could not decide', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    await cell.sql('update public.orgs set agents = -1, paid = true where org_id = 111');
    const plan = await fleet.plan(cell);
    await cell.sql('update public.orgs set agents = 4 where org_id = 111');
    await fleet.applyPlan(cell, idOf(plan.planId));
    expect(await fleet.drive()).toEqual(['done']);
    const [stale] = await cell.sql('select planned, found, settled from credit_rollout.stale_orgs');
    expect(stale).toMatchObject({
      planned: { edition: null, paid: null, agents: -1, total_credits: null },
      found: { paid: true, agents: 4 },
      settled: 'applied',
    });
  });

  test('keeps a stale org out of the follow-up when it breaks a guard-rail of one org, and reports it', async () => {
    const fleet = await makeFleet({ orgs: 600, rollout: '{ batchSize: 100, guardRails: { maxRaiseFactor: 30 } }' });
    const cell = fleet.cell(0);
    const plan = await fleet.plan(cell);
    expect(plan.rails.every((rail) => rail.passes)).toBe(true);
    // free before, and now paid with a thousand times the purchases
    await cell.sql(`update public.orgs set edition = 'free', agents = 900000 where org_id = 301`);
    await cell.sql(`update public.orgs set edition = 'enterprise', agents = 4000000, paid = true where org_id = 302`);
    await fleet.applyPlan(cell, idOf(plan.planId));
    expect(await fleet.drive()).toEqual(['done']);
    const left = await cell.sql(
      'select org_id::int from credit_rollout.stale_orgs where settled_at is null order by 1',
    );
    expect(left).toEqual([{ org_id: 302 }]);
    expect(await one(cell, 'select count(*)::int as n from credit_rollout.allotments where org_id = 302')).toEqual({
      n: 0,
    });
    await fleet.expectInvariants();
  });

  test('is rejected when the plan was edited, used, made from another source, or is unknown', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    const plan = await fleet.plan(cell);
    const id = idOf(plan.planId);
    await expect(fleet.applyPlan(cell, 'nowhere-3')).rejects.toMatchObject({ code: 'plan_unknown' });
    await expect(fleet.applyPlan(cell, `${cell.dataCenter.id}-99`)).rejects.toMatchObject({ code: 'plan_unknown' });
    await cell.sql('update credit_rollout.plan_ranges set touched = touched + 1 where range_no = 2');
    await expect(fleet.applyPlan(cell, id)).rejects.toMatchObject({ code: 'plan_edited' });
    await cell.sql('update credit_rollout.plan_ranges set touched = touched - 1 where range_no = 2');
    // a gap between two ranges: nobody would write the orgs in it, nor miss them
    await cell.sql('update credit_rollout.plan_ranges set upper_id = upper_id - 10 where range_no = 2');
    await expect(fleet.applyPlan(cell, id)).rejects.toMatchObject({ code: 'plan_edited' });
    await cell.sql('update credit_rollout.plan_ranges set upper_id = upper_id + 10 where range_no = 2');
    await fleet.applyPlan(cell, id);
    await fleet.drive();
    await expect(fleet.applyPlan(cell, id)).rejects.toMatchObject({ code: 'plan_used' });
    const again = await fleet.plan(cell);
    await cell.sql('alter table public.orgs rename column agents to staff');
    await expect(fleet.applyPlan(cell, idOf(again.planId))).rejects.toMatchObject({ code: 'source_column_missing' });
    expect(await fleet.stages()).toEqual(['done']);
  });

  test('has the age that the cell’s clock gives it, whatever clock a command has', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    const { planId } = await fleet.plan(cell);
    const clock = { ...systemClock, now: () => new Date(systemClock.now().getTime() + 400 * 86_400_000) };
    const request = { config: fleet.config, card: cell.card, dataCenters: [cell.dataCenter], reason: null };
    await requestApply({ ...fleet.engine, clock }, { ...request, follow: { planId: idOf(planId) } });
    expect(await fleet.drive()).toEqual(['done']);
  });

  test('fails before writing a range whose columns were edited, once the range has to be taken org by org', async () => {
    const fleet = await makeFleet({ orgs: 400 });
    const cell = fleet.cell(0);
    const plan = await fleet.plan(cell);
    await cell.sql('update credit_rollout.plan_groups set agents[1] = 1000000 where range_no = 4');
    await cell.sql('update public.orgs set agents = agents + 1 where org_id = 350');
    await fleet.applyPlan(cell, idOf(plan.planId));
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await fleet.control('select failure from credit_rollout_control.data_centers')).toEqual([
      { failure: 'plan_edited' },
    ]);
    expect(
      await one(cell, `select count(*)::int as n from credit_rollout.batches where plan_range = 4 and state = 'done'`),
    ).toEqual({ n: 0 });
  });

  test('takes a plan of its own when none is named, each data center at its turn', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 300 });
    await fleet.apply(...fleet.cells);
    expect(await fleet.drive()).toEqual(['done', 'done']);
    const runs = await fleet.control('select data_center, plan_id from credit_rollout_control.runs order by run_id');
    expect(runs).toEqual(fleet.cells.map(({ dataCenter: { id } }) => ({ data_center: id, plan_id: `${id}-1` })));
    const [first, second] = await Promise.all(
      fleet.cells.map((cell) =>
        one(
          cell,
          'select made_at, (select min(done_at) from credit_rollout.batches) as began from credit_rollout.plans',
        ),
      ),
    );
    expect(second?.made_at).toBeInstanceOf(Date);
    expect(Number(second?.made_at)).toBeGreaterThan(Number(first?.began));
    await fleet.expectInvariants();
  });
});
