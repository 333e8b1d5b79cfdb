// Kind 4. Guard-rails approve a plan by what it counts. Whoever makes or registers a plan chooses none of it: the cell
// counts, as its owner, and control believes only what the cell sealed.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PLAN_COUNTS } from '../../migrations/plain-texts.js';
import { RAILS, readGuardRails } from '../../src/domain/plan/guard-rails.js';
import type { PlanCounts } from '../../src/domain/plan/plan-report.js';
import { makePlan } from '../../src/engine/plan/make-plan.js';
import { contextOf, type TestCell } from '../support/cell.js';
import { sealInCell } from '../support/seal-in-cell.js';
import { type CellScene, openCellScene, REFUSED } from './cell-scene.js';
import { type ControlScene, INSIDE, openControlScene } from './control-scene.js';

const DENIED = '42501';
let scene: CellScene;
let cell: TestCell;
beforeAll(async () => {
  scene = await openCellScene();
  ({ cell } = scene);
});
afterAll(() => scene.drop());

const numberOf = async (): Promise<string> =>
  String((await cell.sql(`select nextval('credit_rollout.plan_ids') as n`))[0]?.n);
const plansOf = (id: string) => cell.sql('select from credit_rollout.plans where plan_id = $1', [id]);
const editions = () => `'{${[...cell.card.editions.keys()].join(',')}}'`;
const plan = (id: string, bounds = '{null,null}', card = cell.card.hash, first = 1) =>
  `select credit_rollout.plan_key_ranges(${id}, ${first}, '${bounds}', '${card}', ${editions()}, '{1e9,1e9,1e9}')`;
const finish = (id: string, counts = '{}', card = cell.card.hash) =>
  `select credit_rollout.finish_plan(${id}, '${card}', 'mallory', now(), '{}', '{}',
     '{"counts": ${counts}}', '{"biggestRaises": [], "nearestFloor": [], "short": []}')`;

describe('a planner', () => {
  test('writes no row of a plan itself', async () => {
    const id = await numberOf();
    for (const statement of [
      `insert into credit_rollout.plan_ranges values (${id}, 1, null, null, 20, 0, 0, 0)`,
      `insert into credit_rollout.plan_groups (plan_id, range_no, group_no, paid, org_ids, agents)
         values (${id}, 1, 1, true, '{2}', '{3}')`,
      `insert into credit_rollout.plan_parts values (${id}, 1, 'card', '{"orgs": 20}')`,
      `update credit_rollout.plan_parts set measured = '{}'`,
      'delete from credit_rollout.plan_parts',
      `insert into credit_rollout.plans select * from credit_rollout.plans`,
      `update credit_rollout.plans set measured = '{}'`,
    ])
      expect(await scene.logins.planner.attempt(statement)).toBe(REFUSED.permission);
  });

  test('finishes a plan with the counts of the database, whatever its report says', async () => {
    await cell.sql('update public.orgs set agents = agents + 5000 where org_id <= 4');
    const id = await numberOf();
    const claimed =
      '{"orgs": 0, "touched": 0, "maxRaiseFactor": null, "before": "1", "after": "1", "traps": 3, "jane": 9, "first": "37 agents"}';
    expect(await scene.logins.planner.attempt(plan(id), finish(id, claimed))).toBe('done');
    const [row] = await cell.sql(`select counts -> 'counts' as counts, orgs, touched from credit_rollout.plans
      where plan_id = ${id}`);
    expect(row).toMatchObject({ orgs: '20', touched: '4', counts: { orgs: 20, touched: 4, traps: 3 } });
    // a fencer reads them and writes them into control: nothing but known numbers
    expect(Object.keys(row?.counts ?? {})).not.toEqual(expect.arrayContaining(['jane']));
    expect(row?.counts).not.toHaveProperty('first');
    expect(row?.counts).toMatchObject({
      maxRaiseFactor: expect.any(Number),
      before: expect.stringMatching(/^\d{6,}$/u),
    });
    // and they are what the program counts
    const made = await makePlan(contextOf(cell.cell), {
      ...{ dataCenter: cell.dataCenter.id, card: cell.card, author: 'alice', rangeSize: 7, lanes: 2 },
      ...{ rails: { quarantinedShare: 1 }, save: 'new_plan' },
    });
    expect(made.counts).toMatchObject({ ...(row?.counts as object), traps: made.counts.traps });
    await cell.sql('update public.orgs set agents = agents - 5000 where org_id <= 4');
  });

  test.each([
    ['of which a range is missing', (id: string) => [plan(id, '{null,7}'), finish(id)]],
    [
      'with a hole between two ranges',
      (id: string) => [plan(id, '{null,5}'), plan(id, '{9,null}', cell.card.hash, 2), finish(id)],
    ],
    ['that counts an org twice', (id: string) => [plan(id), plan(id, '{null,3}', cell.card.hash, 2), finish(id)]],
    ['of another card than it was counted with', (id: string) => [plan(id, '{null,null}', 'another'), finish(id)]],
    ['without any range', (id: string) => [finish(id)]],
  ])('finishes none %s', async (_what, statements) => {
    const id = await numberOf();
    expect(await scene.logins.planner.attempt(...statements(id))).toBe('23001');
    expect(await plansOf(id)).toEqual([]);
  });

  test('tells no count that is not known, and none that is no number', async () => {
    const id = await numberOf();
    const told =
      '{"traps": 3, "org 1": "37 agents", "falls": "jane.doe", "raises": ["1", "37"], "first": {"org 1": 37}}';
    expect(await scene.logins.planner.attempt(plan(id), finish(id, told))).toBe('done');
    const [row] = await cell.sql(`select counts -> 'counts' as counts from credit_rollout.plans where plan_id = ${id}`);
    expect(Object.keys(row?.counts as object).toSorted()).toEqual([...Object.keys(INSIDE), 'traps'].toSorted());
  });

  test('makes no plan of a later time, or of somebody else', async () => {
    const id = await numberOf();
    const later = finish(id).replace('now()', `'infinity'`);
    expect(await scene.logins.planner.attempt(plan(id), later)).toBe('done');
    expect(
      await cell.sql(`select author, snapshot_at <= clock_timestamp() as past,
        (credit_rollout.seal_plan(plan_id) ->> 'snapshot_at')::timestamptz = snapshot_at as sealed
        from credit_rollout.plans where plan_id = ${id}`),
    ).toEqual([{ author: `mallory (login ${scene.logins.planner.name})`, past: true, sealed: true }]);
  });

  test('counts what the cell and control know', () => {
    const counts: Readonly<Record<keyof PlanCounts, true>> = {
      ...{ orgs: true, first: true, raises: true, falls: true, unchanged: true, touched: true, legacyWins: true },
      ...{ paidFalling: true, unpaidFalling: true, traps: true, quarantined: true, before: true, after: true },
      ...{ planCredits: true, grandfathered: true, maxRaiseFactor: true, maxFloorOverPlan: true },
      ...{ protectedTouched: true, staleLeftOut: true },
    };
    expect(PLAN_COUNTS.toSorted()).toEqual(Object.keys(counts).toSorted());
  });

  test('adds nothing to a plan that is finished, and begins none under a number that was not given', async () => {
    const id = await numberOf();
    const { planner } = scene.logins;
    expect(await planner.attempt(plan(id), finish(id))).toBe('done');
    for (const late of [plan(id, '{null,null}', cell.card.hash, 9), finish(id)])
      expect(await planner.attempt(late)).toBe('23001');
    const unreadable = (number: string) =>
      `select credit_rollout.add_unreadable_range(${number}, 9, null, null, '${cell.card.hash}')`;
    expect(await planner.attempt(unreadable(id))).toBe('23001');
    for (const number of [String(Number(id) + 50), '0', '-1'])
      for (const early of [plan(number), finish(number), unreadable(number)])
        expect(await planner.attempt(early)).toBe('23001');
  });

  test.each(['worker', 'planner', 'reader', 'fencer', 'operator', 'override', 'product'] as const)(
    'puts no other org into the canary of a finished plan, nor does %s',
    async (login) => {
      const before = await cell.sql('select plan_id, canary_ids, canary_hashes from credit_rollout.plans');
      for (const statement of [
        `update credit_rollout.plans set canary_ids = '{2}', canary_hashes = '{1}'`,
        'delete from credit_rollout.plans',
        'truncate credit_rollout.plans cascade',
        `insert into credit_rollout.plans select * from credit_rollout.plans on conflict (plan_id)
         do update set canary_ids = '{2}'`,
        `insert into credit_rollout.batches (run_id, batch_no, kind, org_ids, expected)
         values (${scene.runId}, 99, 'canary', '{2}', 1)`,
        `update credit_rollout.batches set org_ids = '{2}' where kind = 'canary'`,
        ...(before.length === 0 ? [] : [finish(String(before[0]?.plan_id))]),
      ])
        expect(['42501', '23001']).toContain(await scene.logins[login].attempt(statement));
      expect(await cell.sql('select plan_id, canary_ids, canary_hashes from credit_rollout.plans')).toEqual(before);
    },
  );

  test('makes no other plan under the number of one that was deleted, whose approval may still count', async () => {
    const id = await numberOf();
    const { fencer, planner } = scene.logins;
    expect(await planner.attempt(plan(id), finish(id))).toBe('done');
    const digest = () => cell.sql('select digest from credit_rollout.plans where plan_id = $1', [id]);
    const approved = await digest();
    await cell.rewritePast(
      `update credit_rollout.plans set made_at = made_at - interval '3 days' where plan_id = ${id}`,
    );
    const seal = await sealInCell(cell.cell, 'retention', { plan_days: 1, drift_days: 1 });
    expect(await fencer.attempt(`select credit_rollout.forget_plan('${seal}', '{}')`)).toBe('done');
    expect(await digest()).toEqual([]);
    for (const again of [[plan(id)], [plan(id), finish(id).replace(`now(), '{}', '{}'`, `now(), '{2}', '{1}'`)]])
      expect(await planner.attempt(...again)).toBe('23001');
    expect([await digest(), approved]).toEqual([[], [{ digest: expect.any(String) }]]);
  });

  test('counts orgs that have an allotment with their history, whatever it asks for', async () => {
    const id = await numberOf();
    expect(await scene.logins.planner.read(plan(id))).toMatchObject([
      { plan_key_ranges: { measured: { orgs: 20, touched: 0 } } },
    ]);
  });

  test('puts no SQL into what the owner runs', async () => {
    const id = await numberOf();
    const hostile = `array['x'' then 1 else 0 end, pg_read_file(''PG_VERSION'')::int --', $$y' or true$$]`;
    expect(
      await scene.logins.planner.attempt(
        `select credit_rollout.plan_key_ranges(${id}, 1, '{null,null}', '${cell.card.hash}', ${hostile}, '{0,0,0}')`,
      ),
    ).toBe('done');
  });
});

describe('control', () => {
  let control: ControlScene;
  beforeAll(async () => {
    control = await openControlScene();
  });
  afterAll(() => control.drop());
  const seal = (n: number, dc = control.dataCenters[0]) =>
    `public.sealed_by_cell('${dc}', '${control.planOf(n, dc)}', '${String(n).padStart(64, '0')}', '{"orgs": 7}')`;
  const withSeal = (n: number, document: string) =>
    control.register(n).replace(/public\.sealed_by_cell\([\s\S]*\)\)$/u, `${document})`);

  test('registers no plan that its cell did not seal', async () => {
    const n = 300;
    for (const document of [
      'null',
      `'{}'`,
      `'[1]'`,
      `'{"kind": "plan"}'`,
      // of another plan, of another data center
      seal(n + 1),
      seal(n, control.dataCenters[1]),
      // one that was changed
      `${seal(n)} || '{"counts": {"orgs": 1}}'`,
      `${seal(n)} || '{"digest": "${'1'.repeat(64)}"}'`,
      `${seal(n)} - 'mac'`,
      `${seal(n)} || '{"expires_at": "2099-01-01"}'`,
    ])
      for (const login of ['operator', 'scheduler'] as const)
        expect([document, await control.logins[login].attempt(withSeal(n, document))]).toEqual([document, '23001']);
    expect(await control.fleet.control('select from credit_rollout_control.plans')).toEqual([]);
  });

  test('takes number, digest, card, instant and counts from the seal, and the seal for an hour only', async () => {
    const n = 301;
    const lies = control
      .register(n, { passes: true })
      .replace(String(n).padStart(64, '0'), '1'.repeat(64))
      .replace(`'card'`, `'cheap'`)
      .replace('2026-11-22T14:02:11Z', '2020-01-01T00:00:00Z')
      .replace(/'\{[^']*\}'/u, `'{"orgs": 1, "traps": 2}'`);
    expect(await control.logins.operator.attempt(lies)).toBe('done');
    expect(
      await control.fleet.control(`select digest, card_hash, snapshot_at, counts -> 'orgs' as orgs,
        counts -> 'traps' as traps from credit_rollout_control.plans`),
    ).toEqual([
      {
        digest: String(n).padStart(64, '0'),
        card_hash: 'card',
        snapshot_at: new Date('2026-11-22T14:02:11Z'),
        orgs: 100,
        traps: 2,
      },
    ]);
    const old = await control.fleet.control(`select (d || jsonb_build_object('mac', encode(sha256(k.outer_pad
        || sha256(k.inner_pad || convert_to(d::text, 'UTF8'))), 'hex')))::text as seal
      from credit_rollout_control.seal_keys k cross join (
        select ${seal(302)} - 'mac' || jsonb_build_object('expires_at', clock_timestamp() - interval '1 second') as d) s
      where k.data_center = '${control.dataCenters[0]}'`);
    expect(await control.logins.operator.attempt(withSeal(302, `'${String(old[0]?.seal)}'`))).toBe('23001');
    expect(
      await control.logins.operator.attempt(`update credit_rollout_control.plans set counts = '{}', cell_seal = null`),
    ).toBe(DENIED);
  });

  test('keeps of the counts of a plan those that are known, with a number', async () => {
    const told = '{"orgs": 1, "traps": "jane", "raises": {"org 1": 37}, "first": [4711], "org 1": "37 agents"}';
    const lies = control.register(303).replace(/'\{[^']*\}'/u, `'${told}'`);
    expect(await control.logins.scheduler.attempt(lies)).toBe('done');
    const [row] = await control.fleet.control(
      `select counts from credit_rollout_control.plans where plan_id = '${control.planOf(303)}'`,
    );
    expect(row).toEqual({ counts: INSIDE });
  });

  test.each([
    ['of another name', '[{"rail": "jane.doe", "value": "9", "limit": "10", "passes": true}]'],
    ['with a text', '[{"rail": "orgsTouched", "value": "acme 4711", "limit": "10", "passes": true}]'],
    ['without a limit', '[{"rail": "orgsTouched", "value": "9", "passes": true}]'],
    ['with more', '[{"rail": "orgsTouched", "value": "9", "limit": "10", "passes": true, "org": "acme"}]'],
    ['that is a text', '["acme"]'],
  ])('takes no guard-rail %s', async (_what, rails) => {
    const forged = control.register(304).replace(/'\[[^']*\]'/u, `'${rails}'`);
    expect(await control.logins.operator.attempt(forged)).toBe(REFUSED.check);
  });

  test('takes every guard-rail as the program shows it', async () => {
    const limits = { maxRaiseFactor: 3, floorOverPlan: 2.5, totalChangePercent: 0.1, orgsTouched: 1 };
    const places = [{}, { maxRaiseFactor: 1e21, maxFloorOverPlan: 4.25, touched: 12_345, quarantined: 99, after: '7' }];
    for (const [place, own] of places.entries()) {
      const rails = readGuardRails({ ...INSIDE, ...own }, { ...limits, quarantinedShare: 0.01 });
      expect(rails).toHaveLength(RAILS.length);
      const shown = control.register(310 + place).replace(/'\[[^']*\]'/u, `'${JSON.stringify(rails)}'`);
      expect(await control.logins.operator.attempt(shown)).toBe('done');
    }
  });

  test('is not told to seal a plan', async () => {
    for (const login of Object.values(control.logins))
      expect(await login.attempt(`select credit_rollout_control.seal('${control.dataCenters[0]}', 'plan', '{}')`)).toBe(
        DENIED,
      );
    for (const login of ['worker', 'reader', 'operator', 'override', 'product', 'stranger'] as const)
      expect(await scene.logins[login].attempt('select credit_rollout.seal_plan(1)')).toBe(REFUSED.permission);
  });
});
