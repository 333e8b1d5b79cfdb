// Plans after they were made: listed, shown again, compared, measured against what happened, and purged.
import { afterEach, describe, expect, test } from 'vitest';
import { startScheduler } from '../../../jobs/processes/scheduler.js';
import { connectQueue } from '../../../jobs/queue/connection.js';
import { approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { diffPlans, type PlanDifference } from '../../../src/engine/plan/diff-plans.js';
import { listPlans, type PlanList } from '../../../src/engine/plan/list-plans.js';
import { loadStoredReport, type ReportQuestion } from '../../../src/engine/plan/load-stored-report.js';
import { planDataCenter } from '../../../src/engine/plan/plan-data-center.js';
import { purgePlans } from '../../../src/engine/plan/purge-plans.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { changeCard, sampleCard, secondCard } from '../../domain/rate-card/sample-card.js';
import type { TestCell } from '../../support/cell.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';
import { createPeople } from '../../support/person.js';
import { waitFor } from '../../support/wait.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeFleet(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await createFleet({ orgs: 500, ...options });
  dropped.push(fleet.drop);
  return fleet;
}

/** Makes a plan and returns its id. */
async function plan(fleet: Fleet, n = 0, card = sampleCard, batchSize = 100): Promise<string> {
  const rollout = { ...fleet.config.rollout, batchSize };
  const dataCenter = fleet.cell(n).dataCenter.id;
  const report = await planDataCenter(fleet.engine, { config: { rollout }, dataCenter, card, save: 'plan' });
  return report.planId ?? '';
}

const list = (fleet: Fleet, limit = 100): Promise<PlanList> =>
  listPlans(fleet.engine, {
    config: fleet.config,
    dataCenters: fleet.cells.map(({ dataCenter }) => dataCenter.id),
    limit,
  });
const recall = (fleet: Fleet, planId: string, stale: ReportQuestion['stale'] = 'none') =>
  loadStoredReport(fleet.engine, { planId, config: fleet.config, stale });
const diff = (fleet: Fleet, from: string, to: string, limit = 50): Promise<PlanDifference> =>
  diffPlans(fleet.engine, { from, to, limit, rangeOrgs: 200 });

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

describe('listPlans', () => {
  test('has the plans of every cell, newest first, with what they come to', async () => {
    const fleet = await makeFleet({ cells: [{}, {}] });
    const made = [await plan(fleet, 0), await plan(fleet, 1), await plan(fleet, 0, secondCard)];
    const { plans, more, unreachable } = await list(fleet);
    expect(plans.map(({ planId }) => planId)).toEqual(made.toReversed());
    expect(plans[0]).toMatchObject({ found: 'cell', author: 'tester', cardHash: secondCard.hash, run: null });
    expect(plans[0]?.counts).toMatchObject({ orgs: 500, touched: 497, quarantined: 3 });
    expect({ more, unreachable }).toEqual({ more: false, unreachable: [] });
  });

  test('says that there are older ones than were asked for', async () => {
    const fleet = await makeFleet();
    await plan(fleet);
    const second = await plan(fleet);
    const { plans, more } = await list(fleet, 1);
    expect({ ids: plans.map(({ planId }) => planId), more }).toEqual({ ids: [second], more: true });
  });

  test('shows the plans of a cell that cannot be read as control knows them', async () => {
    const fleet = await makeFleet({ cells: [{}, {}] });
    const [lost, kept] = [await plan(fleet, 0), await plan(fleet, 1)];
    const { id } = fleet.cell(0).dataCenter;
    await fleet.cell(0).sql('alter schema credit_rollout rename to away');
    const { plans, unreachable } = await list(fleet);
    expect(plans.map(({ planId, found }) => ({ planId, found }))).toEqual([
      { planId: kept, found: 'cell' },
      { planId: lost, found: 'unreadable' },
    ]);
    expect(plans[1]?.counts).toMatchObject({ orgs: 500, touched: 497 });
    expect(unreachable).toEqual([{ dataCenter: id, code: expect.any(String) }]);
  });

  test('marks a plan that its cell has lost', async () => {
    const fleet = await makeFleet();
    const planId = await plan(fleet);
    await fleet.cell(0).sql('delete from credit_rollout.plans');
    expect((await list(fleet)).plans).toMatchObject([{ planId, found: 'control' }]);
  });

  test('tells approvals and what they led to', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    const [applied, idle] = [await plan(fleet), await plan(fleet)];
    await fleet.applyPlan(cell, applied);
    expect(await fleet.drive()).toEqual(['done']);
    const { plans } = await list(fleet);
    const runId = plans[1]?.run?.runId;
    expect(plans).toMatchObject([
      { planId: idle, approval: null, run: null, insideRails: true },
      { planId: applied, approval: { state: 'used', usedByRun: runId }, run: { state: 'done' } },
    ]);
    expect(runId).toBeGreaterThan(0n);
  });

  test('does not take the approval of another plan of the same number for its own', async () => {
    const fleet = await makeFleet();
    const crowd = await createPeople(fleet, 'bob');
    dropped.push(crowd.drop);
    const planId = await plan(fleet);
    const [bob] = crowd.people;
    if (bob) await approvePlan(bob.engine, { planId, reason: null });
    expect((await list(fleet)).plans).toMatchObject([{ approval: { state: 'open', approver: bob?.name } }]);
    await fleet
      .cell(0)
      .sql(`set local session_replication_role = replica; update credit_rollout.plans set digest = repeat('a', 64)`);
    expect((await list(fleet)).plans).toMatchObject([{ planId, approval: null }]);
  });
});

describe('loadStoredReport', () => {
  test('gives the report again as it was made', async () => {
    const fleet = await makeFleet();
    const made = await fleet.plan(fleet.cell(0));
    const { report, approvals, outcome, stale } = await recall(fleet, made.planId ?? '');
    expect(report).toEqual(made);
    expect({ approvals, outcome, stale }).toEqual({ approvals: [], outcome: null, stale: null });
  });

  test('reads the guard-rails as they are configured now', async () => {
    const fleet = await makeFleet();
    const planId = await plan(fleet);
    const rollout = { ...fleet.config.rollout, guardRails: { quarantinedShare: 0.01, orgsTouched: 10 } };
    const { report } = await loadStoredReport(fleet.engine, { planId, config: { rollout }, stale: 'none' });
    expect(report.rails.find(({ rail }) => rail === 'orgsTouched')).toMatchObject({ passes: false, limit: '10 orgs' });
  });

  test('measures a run that did what was planned', async () => {
    const fleet = await makeFleet();
    const planId = await plan(fleet);
    await fleet.applyPlan(fleet.cell(0), planId);
    expect(await fleet.drive()).toEqual(['done']);
    const { report, approvals, outcome } = await recall(fleet, planId);
    const [row] = await fleet
      .cell(0)
      .sql('select count(*)::int as orgs, sum(total_credits)::text as credits from credit_rollout.allotments');
    expect(outcome).toMatchObject({
      state: 'done',
      predicted: { touched: 497, credits: report.counts.after },
      actual: { touched: row?.orgs, credits: row?.credits, stale: 0, quarantined: 3 },
    });
    expect(outcome?.predicted.credits).toBe(outcome?.actual.credits);
    expect(outcome?.actual.durationMs).toBeGreaterThan(0);
    expect(approvals).toMatchObject([{ state: 'used', kind: 'guard_rails' }]);
  });

  test('predicts the credits of the orgs that are written, not of all', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    await fleet.applyPlan(cell, await plan(fleet));
    await fleet.drive();
    await cell.sql('update public.orgs set agents = 5000 where org_id = 4');
    const second = await plan(fleet);
    await fleet.applyPlan(cell, second);
    expect(await fleet.drive()).toEqual(['done']);
    const [row] = await cell.sql(
      'select total_credits::text as credits from credit_rollout.allotments where org_id = 4',
    );
    expect((await recall(fleet, second)).outcome).toMatchObject({
      predicted: { touched: 1, credits: row?.credits },
      actual: { touched: 1, credits: row?.credits },
    });
  });

  test('lists the orgs that changed before they were written, with both inputs and exact numbers', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    const planId = await plan(fleet);
    await cell.sql('update public.orgs set legacy_limit = 999999999999999 where org_id = 150');
    await cell.sql(`update public.orgs set edition = 'gone bad' where org_id = 151`);
    await cell.sql('delete from public.orgs where org_id = 250');
    await fleet.applyPlan(cell, planId);
    expect(await fleet.drive()).toEqual(['done']);
    const { stale, outcome } = await recall(fleet, planId, 'all');
    const { orgs, listed } = stale ?? { orgs: 0, listed: [] };
    expect(orgs).toBe(listed.length);
    expect(listed.find(({ orgId }) => orgId === '150')).toMatchObject({
      reason: 'changed',
      planned: { legacy_limit: null },
      found: { legacy_limit: '999999999999999', paid: expect.any(Boolean) },
      settled: 'applied',
    });
    expect(listed.find(({ orgId }) => orgId === '250')).toMatchObject({ reason: 'gone', found: null });
    expect(outcome?.actual.stale).toBe(0);
    expect((await recall(fleet, planId, 1)).stale).toMatchObject({ orgs, listed: { length: 1 } });
    expect((await recall(fleet, planId)).stale).toBeNull();
  });

  test.each(['nonsense', 'in-0', ''])('rejects the name %o', async (planId) => {
    const fleet = await makeFleet({ orgs: 1 });
    await expect(recall(fleet, planId)).rejects.toMatchObject({ code: 'plan_unknown' });
  });

  test('rejects a number that its cell does not hold', async () => {
    const fleet = await makeFleet({ orgs: 1 });
    const planId = `${fleet.cell(0).dataCenter.id}-99`;
    await expect(recall(fleet, planId)).rejects.toMatchObject({ code: 'plan_unknown' });
  });
});

describe('diffPlans', () => {
  test('finds nothing between two plans of the same state, whatever their ranges', async () => {
    const fleet = await makeFleet();
    const [a, b] = [await plan(fleet, 0, sampleCard, 100), await plan(fleet, 0, sampleCard, 170)];
    const found = await diff(fleet, a, b);
    const nothing = { orgs: 0, before: '0', after: '0' };
    expect(found).toMatchObject({ same: 500, moved: 0, appeared: nothing, vanished: nothing, changed: nothing });
    expect([found.causes, found.largest]).toEqual([[], []]);
    expect([found.from.orgs, found.to.orgs]).toEqual([500, 500]);
  });

  // both pay for enterprise
  test.each([
    ['edition', `edition = 'free'`],
    ['paid', 'paid = false'],
    ['agents', 'agents = agents + 1'],
    ['light_agents', 'light_agents = light_agents + 3'],
    ['additional_credits', 'additional_credits = additional_credits + 7'],
    ['legacy_limit', 'legacy_limit = 900000000'],
  ])('names %s as the cause', async (cause, change) => {
    const fleet = await makeFleet();
    const a = await plan(fleet);
    await fleet.cell(0).sql(`update public.orgs set ${change} where org_id in (4, 149)`);
    const found = await diff(fleet, a, await plan(fleet));
    expect(found.causes).toMatchObject([{ causes: [cause], orgs: 2 }]);
    expect(found).toMatchObject({ same: 498, changed: { orgs: 2 } });
    expect(found.largest.map(({ orgId }) => orgId).toSorted()).toEqual(['149', '4']);
    const [org] = found.largest;
    expect(org?.from[cause]).not.toEqual(org?.to[cause]);
  });

  test('adds up what both plans give', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    const a = await plan(fleet);
    await cell.sql(
      'update public.orgs set additional_credits = additional_credits + 1000 where org_id <= 300 and org_id % 10 = 4',
    );
    const { changed, causes, largest } = await diff(fleet, a, await plan(fleet));
    expect(BigInt(changed.after) - BigInt(changed.before)).toBe(30_000n);
    expect(causes).toEqual([{ causes: ['additional_credits'], ...changed }]);
    expect(changed.orgs).toBe(30);
    expect(largest).toHaveLength(30);
  });

  test('names several causes together', async () => {
    const fleet = await makeFleet();
    const a = await plan(fleet);
    await fleet.cell(0).sql('update public.orgs set agents = agents + 1, additional_credits = 5 where org_id = 4');
    const { causes } = await diff(fleet, a, await plan(fleet));
    expect(causes).toMatchObject([{ causes: ['agents', 'additional_credits'], orgs: 1 }]);
  });

  test('counts orgs that appear and vanish, with what they get', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    const a = await plan(fleet);
    await cell.sql('delete from public.orgs where org_id in (4, 499)');
    await cell.insertOrgs({ org_id: 900, agents: 0 }, { org_id: -5, agents: 0 }, { org_id: 901, agents: 0 });
    const found = await diff(fleet, a, await plan(fleet));
    expect(found).toMatchObject({ same: 498, appeared: { orgs: 3, before: '0', after: '150000' } });
    expect(found.vanished).toMatchObject({ orgs: 2, after: '0' });
    expect(BigInt(found.vanished.before)).toBeGreaterThan(0n);
    expect(found.changed.orgs).toBe(0);
    const back = await diff(fleet, found.to.planId, a);
    expect(back.appeared.orgs).toBe(2);
  });

  test('names the rates where only the card is another one', async () => {
    const fleet = await makeFleet();
    const a = await plan(fleet);
    const card = changeCard((spec) => (spec.edition === 'free' ? { ...spec, base: spec.base + 1n } : spec));
    const found = await diff(fleet, a, await plan(fleet, 0, card));
    expect(found.causes).toMatchObject([{ causes: ['rates'], orgs: 100 }]);
    expect(BigInt(found.changed.after) - BigInt(found.changed.before)).toBe(BigInt(found.changed.orgs));
  });

  test('names the rates, not the floor, where the legacy half is another one', async () => {
    const fleet = await makeFleet();
    const a = await plan(fleet);
    const card = changeCard((spec) =>
      spec.legacy.kind === 'perUser'
        ? { ...spec, legacy: { ...spec.legacy, perUser: 5_000n, max: 10_000_000n } }
        : spec,
    );
    const { causes } = await diff(fleet, a, await plan(fleet, 0, card));
    expect(causes).toMatchObject([{ causes: ['rates'] }]);
  });

  test('names the floor where a kept one is all that differs', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    const a = await plan(fleet);
    // 4 has no negotiated limit, and 53 one of 2,000,000
    await cell.sql('update public.orgs set legacy_limit = 5000000 where org_id in (4, 53)');
    await fleet.applyPlan(cell, await plan(fleet));
    expect(await fleet.drive()).toEqual(['done']);
    await cell.sql(
      'update public.orgs set legacy_limit = case org_id when 53 then 2000000 end where org_id in (4, 53)',
    );
    const found = await diff(fleet, a, await plan(fleet));
    expect(found.causes).toMatchObject([{ causes: ['floor'], orgs: 2 }]);
    expect(found.largest.map(({ orgId, to }) => [orgId, to.total_credits, to.winner])).toEqual([
      ['4', '5000000', 'legacy'],
      ['53', '5000000', 'legacy'],
    ]);
  });

  test('names the floor under another card too, where the legacy number wins in both plans', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    const a = await plan(fleet);
    await cell.sql('update public.orgs set legacy_limit = 5000000 where org_id = 53');
    await fleet.applyPlan(cell, await plan(fleet));
    expect(await fleet.drive()).toEqual(['done']);
    await cell.sql('update public.orgs set legacy_limit = 2000000 where org_id = 53');
    const card = changeCard((spec) => ({ ...spec, base: spec.base + 1n }));
    const { causes, largest } = await diff(fleet, a, await plan(fleet, 0, card));
    expect(causes.map((group) => group.causes)).toEqual([['rates'], ['floor']]);
    expect(largest[0]).toMatchObject({ orgId: '53', causes: ['floor'] });
  });

  test('tells orgs that an apply wrote between the plans apart from changed ones', async () => {
    const fleet = await makeFleet();
    const a = await plan(fleet);
    await fleet.applyPlan(fleet.cell(0), a);
    expect(await fleet.drive()).toEqual(['done']);
    const found = await diff(fleet, a, await plan(fleet));
    expect(found).toMatchObject({ same: 500, moved: 497, changed: { orgs: 0 } });
  });

  test('tells orgs that became undecidable or decidable', async () => {
    const fleet = await makeFleet();
    const cell = fleet.cell(0);
    const a = await plan(fleet);
    await cell.sql(`update public.orgs set edition = 'unheard of' where org_id = 4`);
    await cell.sql(`update public.orgs set edition = 'standard' where org_id = 7`);
    const { causes } = await diff(fleet, a, await plan(fleet));
    expect(causes.map((group) => ({ causes: group.causes, orgs: group.orgs }))).toEqual([
      { causes: ['decidable'], orgs: 1 },
      { causes: ['undecidable'], orgs: 1 },
    ]);
    expect(causes).toMatchObject([{ before: '0' }, { after: '0' }]);
  });

  test('lists the largest changes of all ranges, the lower id first among equals', async () => {
    const fleet = await makeFleet();
    const a = await plan(fleet);
    await fleet
      .cell(0)
      .sql(`update public.orgs set additional_credits = additional_credits + 1000 + case org_id when 399 then 5 when 24 then 3 else 0 end
        where org_id % 5 = 4`);
    const { largest, changed } = await diff(fleet, a, await plan(fleet), 4);
    expect(changed.orgs).toBe(100);
    expect(largest.map(({ orgId, size }) => [orgId, size])).toEqual([
      ['399', '1005'],
      ['24', '1003'],
      ['4', '1000'],
      ['9', '1000'],
    ]);
  });

  test('keeps numbers above 2^53 exact', async () => {
    const fleet = await makeFleet({ cells: [{ orgs: [{ org_id: 1, legacy_limit: '999999999999999' }] }] });
    const a = await plan(fleet);
    await fleet.cell(0).sql('update public.orgs set additional_credits = 9007199254740993');
    const { largest } = await diff(fleet, a, await plan(fleet));
    expect(largest).toMatchObject([{ size: '9007199254740993', to: { additional_credits: '9007199254740993' } }]);
  });

  test.each(['text', 'uuid'] as const)('compares plans of a cell with ids of type %s', async (idType) => {
    const orgs = Array.from({ length: 250 }, () => ({}));
    const fleet = await makeFleet({ cells: [{ idType, orgs }] });
    const a = await plan(fleet);
    await fleet.cell(0).sql(`update public.orgs set agents = agents + 1 where org_id::text like '%42'`);
    expect(await diff(fleet, a, await plan(fleet, 0, sampleCard, 110))).toMatchObject({
      same: 247,
      causes: [{ causes: ['agents'], orgs: 3 }],
    });
  });

  test('compares the plans of a cell without orgs', async () => {
    const fleet = await makeFleet({ cells: [{ orgs: [] }] });
    const a = await plan(fleet);
    await fleet.cell(0).insertOrgs({});
    expect(await diff(fleet, a, await plan(fleet))).toMatchObject({ same: 0, appeared: { orgs: 1 } });
  });

  test('rejects plans of two data centers', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 5 });
    const [a, b] = [await plan(fleet, 0), await plan(fleet, 1)];
    await expect(diff(fleet, a, b)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('rejects a plan that is not there', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    const a = await plan(fleet);
    const missing = `${fleet.cell(0).dataCenter.id}-77`;
    await expect(diff(fleet, a, missing)).rejects.toMatchObject({ code: 'plan_unknown' });
  });
});

describe('startScheduler', () => {
  test('purges plans that are over, once it starts', async () => {
    const fleet = await makeFleet({ orgs: 5, queue: 'postgres' });
    await plan(fleet);
    await ageAll(fleet, 40);
    const queue = connectQueue(fleet.queueUrl ?? '');
    const scheduler = startScheduler(fleet.engine, queue, { planRetentionDays: 30 });
    try {
      await waitFor('the plan to be forgotten', async () => (await registered(fleet)).length === 0);
    } finally {
      await scheduler.stop();
    }
    expect(await countRows(fleet.cell(0), 'plans')).toBe(0);
  });
});

describe('purgePlans', () => {
  const forget = (fleet: Fleet): Promise<number> => purgePlans(fleet.engine, { retentionDays: 30 });

  test('purges old plans in cells and control, keeps young ones, and leaves an audit row', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 250 });
    await plan(fleet, 0);
    await plan(fleet, 1);
    await ageAll(fleet, 31);
    const young = await plan(fleet, 0);
    expect(await forget(fleet)).toBe(4);
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
    await forget(fleet);
    expect(await cell.sql('select distinct plan_id::int from credit_rollout.plan_ranges order by 1')).toEqual([
      { plan_id: 4 },
    ]);
  });

  test('does nothing where nothing is over', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    await plan(fleet);
    await ageAll(fleet, 29);
    expect(await forget(fleet)).toBe(0);
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
    expect(await forget(fleet)).toBe(0);
    await fleet.control(`update credit_rollout_control.approvals set voided_at = now(), void_reason = 'a test'`);
    expect(await forget(fleet)).toBe(2);
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
    expect(await forget(fleet)).toBe(0);
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await forget(fleet)).toBe(0);
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
    await forget(fleet);
    expect(await countRows(cell, 'plans')).toBe(1);
    expect(await countRows(cell, 'plan_ranges')).toBe(5);
  });

  test('keeps a plan that is asked for and has not begun', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    const planId = await plan(fleet);
    await fleet.applyPlan(fleet.cell(0), planId);
    await ageAll(fleet, 40);
    expect(await forget(fleet)).toBe(0);
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
    expect(await forget(fleet)).toBe(2);
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
    expect(await forget(fleet)).toBe(3);
    expect(await countRows(fleet.cell(1), 'plans')).toBe(0);
  });

  test('is a right of the fencer alone, who can purge nothing younger than a day', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    const { cell } = fleet.cell(0);
    await plan(fleet);
    const call = (role: 'worker' | 'planner' | 'reader' | 'fencer', days: number) =>
      cell.inTransaction(role, (tx) => tx.raw(`select credit_rollout.forget_plan(${days}, '{}')`));
    for (const role of ['worker', 'planner', 'reader'] as const)
      await expect(call(role, 30)).rejects.toMatchObject({ code: '42501' });
    await expect(call('fencer', 0)).rejects.toMatchObject({ code: '22023' });
    await expect(
      cell.inTransaction('fencer', (tx) => tx.raw('delete from credit_rollout.plans')),
    ).rejects.toMatchObject({ code: '42501' });
  });
});
