// docs/reference/life-of-an-org.md, rows 38, 40, 42, 44, 46 to 50: who comes, goes, returns, is quarantined, and the
// vendor's new cards.
import { afterEach, describe, expect, test } from 'vitest';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { explainOrg } from '../../../src/engine/org/explain-org.js';
import { secondCard } from '../../domain/rate-card/sample-card.js';
import { applyAll, type TestOrg } from '../../support/cell.js';
import { expectInvariants } from '../../support/invariants.js';
import { beginLife, type Life, runNight } from './night.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function begin(org: TestOrg, swept: 'swept' | 'open' = 'swept'): Promise<Life> {
  const life = await beginLife(org, dropped);
  if (swept === 'swept') await life.cutOver();
  return life;
}
const later = async (): Promise<Life> => {
  const life = await beginLife({}, dropped, { first: 'later' });
  await life.cutOver();
  return life;
};
const check = ({ cell }: Life, except: readonly string[] = []): Promise<void> =>
  expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }], except });
const changes = async ({ cell }: Life): Promise<readonly unknown[]> =>
  (
    await cell.sql('select operation, cause from credit_rollout.allotment_changes where org_id = 1 order by change_id')
  ).map(({ operation, cause }) => `${operation} ${cause}`);

describe('sign-ups around the instant', () => {
  test('row 38: an org that the gate left on legacy is found by the sweep and has its floor', async () => {
    const life = await later();
    await life.cell.insertOrgs({ org_id: 1, created_at: '2025-10-30 00:00:01+00' });
    await life.cell.sql(`insert into credit_rollout.sign_ups values (1, 'legacy', '2025-10-29 23:59:59+00')`);
    expect(await life.sweep()).toMatchObject({ cause: 'legacy sign-up', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000, origin: 'migrated' });
    expect(await life.sweep()).toBeUndefined();
    await check(life);
  });

  test('row 40: an org that bypassed the gate gets plan credits and no floor', async () => {
    const life = await later();
    await life.cell.insertOrgs({ org_id: 1, created_at: '2025-10-30 00:00+00' });
    expect(await life.capacity()).toBe(150_000);
    expect(await life.sweep()).toMatchObject({ cause: 'missed sign-up', movement: 'first', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 125_000, floor: null, origin: 'signup' });
    await check(life);
  });

  test('row 42: while the instant is to come the window is open, armed or not', async () => {
    const life = await begin({}, 'open');
    await life.cell.sql(
      `update credit_rollout.gate set configured_at = now() + interval '9 days', armed_at = now(), effective_at = now() + interval '9 days'`,
    );
    await life.edit({ agents: 400 });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 200_000, floor: 200_000 });
  });
});

describe('moves and ends', () => {
  test('row 44: an org that was moved in gets its floor by the legacy limit that it brought, after the sweep too (X7)', async () => {
    const life = await later();
    await life.cell.insertOrgs({ org_id: 1, agents: 100, legacy_limit: 150_000 });
    expect(await life.night()).toMatchObject({ cause: 'late input', movement: 'first', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000, origin: 'migrated' });
  });

  test('row 44: a moved org that had no floor brings 0', async () => {
    const life = await later();
    await life.cell.insertOrgs({ org_id: 1, legacy_limit: 0 });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 125_000, floor: 0, winner: 'credits' });
  });

  test('row 46: an org that is gone has its allotment retired, and kept in the changes', async () => {
    const life = await begin({});
    await life.leave();
    expect(await life.night()).toMatchObject({ cause: 'gone', movement: 'gone', outcome: 'healed' });
    expect(await life.readAllotment()).toBeUndefined();
    expect(await changes(life)).toEqual(['delete gone']);
    expect(await life.night()).toBeUndefined();
    await check(life);
  });

  test('row 46: a sweep retires nobody', async () => {
    const life = await begin({});
    await life.leave();
    expect(await life.sweep()).toBeUndefined();
    expect(await life.readAllotment()).toMatchObject({ total: 150_000 });
  });

  test('row 46b: an org that comes back has its floor back, by the rules for its inputs of today', async () => {
    const life = await begin({});
    await life.leave();
    await life.night();
    await life.cell.insertOrgs({ org_id: 1, agents: 100 });
    expect(await life.night()).toMatchObject({ cause: 'return', movement: 'first', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({
      total: 150_000,
      floor: 150_000,
      grandfathered: 75_000,
      version: 2,
    });
    expect(await changes(life)).toEqual(['delete gone', 'update return']);
    await check(life);
  });

  test('row 46b: before the night the product, verify and why know what was retired', async () => {
    const life = await begin({});
    await life.leave();
    await life.night();
    await life.cell.insertOrgs({ org_id: 1, agents: 100, additional_credits: 7 });
    expect(await life.capacity()).toBe(150_007);
    expect(await life.cell.sql('select model from credit_rollout.org_capacity where org_id = 1')).toEqual([
      { model: 'credits' },
    ]);
    const { context, dataCenter } = life.cell;
    expect(await verifyDataCenter(context, dataCenter.id)).toMatchObject({
      mismatches: 0,
      unaccounted: 0,
      appeared: 0,
      cutover: { verdict: 'proven' },
    });
    expect(await explainOrg(context, { dataCenter: dataCenter.id, orgId: '1' })).toMatchObject({
      recompute: { kind: 'decided', movement: 'first', allotment: { totalCredits: 150_007n, floor: 150_000n } },
      capacity: { model: 'credits', capacity: 150_007n },
    });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 150_007, floor: 150_000 });
    expect(await verifyDataCenter(context, dataCenter.id)).toMatchObject({ mismatches: 0, unaccounted: 0 });
  });

  test('row 46b: one whose first decision would overflow comes back by its floor, and a later apply keeps that', async () => {
    const life = await begin({});
    await life.leave();
    await life.night();
    await life.cell.insertOrgs({ org_id: 1, legacy_limit: '9223372036854775807', additional_credits: 1 });
    expect(await life.capacity()).toBe(150_001);
    expect(await life.night()).toMatchObject({ cause: 'return', outcome: 'healed' });
    await life.leave();
    await life.night();
    await life.cell.insertOrgs({ org_id: 1, agents: 100 });
    await applyAll(life.cell, { batchSize: 100 });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000, version: 1 });
    const { context, dataCenter } = life.cell;
    expect(await verifyDataCenter(context, dataCenter.id)).toMatchObject({ mismatches: 0, unaccounted: 0 });
    await check(life);
  });

  test('row 46b: a sweep brings the floor back too, and leaves a fall to the night', async () => {
    const life = await begin({ agents: 1_000 });
    await life.leave();
    await life.night();
    await life.cell.insertOrgs({ org_id: 1, agents: 100 });
    expect(await life.sweep()).toMatchObject({ cause: 'return', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 300_000, floor: 250_000 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 250_000, floor: 250_000 });
  });

  test('row 46b: unpaid time counts while it is away', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.leave();
    await life.night();
    await life.sleepDays(45);
    await life.cell.insertOrgs({ org_id: 1 });
    expect(await life.night()).toMatchObject({ cause: 'return', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 125_000, floor: null, unpaidSince: null });
    expect(await changes(life)).toEqual(['update lapse', 'delete gone', 'update lapse']);
    await check(life);
  });

  test('row 46b: one that comes back with a lower edition has its floor lowered under that name', async () => {
    const life = await begin({});
    await life.leave();
    await life.night();
    await life.cell.insertOrgs({ org_id: 1, edition: 'express' });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 55_000, floor: 50_000 });
    expect(await changes(life)).toEqual(['delete gone', 'update edition']);
    await check(life);
  });

  test('row 46c: a suspended org, whose row stays, keeps everything', async () => {
    const life = await begin({});
    await life.edit({ peak_credits: 0 });
    expect(await life.night()).toBeUndefined();
  });

  test('row 46d: what is split off has no floor, and the survivor keeps its own', async () => {
    const life = await begin({});
    await life.edit({ agents: 150 });
    await life.cell.insertOrgs({ org_id: 2, agents: 150, created_at: '2026-01-05 00:00+00' });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000 });
    expect(await life.cell.sql('select floor, total_credits from credit_rollout.allotments where org_id = 2')).toEqual([
      { floor: null, total_credits: '87500' },
    ]);
  });
});

describe('quarantine', () => {
  test('row 47: on release after the sweep an org gets its first decision, its floor its legacy limit (X6)', async () => {
    const life = await begin({ edition: 'retired' });
    expect(await life.readAllotment()).toBeUndefined();
    expect(await life.night()).toBeUndefined();
    await life.edit({ edition: 'standard' });
    expect(await life.night()).toMatchObject({ cause: 'release', movement: 'first', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000 });
  });

  test('row 48: an allotment whose org has no created_at any more is listed, and stays', async () => {
    const life = await begin({});
    await life.edit({ created_at: null });
    const { runId } = await runNight(life.cell);
    expect(
      await life.cell.sql('select org_id, reason from credit_rollout.quarantine where run_id = $1', [String(runId)]),
    ).toEqual([{ org_id: '1', reason: 'null_created_at' }]);
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, version: 1 });
  });

  test('row 48: an org that becomes undecidable keeps its allotment untouched, and is listed', async () => {
    const life = await begin({});
    await life.edit({ agents: -1 });
    const { runId } = await runNight(life.cell);
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, version: 1 });
    expect(
      await life.cell.sql('select org_id, reason from credit_rollout.quarantine where run_id = $1', [String(runId)]),
    ).toEqual([{ org_id: '1', reason: 'negative_agents' }]);
    await check(life, ['I1']);
  });
});

describe('new cards', () => {
  test('row 49: the falls of a new card never come by a night, not with another change either', async () => {
    const life = await begin({ edition: 'enterprise', agents: 25 });
    await applyAll(life.cell, { batchSize: 100, card: secondCard });
    expect(await life.readAllotment()).toMatchObject({ total: 125_000 });
    const proposed = { cause: 'rate card', movement: 'fall', outcome: 'proposed' };
    expect(await life.night()).toMatchObject(proposed);
    await life.edit({ light_agents: 3 });
    expect(await life.night()).toMatchObject(proposed);
    expect(await life.readAllotment()).toMatchObject({ total: 125_000 });
    await life.edit({ agents: 100 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'raise', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 160_000, floor: 75_000 });
  });

  test('row 49: a person who accepts the falls of a night accepts those of the card too', async () => {
    const life = await begin({ edition: 'enterprise', agents: 25 });
    await applyAll(life.cell, { batchSize: 100, card: secondCard });
    expect(await life.night({ falls: 'accepted' })).toMatchObject({ cause: 'rate card', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 100_000, floor: 75_000 });
    expect(await life.night()).toBeUndefined();
    await check(life);
  });

  test('rows 16, 28, 32: what an org changes itself falls at night under the card that it has, the rest stays proposed', async () => {
    const life = await begin({ edition: 'enterprise', agents: 125, additional_credits: 7_000 });
    await applyAll(life.cell, { batchSize: 100, card: secondCard });
    expect(await life.readAllotment()).toMatchObject({ total: 232_000, floor: 187_500 });
    await life.edit({ agents: 110 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 217_000 });
    await life.edit({ additional_credits: 0 });
    expect(await life.night()).toMatchObject({ cause: 'purchase', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 210_000 });
    expect(await life.night()).toMatchObject({ cause: 'rate card', movement: 'fall', outcome: 'proposed' });
    await life.edit({ paid: false });
    expect(await life.night()).toMatchObject({ cause: 'lapse', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 5_000, floor: 187_500 });
    await check(life);
  });

  test('an allotment that the new card gives the same number is on it after a night', async () => {
    const life = await begin({ agents: 300 });
    await applyAll(life.cell, { batchSize: 100, card: secondCard });
    expect(await life.night()).toMatchObject({ cause: 'rate card', movement: 'inputs', outcome: 'healed' });
    expect(await life.cell.sql('select distinct rate_card from credit_rollout.allotments')).toEqual([
      { rate_card: secondCard.hash },
    ]);
    expect(await life.night()).toBeUndefined();
  });

  test('row 50: a sign-up is decided with the card that its data center was last applied with', async () => {
    const life = await later();
    await applyAll(life.cell, { batchSize: 100, card: secondCard });
    await life.cell.insertOrgs({ org_id: 1, created_at: '2025-11-15 12:00+00' });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 100_000, floor: null });
  });
});
