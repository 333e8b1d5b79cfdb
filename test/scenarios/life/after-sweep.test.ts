// docs/reference/life-of-an-org.md, rows 15 to 34: seats, edition, contract, purchases and payment after the sweep.
import { afterEach, describe, expect, test } from 'vitest';
import type { TestOrg } from '../../support/cell.js';
import { expectInvariants } from '../../support/invariants.js';
import { beginLife, type Life } from './night.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/** Rolled out in the open window, and swept since. */
async function begin(org: TestOrg): Promise<Life> {
  const life = await beginLife(org, dropped);
  await life.cutOver();
  return life;
}
const check = ({ cell }: Life): Promise<void> =>
  expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }] });

const SIGNED_UP_AFTER = '2025-11-15 12:00+00';

describe('after the sweep: seats', () => {
  test('row 15: more full agents let the top-up shrink; the floor is not raised (G22), the total follows above it', async () => {
    const life = await begin({});
    await life.edit({ agents: 400 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'inputs', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 150_000, floor: 150_000, grandfathered: 0, winner: 'credits' });
    await life.edit({ agents: 500 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'raise', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 175_000, floor: 150_000 });
    await check(life);
  });

  test('row 16: fewer full agents let the top-up grow; the total stops at the floor (G23)', async () => {
    const life = await begin({ additional_credits: 2_000 });
    await life.edit({ agents: 100 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'inputs' });
    expect(await life.stands()).toMatchObject({ total: 152_000, floor: 150_000, grandfathered: 75_000 });
    await life.edit({ agents: 600 });
    await life.night();
    await life.edit({ agents: 0 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'fall', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 152_000, floor: 150_000, grandfathered: 100_000 });
    await check(life);
  });

  test('row 17: without a floor fewer full agents are the org’s own fall', async () => {
    const life = await beginLife({}, dropped, { first: 'later' });
    await life.cutOver();
    await life.cell.insertOrgs({ org_id: 1, created_at: SIGNED_UP_AFTER });
    await life.night();
    expect(await life.stands()).toMatchObject({ total: 125_000, floor: null });
    await life.edit({ agents: 100 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'fall', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 75_000, floor: null, grandfathered: 0 });
    await check(life);
  });

  test('row 18: light agents change no term; the inputs are kept up to date', async () => {
    const life = await begin({});
    for (const light_agents of [500, 20]) {
      await life.edit({ light_agents });
      expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'inputs', outcome: 'healed' });
      expect(await life.stands()).toMatchObject({ total: 150_000, floor: 150_000, grandfathered: 25_000 });
    }
    expect(await life.night()).toBeUndefined();
  });

  test('row 19: light agents that become full agents are as more seats', async () => {
    const life = await begin({ agents: 700, light_agents: 200 });
    expect(await life.stands()).toMatchObject({ total: 250_000, floor: 250_000 });
    await life.edit({ agents: 900, light_agents: 0 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'raise' });
    expect(await life.stands()).toMatchObject({ total: 275_000, floor: 250_000 });
  });
});

describe('after the sweep: edition', () => {
  test('row 20: an upgrade gives the plan credits of the new edition, and not its legacy limit (G24)', async () => {
    const life = await begin({});
    await life.edit({ edition: 'professional' });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'raise' });
    expect(await life.stands()).toMatchObject({ total: 225_000, floor: 150_000, floorEdition: 'standard' });
  });

  test('row 21: a downgrade below the edition of the floor lowers it to the legacy limit of today, with its edition', async () => {
    const life = await begin({});
    await life.edit({ edition: 'express' });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'fall', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({
      total: 55_000,
      floor: 50_000,
      floorEdition: 'express',
      winner: 'credits',
    });
    expect(await life.lastCause()).toBe('edition');
    await check(life);
  });

  test('row 22: an upgrade and back leaves the floor, with fewer seats too', async () => {
    const life = await begin({});
    await life.edit({ edition: 'professional' });
    await life.night();
    await life.edit({ edition: 'standard', agents: 100 });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'fall', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({
      total: 150_000,
      floor: 150_000,
      floorEdition: 'standard',
      grandfathered: 75_000,
    });
  });

  test('row 23: sideways changes nothing but the name (X2)', async () => {
    const life = await begin({ edition: 'zoho_one', agents: 150, light_agents: 100 });
    expect(await life.stands()).toMatchObject({ total: 375_000, floor: 375_000 });
    await life.edit({ edition: 'enterprise' });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'inputs', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 375_000, floor: 375_000, floorEdition: 'zoho_one' });
    expect(await life.night()).toBeUndefined();
  });

  test('row 24: a downgrade with a negotiated limit still in the source keeps the floor', async () => {
    const life = await begin({ edition: 'enterprise', agents: 25, legacy_limit: 2_000_000 });
    await life.edit({ edition: 'standard' });
    expect(await life.night()).toMatchObject({ cause: 'edition', outcome: 'healed', proposed: null });
    expect(await life.stands()).toMatchObject({ total: 2_000_000, floor: 2_000_000, floorEdition: 'standard' });
    await check(life);
  });
});

describe('after the sweep: contract and purchases', () => {
  test('row 25: a negotiated limit that is added or raised is proposed, never applied (X3)', async () => {
    const life = await begin({ edition: 'enterprise', agents: 25 });
    await life.edit({ legacy_limit: 500_000 });
    expect(await life.night()).toEqual({
      cause: 'late input',
      movement: 'inputs',
      outcome: 'proposed',
      proposed: 500_000,
    });
    expect(await life.stands()).toMatchObject({ total: 125_000, floor: 75_000 });
    await check(life);
  });

  test('row 26: a negotiated limit that is removed is proposed to end, and the floor stays (G30)', async () => {
    const life = await begin({ edition: 'enterprise', agents: 25, legacy_limit: 2_000_000 });
    await life.edit({ legacy_limit: null });
    expect(await life.night()).toEqual({
      cause: 'late input',
      movement: 'inputs',
      outcome: 'proposed',
      proposed: 75_000,
    });
    expect(await life.stands()).toMatchObject({ total: 2_000_000, floor: 2_000_000 });
  });

  test('row 27: bought credits come on top, row 28: and end without touching the floor (X9)', async () => {
    const life = await begin({});
    await life.edit({ additional_credits: 10_000 });
    expect(await life.night()).toMatchObject({ cause: 'purchase', movement: 'raise' });
    expect(await life.stands()).toMatchObject({ total: 160_000, floor: 150_000 });
    await life.edit({ additional_credits: 0 });
    expect(await life.night()).toMatchObject({ cause: 'purchase', movement: 'fall', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 150_000, floor: 150_000 });
    await check(life);
  });

  test('row 29: a running call pack is part of the additional credits from the first decision, row 30: and ends as one', async () => {
    const life = await begin({ additional_credits: 7_000 });
    expect(await life.stands()).toMatchObject({ total: 157_000, floor: 150_000 });
    expect(await life.night()).toBeUndefined();
    await life.edit({ additional_credits: 0 });
    expect(await life.night()).toMatchObject({ cause: 'purchase', movement: 'fall', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 150_000, floor: 150_000 });
  });
});

describe('after the sweep: payment', () => {
  test('row 31: an org that pays for the first time gets plan credits and no floor (G20)', async () => {
    const life = await begin({ edition: 'free', paid: false, agents: 200 });
    await life.edit({ edition: 'professional', paid: true });
    expect(await life.night()).toMatchObject({ cause: 'paid', movement: 'raise' });
    expect(await life.stands()).toMatchObject({ total: 175_000, floor: null, unpaidSince: null });
  });

  test('row 32: a lapse leaves the free allotment and what was bought; the floor is suspended', async () => {
    const life = await begin({ additional_credits: 1_000 });
    await life.edit({ paid: false });
    expect(await life.night()).toMatchObject({ cause: 'lapse', movement: 'fall', outcome: 'healed' });
    const [today] = await life.cell.sql(`select (now() at time zone 'UTC')::date::text as today`);
    expect(await life.stands()).toMatchObject({ total: 6_000, floor: 150_000, unpaidSince: today?.today });
    await check(life);
  });

  test('row 33: a return within the grace brings the floor back (G28)', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.sleepDays(20);
    expect(await life.night()).toBeUndefined();
    await life.edit({ paid: true });
    expect(await life.night()).toMatchObject({ cause: 'return', movement: 'raise', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 150_000, floor: 150_000, unpaidSince: null });
    await check(life);
  });

  test('row 33: a return with a lower edition brings the floor back lowered', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.edit({ paid: true, edition: 'express' });
    expect(await life.night()).toMatchObject({ cause: 'edition', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 55_000, floor: 50_000, floorEdition: 'express' });
  });

  test('row 34: after the grace the floor ends, and a return has none (G29)', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.sleepDays(31);
    expect(await life.night()).toMatchObject({ cause: 'lapse', movement: 'fall', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 5_000, floor: null });
    await life.sleepDays(14);
    await life.edit({ paid: true });
    expect(await life.night()).toMatchObject({ cause: 'paid', movement: 'raise', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 125_000, floor: null });
    await check(life);
  });

  test('row 34: a return on the day on which the floor ended is not held up by the limit on lapses', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.sleepDays(45);
    await life.edit({ paid: true });
    expect(await life.night({ maxLapsed: 0 })).toMatchObject({ cause: 'lapse', outcome: 'healed' });
    expect(await life.stands()).toMatchObject({ total: 125_000, floor: null });
  });

  test('a floor stays on the last day of the grace', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.sleepDays(30);
    expect(await life.night()).toBeUndefined();
    await life.edit({ paid: true });
    await life.night();
    expect(await life.stands()).toMatchObject({ total: 150_000, floor: 150_000 });
  });
});

describe('sequences', () => {
  test('G7, G22, G23: 150,000 throughout', async () => {
    const life = await begin({});
    for (const agents of [300, 400, 100]) {
      await life.edit({ agents });
      await life.night();
      expect(await life.stands()).toMatchObject({ total: 150_000, floor: 150_000 });
    }
    await check(life);
  });

  test('G7, professional 225,000, standard with 100 agents 150,000', async () => {
    const life = await begin({});
    await life.edit({ edition: 'professional' });
    await life.night();
    expect(await life.stands()).toMatchObject({ total: 225_000 });
    await life.edit({ edition: 'standard', agents: 100 });
    await life.night();
    expect(await life.stands()).toMatchObject({ total: 150_000 });
  });

  test('an ended floor does not return: unpaid, paid on day 20, unpaid, paid 45 days later, unpaid, paid next day', async () => {
    const life = await begin({});
    const totals: (number | undefined)[] = [];
    const step = async (days: number, paid: boolean): Promise<void> => {
      await life.sleepDays(days);
      await life.night();
      await life.edit({ paid });
      await life.night();
      totals.push((await life.stands())?.total);
    };
    await step(0, false);
    await step(20, true);
    await step(3, false);
    await step(45, true);
    await step(3, false);
    await step(1, true);
    expect(totals).toEqual([5_000, 150_000, 5_000, 125_000, 5_000, 125_000]);
    await check(life);
  });

  test('G12: the purchase ends 150,000, another is bought 155,000', async () => {
    const life = await begin({ additional_credits: 10_000 });
    expect(await life.stands()).toMatchObject({ total: 160_000 });
    await life.edit({ additional_credits: 0 });
    await life.night();
    expect(await life.stands()).toMatchObject({ total: 150_000 });
    await life.edit({ additional_credits: 5_000 });
    await life.night();
    expect(await life.stands()).toMatchObject({ total: 155_000 });
  });
});
