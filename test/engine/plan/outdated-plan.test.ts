// Plans that were good when they were made and are none any more: a newer one was approved or applied, or the cell
// holds another one under their number. They are rejected, and where that comes too late the hold gives the reason. On
// real Postgres.
import { afterEach, describe, expect, test } from 'vitest';
import { approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { readPlan } from '../../../src/engine/plan/read-plan-state.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { listDataCenters } from '../../../src/stores/control/data-centers.js';
import type { TestCell } from '../../support/cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0)) await drop();
});

async function makeFleet(rollout?: string): Promise<{ readonly fleet: Fleet; readonly cell: TestCell }> {
  const fleet = await createFleet({ orgs: 200, ...(rollout !== undefined && { rollout }) });
  dropped.push(fleet.drop);
  return { fleet, cell: fleet.cell(0) };
}

const REQUIRED = '{ batchSize: 100, approval: required }';
const plan = async (fleet: Fleet): Promise<string> => (await fleet.plan(fleet.cell(0))).planId ?? '';
const approve = (fleet: Fleet, planId: string): Promise<unknown> =>
  approvePlan({ ...fleet.engine, actor: 'somebody else' }, { planId, reason: null });
const raise = (cell: TestCell): Promise<unknown> => cell.sql('update public.orgs set agents = agents + 40');
const holds = (fleet: Fleet): Promise<unknown> =>
  fleet.control('select code, value, release from credit_rollout_control.holds order by position');
const runs = (fleet: Fleet): Promise<unknown> =>
  fleet.control('select count(*)::int as n from credit_rollout_control.runs');
const readNow = async (fleet: Fleet, row: Parameters<typeof readPlan>[1] | undefined) =>
  row && readPlan(fleet.engine, row, new Date());

/** As after a restore: the cell knows nothing of a plan, and what is given takes its number. */
async function takeNumber(cell: TestCell, planId: string): Promise<void> {
  const number = planId.split('-').at(-1);
  for (const table of ['plans', 'plan_ranges', 'plan_groups', 'plan_ends'])
    await cell.sql(`delete from credit_rollout.${table} where plan_id = ${number}`);
  await cell.sql(`select setval('credit_rollout.plan_ids', ${number}, false)`);
}

describe('an older plan', () => {
  test('is rejected once a newer one was applied, and nothing is asked for', async () => {
    const { fleet, cell } = await makeFleet();
    const old = await plan(fleet);
    const newer = await plan(fleet);
    await fleet.applyPlan(cell, newer);
    expect(await fleet.drive()).toEqual(['done']);
    await raise(cell);
    await expect(fleet.applyPlan(cell, old)).rejects.toMatchObject({ code: 'plan_superseded', exitCode: 6 });
    await expect(fleet.applyPlan(cell, newer)).rejects.toMatchObject({ code: 'plan_used' });
    expect(await fleet.control('select requested_at from credit_rollout_control.data_centers')).toEqual([
      { requested_at: null },
    ]);
  });

  test('is rejected while a newer one is approved', async () => {
    const { fleet, cell } = await makeFleet(REQUIRED);
    const old = await plan(fleet);
    await approve(fleet, await plan(fleet));
    await expect(fleet.applyPlan(cell, old)).rejects.toMatchObject({ code: 'plan_superseded' });
  });

  test.each(['{ batchSize: 100 }', REQUIRED])(
    'waits for a person when a newer one is approved after it was asked for, with %s',
    async (rollout) => {
      const { fleet, cell } = await makeFleet(rollout);
      const { id } = cell.dataCenter;
      const old = await plan(fleet);
      const newer = await plan(fleet);
      await fleet.applyPlan(cell, old);
      await approve(fleet, newer);
      await tick(fleet.engine);
      expect(await tick(fleet.engine)).toBe(0);
      const value = `${newer}, which is newer, was approved`;
      expect(await holds(fleet)).toEqual([
        { code: 'needs_approval', value, release: `credit-rollout abort --dc ${id}` },
      ]);
      expect(await runs(fleet)).toEqual([{ n: 0 }]);
    },
  );
});

describe('an approval', () => {
  test('does not serve another plan that took the number before it was asked for', async () => {
    const { fleet, cell } = await makeFleet(REQUIRED);
    const planId = await plan(fleet);
    await approve(fleet, planId);
    await takeNumber(cell, planId);
    await raise(cell);
    await expect(fleet.plan(cell)).rejects.toMatchObject({ code: 'plan_conflict' });
    await expect(fleet.applyPlan(cell, planId)).rejects.toMatchObject({ code: 'plan_conflict', exitCode: 6 });
  });

  test('does not serve another plan that took the number after it was asked for', async () => {
    const { fleet, cell } = await makeFleet(REQUIRED);
    const planId = await plan(fleet);
    await fleet.applyPlan(cell, planId);
    await takeNumber(cell, planId);
    await raise(cell);
    await expect(fleet.plan(cell)).rejects.toMatchObject({ code: 'plan_conflict' });
    await approve(fleet, planId);
    expect(await fleet.drive()).toEqual(['pending']);
    const release = `credit-rollout abort --dc ${cell.dataCenter.id}`;
    expect(await holds(fleet)).toEqual([{ code: 'plan_failed', value: 'plan_conflict', release }]);
    expect(await runs(fleet)).toEqual([{ n: 0 }]);
  });

  test('starts nothing when its cell has lost the plan', async () => {
    const { fleet, cell } = await makeFleet();
    const planId = await plan(fleet);
    await fleet.applyPlan(cell, planId);
    await takeNumber(cell, planId);
    expect(await fleet.drive()).toEqual(['pending']);
    expect(await holds(fleet)).toMatchObject([{ code: 'plan_failed', value: 'plan_unknown' }]);
    expect(await runs(fleet)).toEqual([{ n: 0 }]);
  });

  test('that another scheduler used since the row was read blocks no run', async () => {
    const { fleet, cell } = await makeFleet();
    await fleet.applyPlan(cell, await plan(fleet));
    const [before] = await fleet.engine.control.inTransaction(listDataCenters);
    await tick(fleet.engine);
    await serveOpenWork(fleet.engine, cell.dataCenter.id);
    expect(await fleet.stages()).not.toEqual(['pending']);
    expect(await readNow(fleet, before)).toMatchObject({ approval: { kind: 'approved' } });
  });
});
