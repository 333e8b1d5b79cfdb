// Plans that are old enough are purged in cells and control, and those that something still needs are kept.
import { afterEach, describe, expect, test } from 'vitest';
import { startScheduler } from '../../../jobs/processes/scheduler.js';
import { connectQueue } from '../../../jobs/queue/connection.js';
import { approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { purgePlans } from '../../../src/engine/plan/purge-plans.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { execute } from '../../../src/stores/query.js';
import type { TestCell } from '../../support/cell.js';
import type { Fleet } from '../../support/fleet.js';
import { createPeople } from '../../support/person.js';
import { sealInCell } from '../../support/seal-in-cell.js';
import { waitFor } from '../../support/wait.js';
import { dropAll, dropped, list, makeFleet, plan } from './plans-scene.js';

afterEach(dropAll);

/** Days ago. As the owner, with the triggers off. */
async function age({ sql }: Pick<TestCell, 'sql'>, schema: string, column: string, days: number): Promise<void> {
  await sql(
    `set local session_replication_role = replica; update ${schema}.plans set ${column} = ${column} - interval '${days} days'`,
  );
}
async function ageAll(fleet: Fleet, days: number): Promise<void> {
  for (const cell of fleet.cells) await age(cell, 'credit_rollout', 'made_at', days);
  await age({ sql: fleet.control }, 'credit_rollout_control', 'registered_at', days);
}

const countRows = async (cell: TestCell, table: string): Promise<number> =>
  Number((await cell.sql(`select count(*) from credit_rollout.${table}`))[0]?.count);
const registered = async (fleet: Fleet): Promise<readonly unknown[]> =>
  (await fleet.control('select plan_id from credit_rollout_control.plans order by plan_id')).map((row) => row.plan_id);

describe('startScheduler', () => {
  test('purges plans that are over, once it starts', async () => {
    const fleet = await makeFleet({ orgs: 5, queue: 'postgres' });
    await plan(fleet);
    await ageAll(fleet, 40);
    const queue = connectQueue(fleet.queueUrl ?? '');
    const scheduler = startScheduler(fleet.engine, queue);
    try {
      await waitFor('the plan to be purged', async () => (await registered(fleet)).length === 0);
    } finally {
      await scheduler.stop();
    }
    expect(await countRows(fleet.cell(0), 'plans')).toBe(0);
  });
});

describe('purgePlans', () => {
  const purge = (fleet: Fleet): Promise<number> => purgePlans(fleet.engine, { retentionDays: 30 });

  test('purges old plans in cells and control, keeps young ones, and leaves an audit row', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 250 });
    await plan(fleet, 0);
    await plan(fleet, 1);
    await ageAll(fleet, 31);
    const young = await plan(fleet, 0);
    expect(await purge(fleet)).toBe(4);
    expect(await registered(fleet)).toEqual([young]);
    expect([await countRows(fleet.cell(0), 'plans'), await countRows(fleet.cell(1), 'plans')]).toEqual([1, 0]);
    expect([await countRows(fleet.cell(0), 'plan_ranges'), await countRows(fleet.cell(1), 'plan_ranges')]).toEqual([
      3, 0,
    ]);
    expect(await fleet.cell(0).sql('select distinct plan_id from credit_rollout.plan_groups')).toHaveLength(1);
    expect(await countRows(fleet.cell(1), 'plan_groups')).toBe(0);
    expect(
      await fleet.control(`select actor, details from credit_rollout_control.audit where action = 'forget_plans'`),
    ).toEqual([
      {
        actor: 'tester',
        details: { control: 2, cells: { [fleet.cell(0).dataCenter.id]: 1, [fleet.cell(1).dataCenter.id]: 1 } },
      },
    ]);
  });

  test('takes away the ranges of a planning that broke off long ago, and no others', async () => {
    const fleet = await makeFleet({ orgs: 250 });
    const cell = fleet.cell(0);
    await plan(fleet);
    const copy = (id: number): string => `insert into credit_rollout.plan_ranges
      select (jsonb_populate_record(r, '{"plan_id": ${id}}')).* from credit_rollout.plan_ranges r where plan_id = 1 and range_no = 1`;
    await cell.sql(`select nextval('credit_rollout.plan_ids')`);
    await cell.sql(copy(2));
    await plan(fleet);
    await ageAll(fleet, 31);
    await cell.sql(copy(4));
    await purge(fleet);
    expect(await cell.sql('select distinct plan_id::int from credit_rollout.plan_ranges order by 1')).toEqual([
      { plan_id: 4 },
    ]);
  });

  test('does nothing where nothing is over', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    await plan(fleet);
    await ageAll(fleet, 29);
    expect(await purge(fleet)).toBe(0);
    expect((await list(fleet)).plans).toHaveLength(1);
    expect(await fleet.control(`select from credit_rollout_control.audit where action = 'forget_plans'`)).toEqual([]);
  });

  test('keeps a plan with an open approval, and purges it when that is used up; approvals stay', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    const crowd = await createPeople(fleet, 'bob');
    dropped.push(crowd.drop);
    const planId = await plan(fleet);
    for (const { engine } of crowd.people) await approvePlan(engine, { planId, reason: null });
    await ageAll(fleet, 40);
    expect(await purge(fleet)).toBe(0);
    await fleet.control(`update credit_rollout_control.approvals set voided_at = now(), void_reason = 'a test'`);
    expect(await purge(fleet)).toBe(2);
    expect(await fleet.control('select plan_id from credit_rollout_control.approvals')).toEqual([{ plan_id: planId }]);
  });

  test('keeps the plan of an open run, which then ends, and the plan of a failed one that may be retried', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    await cell.sql('alter table credit_rollout.allotments add constraint never_477 check (org_id <> 477)');
    const planId = await plan(fleet);
    await fleet.applyPlan(cell, planId);
    await tick(fleet.engine);
    await serveOpenWork(fleet.engine, cell.dataCenter.id);
    await ageAll(fleet, 40);
    expect(await cell.sql('select state from credit_rollout.runs')).toEqual([{ state: 'open' }]);
    expect(await purge(fleet)).toBe(0);
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await purge(fleet)).toBe(0);
    expect(await registered(fleet)).toEqual([planId]);
  });

  test('the cell itself keeps the plan of an open run, also when control has lost it', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    await fleet.applyPlan(cell, await plan(fleet));
    await tick(fleet.engine);
    await ageAll(fleet, 40);
    await fleet.control(`set local session_replication_role = replica; update credit_rollout_control.runs set plan_id = null;
      update credit_rollout_control.data_centers set plan_id = null`);
    await purge(fleet);
    expect(await countRows(cell, 'plans')).toBe(1);
    expect(await countRows(cell, 'plan_ranges')).toBe(5);
  });

  test('keeps a plan that is asked for and has not begun', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    const planId = await plan(fleet);
    await fleet.applyPlan(fleet.cell(0), planId);
    await ageAll(fleet, 40);
    expect(await purge(fleet)).toBe(0);
  });

  test('does not let a worker make a purged plan again', async () => {
    const fleet = await makeFleet({ orgs: 50 });
    const cell = fleet.cell(0);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['done']);
    expect(await countRows(cell, 'plan_requests')).toBe(1);
    await ageAll(fleet, 40);
    await fleet.control(`set local session_replication_role = replica;
      update credit_rollout_control.approvals set approved_at = approved_at - interval '40 days'`);
    expect(await purge(fleet)).toBe(2);
    expect(await countRows(cell, 'plan_requests')).toBe(0);
    expect(await serveOpenWork(fleet.engine, cell.dataCenter.id)).toBeUndefined();
    expect(await countRows(cell, 'plans')).toBe(0);
  });

  test('goes on with the other cells when one cannot be read', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 5 });
    await plan(fleet, 0);
    await plan(fleet, 1);
    await ageAll(fleet, 40);
    await fleet.cell(0).sql('alter schema credit_rollout rename to away');
    expect(await purge(fleet)).toBe(3);
    expect(await countRows(fleet.cell(1), 'plans')).toBe(0);
  });

  test('is a right of the fencer alone, who can purge nothing younger than a day', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    const { cell } = fleet.cell(0);
    await plan(fleet);
    const call = async (role: 'worker' | 'planner' | 'reader' | 'fencer', days: number) => {
      const seal = await sealInCell(cell, 'retention', { plan_days: days });
      return cell.inTransaction(role, (tx) =>
        execute(tx, `select credit_rollout.forget_plan(:seal::jsonb, '{}')`, { seal }),
      );
    };
    for (const role of ['worker', 'planner', 'reader'] as const)
      await expect(call(role, 30)).rejects.toMatchObject({ code: '42501' });
    await expect(call('fencer', 0)).rejects.toMatchObject({ code: '22023' });
    await expect(
      cell.inTransaction('fencer', (tx) => tx.raw('delete from credit_rollout.plans')),
    ).rejects.toMatchObject({ code: '42501' });
  });
});
