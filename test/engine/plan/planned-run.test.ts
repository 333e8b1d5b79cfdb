// A run that follows a plan: exactly that is written, what changed since is left out and followed up, and the canary
// stops a wrong rule before anybody else gets it. On real Postgres.
import { afterEach, describe, expect, test } from 'vitest';
import { approvePlan } from '../../../src/engine/plan/approve-plan.js';
import { planDataCenter } from '../../../src/engine/plan/plan-data-center.js';
import { requestApply } from '../../../src/engine/rollout/request-rollout.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { cellRoleName } from '../../../src/stores/cell/cell-database.js';
import type { TestCell } from '../../support/cell.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0)) await drop();
});

async function makeFleet(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  return fleet;
}

const one = async (cell: TestCell, sql: string): Promise<Readonly<Record<string, unknown>>> =>
  (await cell.sql(sql))[0] ?? {};
const idOf = (planId: string | null): string => planId ?? '';
const holdsOf = async (fleet: Fleet): Promise<readonly unknown[]> =>
  (await fleet.control('select code from credit_rollout_control.holds order by position')).map(({ code }) => code);

// everything that is not ours to change: the product's tables and every allotment, to the last byte
const FINGERPRINT = `select (select md5(coalesce(string_agg(o::text || o.xmin || o.ctid::text, ',' order by org_id), '')) from public.orgs o) as product,
  (select md5(coalesce(string_agg(a::text || a.xmin || a.ctid::text, ',' order by org_id), '')) from credit_rollout.allotments a) as allotments,
  (select count(*) from credit_rollout.allotment_changes)::int as changes, (select count(*) from credit_rollout.runs)::int as runs,
  (select count(*) from credit_rollout.quarantine)::int as quarantined`;

describe('planDataCenter', () => {
  test('leaves every table of the product and every allotment untouched, and a what-if stores nothing at all', async () => {
    const fleet = await makeFleet({ orgs: 600 });
    const cell = fleet.cell(0);
    await fleet.apply(cell);
    await fleet.drive();
    await cell.sql('update public.orgs set agents = agents + 40 where org_id % 3 = 0');
    const before = await cell.sql(FINGERPRINT);
    const stored = async () => one(cell, 'select count(*)::int as plans from credit_rollout.plans');
    const plans = await stored();
    const whatIf = await fleet.whatIf(cell);
    expect(await stored()).toEqual(plans);
    expect(whatIf).toMatchObject({ planId: null, digest: null });
    const plan = await fleet.plan(cell);
    expect(plan.counts).toEqual(whatIf.counts);
    expect(plan.counts.raises).toBeGreaterThan(50);
    expect(await cell.sql(FINGERPRINT)).toEqual(before);
  });

  test('runs as a role that is rejected whatever else it tries', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    await fleet.plan(cell);
    const role = cellRoleName(cell.dataCenter.id, 'planner');
    const forbidden = [
      'update public.orgs set agents = 1',
      'delete from public.orgs',
      `insert into credit_rollout.allotments select * from credit_rollout.allotments`,
      'update credit_rollout.plans set digest = digest',
      'delete from credit_rollout.plan_ranges',
      'truncate credit_rollout.plans',
      'update credit_rollout.fence set epoch = epoch',
      'insert into credit_rollout.protected_orgs (org_id, protected_by) values (1, 1)',
      `select credit_rollout.adopt_plan(1)`,
      'create table public.mine (a int)',
      'create table credit_rollout.mine (a int)',
    ];
    for (const sql of forbidden)
      await expect(cell.sql(`begin; set local role "${role}"; ${sql}; commit`), sql).rejects.toMatchObject({
        code: '42501',
      });
  });

  test('says the same digest for the same orgs and rates whatever the batch size, another for one changed org', async () => {
    const fleet = await makeFleet({ orgs: 500 });
    const cell = fleet.cell(0);
    const first = await fleet.plan(cell);
    const { rollout } = fleet.config;
    const other = {
      config: { rollout: { ...rollout, batchSize: 170, lanes: 7 } },
      card: cell.card,
      save: 'plan',
    } as const;
    expect((await planDataCenter(fleet.engine, { ...other, dataCenter: cell.dataCenter.id })).digest).toBe(
      first.digest,
    );
    await cell.sql('update public.orgs set agents = agents + 1 where org_id = 250');
    const second = await fleet.plan(cell);
    expect(second.digest).not.toBe(first.digest);
    await cell.sql('update public.orgs set agents = agents - 1 where org_id = 250');
    expect((await fleet.plan(cell)).digest).toBe(first.digest);
  });

  test('says the same of every org and takes the same canaries however many lanes plan', async () => {
    const fleet = await makeFleet({ orgs: 900 });
    const cell = fleet.cell(0);
    const { rollout } = fleet.config;
    const planWith = async (lanes: number) => {
      const asked = {
        config: { rollout: { ...rollout, batchSize: 40, lanes } },
        card: cell.card,
        save: 'plan',
      } as const;
      const { digest, counts, branches } = await planDataCenter(fleet.engine, {
        ...asked,
        dataCenter: cell.dataCenter.id,
      });
      const stored = await one(
        cell,
        `select ranges, canary_ids::text[], canary_hashes::text[], credit_rollout.digest_plan(plan_id, card_hash, source_signature) as digest,
           (select jsonb_agg(to_jsonb(r) - 'plan_id' order by r.range_no) from credit_rollout.plan_ranges r where r.plan_id = p.plan_id) as rows
         from credit_rollout.plans p order by plan_id desc limit 1`,
      );
      return { digest, counts, branches, stored };
    };
    const alone = await planWith(1);
    expect(alone.stored?.digest).toBe(alone.digest);
    expect(await planWith(3)).toEqual(alone);
  });

  test('leaves nothing of a plan that fails in one of several lanes', async () => {
    const fleet = await makeFleet({ orgs: 900 });
    const cell = fleet.cell(0);
    await cell.sql('alter table credit_rollout.plan_ranges add constraint not_17 check (range_no <> 17)');
    const asked = {
      config: { rollout: { ...fleet.config.rollout, batchSize: 40, lanes: 3 } },
      card: cell.card,
    } as const;
    await expect(
      planDataCenter(fleet.engine, { ...asked, save: 'plan', dataCenter: cell.dataCenter.id }),
    ).rejects.toThrow();
    expect(await one(cell, 'select count(*)::int as n from credit_rollout.plan_ranges')).toEqual({ n: 0 });
    expect(await one(cell, 'select count(*)::int as n from credit_rollout.plans')).toEqual({ n: 0 });
  });

  test('finds paid orgs whose peak exceeds their new total, worst first, and the floor that would cover it', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    const quiet = await fleet.plan(cell);
    expect(quiet.usage?.reduce((sum, { short }) => sum + short, 0)).toBe(0);
    const [{ total = '0', bought = '0' } = {}] = (await cell.sql(
      `select total_credits::text as total, additional_credits::text as bought from credit_rollout.decided where org_id = 18`,
    )) as { total: string; bought: string }[];
    // more than it gets, exactly what it gets, and an org that does not pay
    await cell.sql(`update public.orgs set peak_credits = ${BigInt(total) + 1_234n} where org_id = 18`);
    await cell.sql(`update public.orgs set peak_credits = 1 where org_id = 22`);
    await cell.sql(`update public.orgs set peak_credits = 900000000 where org_id = 20`);
    const { usage, orgs } = await fleet.whatIf(cell);
    expect(usage?.reduce((sum, { short }) => sum + short, 0)).toBe(1);
    const needed = BigInt(total) + 1_234n - BigInt(bought);
    expect(orgs.short).toEqual([
      expect.objectContaining({
        orgId: '18',
        after: total,
        proposedFloor: String(((needed + 999n) / 1_000n) * 1_000n),
      }),
    ]);
  });

  test('keeps at most 24 bytes for an org beside its id', async () => {
    const fleet = await makeFleet({ orgs: 40_000, rollout: '{ batchSize: 10000 }' });
    const cell = fleet.cell(0);
    await fleet.plan(cell);
    const { bytes } = await one(
      cell,
      `select (sum(24 + pg_column_size(plan_id) + pg_column_size(range_no) + pg_column_size(group_no) + pg_column_size(edition)
         + pg_column_size(paid) + pg_column_size(winner) + pg_column_size(movement) + pg_column_size(agents) + pg_column_size(light_agents)
         + pg_column_size(additional_credits) + pg_column_size(negotiated_limits) + pg_column_size(total_credits))
         / sum(cardinality(org_ids)))::float8 as bytes from credit_rollout.plan_groups`,
    );
    expect(bytes).toBeLessThanOrEqual(24);
  });
});

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

  test('says nothing of the payment of an org that the plan could not decide', async () => {
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

  test('keeps a stale org out of the follow-up when it breaks a guard-rail of one org, and says so', async () => {
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

  test('is as old as the cell’s clock says, whatever clock a command has', async () => {
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
    await approvePlan({ ...fleet.engine, actor: 'somebody else' }, { planId, reason: 'looked at' });
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

  test('that got stricter between plan and apply hold it too, and the scheduler comes to rest', async () => {
    const fleet = await makeFleet({ orgs: 200 });
    const cell = fleet.cell(0);
    const { planId, rails } = await fleet.plan(cell);
    expect(rails.every(({ passes }) => passes)).toBe(true);
    const { rollout } = fleet.config;
    const config = { ...fleet.config, rollout: { ...rollout, guardRails: { ...rollout.guardRails, orgsTouched: 10 } } };
    const { card, dataCenter } = cell;
    const follow = { planId: idOf(planId) };
    await requestApply(fleet.engine, { config, card, dataCenters: [dataCenter], reason: null, follow });
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
