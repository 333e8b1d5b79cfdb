// Two plans compared: how many orgs differ, by how much, and why.
import { afterEach, describe, expect, test } from 'vitest';
import { diffPlans, type PlanDifference } from '../../../src/engine/plan/diff-plans.js';
import { changeCard, sampleCard } from '../../domain/rate-card/sample-card.js';
import type { Fleet } from '../../support/fleet.js';
import { dropAll, makeFleet, plan } from './plans-scene.js';

afterEach(dropAll);

const diff = (fleet: Fleet, from: string, to: string, limit = 50): Promise<PlanDifference> =>
  diffPlans(fleet.engine, { from, to, limit, rangeOrgs: 200 });

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
