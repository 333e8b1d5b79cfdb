// Plans of orgs that are rare: protected, doubled, negative, wide, unreadable. Where a range ends must change nothing.
import { afterEach, describe, expect, test } from 'vitest';
import type { PlanReport } from '../../../src/domain/plan/plan-report.js';
import { planDataCenter } from '../../../src/engine/plan/plan-data-center.js';
import type { PlanHooks } from '../../../src/engine/plan/plan-question.js';
import { changeCard } from '../../domain/rate-card/sample-card.js';
import type { TestOrg } from '../../support/cell.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';
import { startStopwatch } from '../../support/stopwatch.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const ANY_SHARE = '{ batchSize: 100, guardRails: { quarantinedShare: 1 } }';

async function makeFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = await createFleet({ rollout: ANY_SHARE, ...options });
  dropped.push(fleet.drop);
  return fleet;
}

interface Sizes {
  readonly batchSize: number;
  readonly lanes?: number;
}

function plan(fleet: Fleet, { batchSize, lanes = 1 }: Sizes, hooks: PlanHooks = {}): Promise<PlanReport> {
  const config = { ...fleet.config, rollout: { ...fleet.config.rollout, batchSize, lanes } };
  const { dataCenter, card } = fleet.cell(0);
  return planDataCenter(fleet.engine, { config, dataCenter: dataCenter.id, card, save: 'plan' }, hooks);
}

const rangeOrgs = async (fleet: Fleet): Promise<readonly unknown[]> =>
  (await fleet.cell(0).sql('select orgs from credit_rollout.plan_ranges order by range_no')).map(({ orgs }) => orgs);
const withIds = (ids: readonly number[]): readonly TestOrg[] => ids.map((id) => ({ org_id: id }));

describe('planDataCenter', () => {
  test('finds a canary in a later range of a statement where the first has protected orgs of its branch only', async () => {
    const editions = ['standard', 'standard', 'standard', 'enterprise', 'enterprise', 'enterprise'];
    const fleet = await makeFleet({ cells: [{ orgs: editions.map((edition, n) => ({ org_id: n + 1, edition })) }] });
    await fleet.cell(0).sql(`insert into credit_rollout.protected_orgs (org_id, protected_by) values (4, 'alice')`);
    await plan(fleet, { batchSize: 1 });
    expect(await fleet.cell(0).sql('select canary_ids::text[] as ids from credit_rollout.plans')).toEqual([
      { ids: ['1', '5'] },
    ]);
  });

  test.each([':lower_id', "what's ? this", '\\x :card_hash::text'])('plans the edition %j', async (edition) => {
    const card = changeCard((spec) => (spec.edition === 'standard' ? { ...spec, edition } : spec));
    const fleet = await makeFleet({ card, cells: [{ orgs: [{ edition }, { edition }, { edition: 'enterprise' }] }] });
    const report = await plan(fleet, { batchSize: 1 });
    expect(report.branches.map((branch) => [branch.edition, branch.orgs])).toEqual([
      [edition, 2],
      ['enterprise', 1],
    ]);
    expect(await fleet.cell(0).sql('select canary_ids::text[] as ids from credit_rollout.plans')).toEqual([
      { ids: ['1', '3'] },
    ]);
  });

  test.each([
    ['agents below an integer', { agents: '-3000000000' }, 'negative_agents'],
    ['the smallest agents', { agents: '-9223372036854775808' }, 'negative_agents'],
    ['light agents below an integer', { light_agents: '-3000000000' }, 'negative_light_agents'],
    ['a negative purchase', { additional_credits: '-5' }, 'negative_additional_credits'],
    ['the smallest purchase', { additional_credits: '-9223372036854775808' }, 'negative_additional_credits'],
    ['the smallest negotiated limit', { legacy_limit: '-9223372036854775808' }, 'negative_legacy_limit'],
    ['the largest agents', { agents: '9223372036854775807' }, 'overflow'],
    ['the largest purchase', { additional_credits: '9223372036854775807' }, 'overflow'],
  ] as const)('gives the reason for %s, in one pass', async (_name, odd, reason) => {
    const fleet = await makeFleet({ cells: [{ orgs: [{}, {}, odd, {}, {}] }] });
    const report = await plan(fleet, { batchSize: 100 });
    expect(report.quarantined.map((found) => found.reason)).toEqual([reason]);
    // the careful pass would have cut it down to a range of its own
    expect(await rangeOrgs(fleet)).toEqual([5]);
  });

  test('keeps numbers above an integer exactly, where the rest of their group is narrow', async () => {
    const orgs = [
      { agents: '3000000000', light_agents: 3 },
      { agents: 2, light_agents: '4000000000' },
      { light_agents: 5 },
    ];
    const fleet = await makeFleet({ cells: [{ orgs }] });
    const { planId } = await plan(fleet, { batchSize: 2 });
    expect(
      await fleet.cell(0).sql('select agents::text, light_agents::text from credit_rollout.planned(1) order by org_id'),
    ).toMatchObject([
      { agents: '3000000000', light_agents: '3' },
      { agents: '2', light_agents: '4000000000' },
      { light_agents: '5' },
    ]);
    await fleet.applyPlan(fleet.cell(0), planId ?? '');
    expect(await fleet.drive()).toEqual(['done']);
    expect(await fleet.cell(0).sql('select from credit_rollout.stale_orgs')).toEqual([]);
  });

  test.each([1, 2, 3])('goes on above an id that has more rows than a range of %i', async (batchSize) => {
    const ids = [1, 2, 3, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const fleet = await makeFleet({ cells: [{ key: 'index', orgs: withIds(ids) }] });
    const report = await plan(fleet, { batchSize });
    expect(report.counts.orgs).toBe(12);
    expect(Math.max(...(await rangeOrgs(fleet)).map(Number))).toBeLessThanOrEqual(batchSize);
  });

  test('leaves out nothing but what cannot be read, beside a doubled id too', async () => {
    const fleet = await makeFleet({
      cells: [{ key: 'index', view: true, orgs: withIds([1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) }],
    });
    await fleet.cell(0).sql(`create or replace view public.orgs as select org_id, edition, paid,
      case when org_id = 6 then (edition || 'x')::bigint else agents end as agents, light_agents, additional_credits,
      legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
    const report = await plan(fleet, { batchSize: 8 });
    expect(report.counts.orgs).toBe(12);
    expect(report.quarantined).toMatchObject([
      { reason: 'duplicate_id', orgs: 1 },
      { reason: 'unreadable', orgs: 1 },
    ]);
    expect(
      await fleet
        .cell(0)
        .sql('select count(*)::int as orgs from credit_rollout.plans p, credit_rollout.planned(p.plan_id)'),
    ).toEqual([{ orgs: 11 }]);
  });

  test('saves a list of every org beside one that cannot be read, on several connections', async () => {
    const fleet = await makeFleet({ cells: [{ view: true }], orgs: 900 });
    await fleet.cell(0).sql(`create or replace view public.orgs as select org_id, edition, paid,
      case when org_id = 137 then (edition || 'x')::bigint else agents end as agents, light_agents, additional_credits,
      legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
    let lines = 0;
    // once more from the beginning, when it was found that an org cannot be read
    const saveOrgs = async (csv: AsyncIterable<unknown>): Promise<void> => {
      lines = 0;
      for await (const chunk of csv) lines += String(chunk).split('\n').length - 1;
    };
    const { quarantined } = await plan(fleet, { batchSize: 100, lanes: 3 }, { saveOrgs });
    expect(lines).toBe(901);
    expect(quarantined).toContainEqual(expect.objectContaining({ reason: 'unreadable', orgs: 1 }));
  });

  test('reads the peak of an id with thousands of rows once', async () => {
    const fleet = await makeFleet({ cells: [{ key: 'index', orgs: [{}] }] });
    await fleet
      .cell(0)
      .sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at, peak_credits)
      select 5, 'standard', true, 3, 0, 0, now(), 7 from generate_series(1, 3000)`);
    const stopwatch = startStopwatch(fleet.cell(0));
    expect((await plan(fleet, { batchSize: 1_000 })).counts.orgs).toBe(2);
    expect(await stopwatch()).toBeLessThan(10_000);
  });

  test('counts a raise as a multiple of what there was, and of 1 where there was nothing', async () => {
    const fleet = await makeFleet({ cells: [{ orgs: [{ legacy_limit: 0 }] }] });
    const { counts } = await plan(fleet, { batchSize: 100 });
    expect(counts.maxRaiseFactor).toBe(Number(counts.after));
  });

  test('leaves nothing of a plan whose list of orgs could not be saved', async () => {
    const fleet = await makeFleet({ orgs: 900 });
    const saveOrgs = async (): Promise<never> => {
      throw new Error('the disk is full');
    };
    await expect(plan(fleet, { batchSize: 100, lanes: 3 }, { saveOrgs })).rejects.toThrow();
    for (const table of ['plan_ranges', 'plan_groups', 'plans'])
      expect(await fleet.cell(0).sql(`select from credit_rollout.${table}`)).toEqual([]);
  });
});
