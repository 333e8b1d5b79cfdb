// What stops a plan: guard-rails hold it until somebody else approves it, and the canary stops a wrong rule before
// anybody else gets it.
import { afterEach, describe, expect, test } from 'vitest';
import { approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { planDataCenter } from '../../../src/engine/plan/plan-data-center.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import type { TestCell } from '../../support/cell.js';
import type { Fleet } from '../../support/fleet.js';
import { setPolicy } from '../../support/policy.js';
import { dropFleets, holdsOf, idOf, makeFleet, one } from './planned-run-scene.js';

afterEach(dropFleets);

describe('guard-rails', () => {
  test('hold a plan outside them until somebody else approves it', async () => {
    const fleet = await makeFleet({ orgs: 400, rollout: '{ batchSize: 100, guardRails: { orgsTouched: 10 } }' });
    const cell = fleet.cell(0);
    const plan = await fleet.plan(cell);
    await fleet.applyPlan(cell, idOf(plan.planId));
    expect(await fleet.drive()).toEqual(['pending']);
    expect(await holdsOf(fleet)).toEqual(['needs_approval']);
    expect(await one(cell, 'select count(*)::int as n from credit_rollout.allotments')).toEqual({ n: 0 });
    const planId = idOf(plan.planId);
    await expect(approvePlan(fleet.engine, { planId, reason: null })).rejects.toMatchObject({ code: 'same_person' });
    await approvePlan({ ...fleet.engine, actor: 'somebody else' }, { planId, reason: 'checked' });
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  });

  test('approval: required holds a plan that is inside them', async () => {
    const fleet = await makeFleet({ orgs: 200, rollout: '{ batchSize: 100, approval: required }' });
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['pending']);
    expect(await holdsOf(fleet)).toEqual(['needs_approval']);
    const [row] = await fleet.control('select plan_id from credit_rollout_control.data_centers');
    await approvePlan({ ...fleet.engine, actor: 'somebody else' }, { planId: String(row?.plan_id), reason: null });
    expect(await fleet.drive()).toEqual(['done']);
  });

  test('that got stricter between plan and apply hold it too, and the scheduler becomes idle', async () => {
    const fleet = await makeFleet({ orgs: 200 });
    const cell = fleet.cell(0);
    const { planId, rails } = await fleet.plan(cell);
    expect(rails.every(({ passes }) => passes)).toBe(true);
    await setPolicy(fleet, { 'rollout.guardRails.orgsTouched': 10 });
    await fleet.applyPlan(cell, idOf(planId));
    await tick(fleet.engine);
    expect(await tick(fleet.engine)).toBe(0);
    expect(await fleet.stages()).toEqual(['pending']);
    expect(await holdsOf(fleet)).toEqual(['needs_approval']);
  });

  test('count a protected org that would be written, and leave it out of the canary', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    await cell.sql(`insert into credit_rollout.protected_orgs (org_id, protected_by) values (1, 'a test')`);
    const plan = await fleet.plan(cell);
    expect(plan.rails).toContainEqual(expect.objectContaining({ rail: 'protectedOrgs', passes: false }));
    expect(await one(cell, 'select 1 = any (canary_ids) as chosen from credit_rollout.plans')).toEqual({
      chosen: false,
    });
  });
});

describe('the canary', () => {
  test.each([
    [
      'a rate of the rarest branch',
      `alter table credit_rollout.rates disable trigger rates_append_only;
       update credit_rollout.rates set per_agent = per_agent + 1 where edition = 'enterprise'`,
    ],
    [
      'the rule itself',
      `alter function credit_rollout.decided rename to decided_right;
       create function credit_rollout.decided(lower_id credit_rollout.org_id, upper_id credit_rollout.org_id,
         only_ids credit_rollout.org_id[], card text) returns table (org_id credit_rollout.org_id, edition text, paid boolean,
         agents bigint, light_agents bigint, negotiated_limit bigint, base_credits bigint, variable_credits bigint,
         additional_credits bigint, legacy_limit bigint, floor bigint, floor_edition text, unpaid_since date,
         grandfathered_credits bigint, total_credits bigint, concurrency_limit integer, winner text, rate_card text, reason text,
         movement text, proposed_floor bigint, prior_total bigint) language sql stable as $f$
       select d.org_id, d.edition, d.paid, d.agents, d.light_agents, d.negotiated_limit, d.base_credits, d.variable_credits,
         d.additional_credits, d.legacy_limit, d.floor, d.floor_edition, d.unpaid_since, d.grandfathered_credits, d.total_credits,
         d.concurrency_limit + case when d.negotiated_limit is not null and d.additional_credits > 0 then 1 else 0 end,
         d.winner, d.rate_card, d.reason, d.movement, d.proposed_floor, d.prior_total
       from credit_rollout.decided_right(lower_id, upper_id, only_ids, card) d $f$`,
    ],
  ])('catches %s that somebody got wrong, before any other org gets it', async (_what, planted) => {
    const fleet = await makeFleet({ orgs: 900 });
    const cell = fleet.cell(0);
    await cell.sql(planted);
    await cell.sql('grant execute on all functions in schema credit_rollout to public');
    const plan = await planWithRates(fleet, cell);
    await fleet.applyPlan(cell, plan);
    expect(await fleet.drive()).toEqual(['failed']);
    expect(await fleet.control('select failure from credit_rollout_control.data_centers')).toEqual([
      { failure: 'verification_mismatch' },
    ]);
    const { written, canary } = await one(
      cell,
      `select (select count(*)::int from credit_rollout.allotments) as written, cardinality(canary_ids) as canary from credit_rollout.plans`,
    );
    expect(written).toBe(canary);
  });

  test('waits after it was verified, and goes on by itself', async () => {
    const fleet = await makeFleet({ orgs: 300, rollout: '{ batchSize: 100, canaryWait: PT1S }' });
    const cell = fleet.cell(0);
    await fleet.apply(cell);
    await fleet.tickUntil('the canary waits', async () => {
      await serveOpenWork(fleet.engine, cell.dataCenter.id);
      return (await holdsOf(fleet)).includes('canary_wait');
    });
    expect(
      await one(cell, `select count(*)::int as n from credit_rollout.batches where kind = 'range' and state = 'done'`),
    ).toEqual({ n: 0 });
    await fleet.tickUntil('the end', async () => {
      await serveOpenWork(fleet.engine, cell.dataCenter.id);
      await tick(fleet.engine);
      return (await fleet.stages())[0] === 'done';
    });
    await fleet.expectInvariants();
  });
});

/** The plan as a person would make it, whose program reads the card's file and not the cell's rows. */
async function planWithRates(fleet: Fleet, cell: TestCell): Promise<string> {
  const report = await planDataCenter(fleet.engine, {
    config: fleet.config,
    dataCenter: cell.dataCenter.id,
    card: cell.card,
    save: 'plan',
  });
  return idOf(report.planId);
}
