// A plan is made: it touches nothing, gives the same for the same orgs whatever the lanes and batches, and stays small.
import { afterEach, describe, expect, test } from 'vitest';
import { planDataCenter } from '../../../src/engine/plan/plan-data-center.js';
import { requestApply } from '../../../src/engine/rollout/request-rollout.js';
import { type CellDatabase, cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { selectRow } from '../../../src/stores/query.js';
import { dropFleets, makeFleet, one } from './planned-run-scene.js';

afterEach(dropFleets);

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

  test('is made once more where its session is ended in the middle, as by a time limit', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const { cell, sql, dataCenter, card } = fleet.cell(0);
    let ended = 0;
    const cut: CellDatabase = {
      ...cell,
      inTransaction: (role, fn, limits) =>
        cell.inTransaction(
          role,
          async (tx) => {
            if (role === 'planner' && ended < 2) {
              ended += 1;
              const { pid } = await selectRow<{ readonly pid: number }>(tx, 'select pg_backend_pid() as pid');
              await sql('select pg_terminate_backend($1, 5000)', [pid]);
            }
            return fn(tx);
          },
          limits,
        ),
    };
    const question = { config: fleet.config, dataCenter: dataCenter.id, card, save: 'nothing' } as const;
    const report = await planDataCenter({ ...fleet.engine, cells: { get: () => cut } }, question);
    expect([ended, report.orgs]).toEqual([2, (await fleet.whatIf(fleet.cell(0))).orgs]);
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

  test('has the same digest for the same orgs and rates whatever the batch size, another for one changed org', async () => {
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

  test('chooses the size of its ranges by the first ones, then by earlier batches, also where a worker makes it', async () => {
    const fleet = await makeFleet({ orgs: 7_000, rollout: '{ batchSize: 1000 }' });
    const cell = fleet.cell(0);
    const config = { ...fleet.config, rollout: { ...fleet.config.rollout, batchSize: 'auto' as const } };
    const asked = { config, card: cell.card, save: 'plan' } as const;
    const { batchSize } = await planDataCenter(fleet.engine, { ...asked, dataCenter: cell.dataCenter.id });
    expect(batchSize).toEqual({ orgs: expect.any(Number), basis: 'planning', perOrgUs: expect.any(Number) });
    expect(await cell.sql('select orgs from credit_rollout.plan_ranges order by range_no limit 3')).toEqual(
      [2_000, 2_000, 2_000].map((orgs) => ({ orgs })),
    );
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['done']);
    await cell.sql('update public.orgs set agents = agents + 40');
    await requestApply(fleet.engine, { ...asked, dataCenters: [cell.dataCenter], reason: null });
    expect(await fleet.drive()).toEqual(['done']);
    expect(await cell.sql('select sizing, range_size from credit_rollout.plan_requests order by plan_id')).toEqual([
      { sizing: 'fixed', range_size: 1_000 },
      { sizing: 'auto', range_size: 10_000 },
    ]);
    const chosen = `select counts -> 'batchSize' as chosen from credit_rollout.plans order by plan_id desc limit 1`;
    expect(await one(cell, chosen)).toEqual({
      chosen: { orgs: expect.any(Number), basis: 'batches', perOrgUs: expect.any(Number) },
    });
  });

  test('decides the same for every org and takes the same canaries however many lanes plan', async () => {
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
    const before = await fleet.plan(cell);
    expect(before.usage?.reduce((sum, { short }) => sum + short, 0)).toBe(0);
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

  test('takes the busiest day that a meter counted where the source has none, or no such column', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    const shortOrgs = async () => (await fleet.plan(cell)).orgs.short.map(({ orgId, peak }) => [orgId, peak]);
    // org 22 has a peak in the source; yesterday and today are not the same: today is not over
    await cell.sql(`insert into credit_rollout.usage_days select id, (now() at time zone c.zone)::date - ago, 'legacy', 1,
      used, 0, given_back, 0, 0, 0, '{}' from credit_rollout.cell c,
      (values (18, 1, 9000000, 0), (18, 0, 9900000, 0), (18, 31, 9900000, 0), (22, 1, 9000000, 0), (20, 1, 900000000, 0),
        (24, 1, 9000000, 8999999)) d (id, ago, used, given_back)`);
    await cell.sql('update public.orgs set peak_credits = 1 where org_id = 22');
    expect(await shortOrgs()).toEqual([['18', '9000000']]);
    await cell.sql('alter table public.orgs drop column peak_credits cascade');
    await cell.init();
    expect(await shortOrgs()).toEqual([
      ['22', '9000000'],
      ['18', '9000000'],
    ]);
    await cell.sql('delete from credit_rollout.usage_days');
    expect((await fleet.whatIf(cell)).usage).toBeNull();
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
