// docs/reference/life-of-an-org.md, rows 25 to 34: contract, purchases and payment after the sweep, and sequences.
import { afterEach, describe, expect, test } from 'vitest';
import type { TestOrg } from '../../support/cell.js';
import type { Life } from './night.js';
import { beginSwept, checkLife } from './swept.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});
const begin = (org: TestOrg): Promise<Life> => beginSwept(org, dropped);

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
    expect(await life.readAllotment()).toMatchObject({ total: 125_000, floor: 75_000 });
    await checkLife(life);
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
    expect(await life.readAllotment()).toMatchObject({ total: 2_000_000, floor: 2_000_000 });
  });

  test('row 27: bought credits come on top, row 28: and end without touching the floor (X9)', async () => {
    const life = await begin({});
    await life.edit({ additional_credits: 10_000 });
    expect(await life.night()).toMatchObject({ cause: 'purchase', movement: 'raise' });
    expect(await life.readAllotment()).toMatchObject({ total: 160_000, floor: 150_000 });
    await life.edit({ additional_credits: 0 });
    expect(await life.night()).toMatchObject({ cause: 'purchase', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000 });
    await checkLife(life);
  });

  test('row 29: a running call pack is part of the additional credits from the first decision, row 30: and ends as one', async () => {
    const life = await begin({ additional_credits: 7_000 });
    expect(await life.readAllotment()).toMatchObject({ total: 157_000, floor: 150_000 });
    expect(await life.night()).toBeUndefined();
    await life.edit({ additional_credits: 0 });
    expect(await life.night()).toMatchObject({ cause: 'purchase', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000 });
  });
});

describe('after the sweep: payment', () => {
  test('row 31: an org that pays for the first time gets plan credits and no floor (G20)', async () => {
    const life = await begin({ edition: 'free', paid: false, agents: 200 });
    await life.edit({ edition: 'professional', paid: true });
    expect(await life.night()).toMatchObject({ cause: 'paid', movement: 'raise' });
    expect(await life.readAllotment()).toMatchObject({ total: 175_000, floor: null, unpaidSince: null });
  });

  test('row 32: a lapse leaves the free allotment and what was bought; the floor is suspended', async () => {
    const life = await begin({ additional_credits: 1_000 });
    await life.edit({ paid: false });
    expect(await life.night()).toMatchObject({ cause: 'lapse', movement: 'fall', outcome: 'healed' });
    const [today] = await life.cell.sql(`select (now() at time zone 'UTC')::date::text as today`);
    expect(await life.readAllotment()).toMatchObject({ total: 6_000, floor: 150_000, unpaidSince: today?.today });
    await checkLife(life);
  });

  test('row 33: a return within the grace brings the floor back (G28)', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.sleepDays(20);
    expect(await life.night()).toBeUndefined();
    await life.edit({ paid: true });
    expect(await life.night()).toMatchObject({ cause: 'return', movement: 'raise', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000, unpaidSince: null });
    await checkLife(life);
  });

  test('row 33: a return with a lower edition brings the floor back lowered', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.edit({ paid: true, edition: 'express' });
    expect(await life.night()).toMatchObject({ cause: 'edition', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 55_000, floor: 50_000, floorEdition: 'express' });
  });

  test('row 34: after the grace the floor ends, and a return has none (G29)', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.sleepDays(31);
    expect(await life.night()).toMatchObject({ cause: 'lapse', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 5_000, floor: null });
    await life.sleepDays(14);
    await life.edit({ paid: true });
    expect(await life.night()).toMatchObject({ cause: 'paid', movement: 'raise', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 125_000, floor: null });
    await checkLife(life);
  });

  test('row 34: a return on the day on which the floor ended is not held up by the limit on lapses', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.sleepDays(45);
    await life.edit({ paid: true });
    expect(await life.night({ maxLapsed: 0 })).toMatchObject({ cause: 'lapse', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 125_000, floor: null });
  });

  test('a floor stays on the last day of the grace', async () => {
    const life = await begin({});
    await life.edit({ paid: false });
    await life.night();
    await life.sleepDays(30);
    expect(await life.night()).toBeUndefined();
    await life.edit({ paid: true });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000 });
  });
});

describe('sequences', () => {
  test('G7, G22, G23: 150,000 throughout', async () => {
    const life = await begin({});
    for (const agents of [300, 400, 100]) {
      await life.edit({ agents });
      await life.night();
      expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000 });
    }
    await checkLife(life);
  });

  test('G7, professional 225,000, standard with 100 agents 150,000', async () => {
    const life = await begin({});
    await life.edit({ edition: 'professional' });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 225_000 });
    await life.edit({ edition: 'standard', agents: 100 });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 150_000 });
  });

  test('an ended floor does not return: unpaid, paid on day 20, unpaid, paid 45 days later, unpaid, paid next day', async () => {
    const life = await begin({});
    const totals: (number | undefined)[] = [];
    const step = async (days: number, paid: boolean): Promise<void> => {
      await life.sleepDays(days);
      await life.night();
      await life.edit({ paid });
      await life.night();
      totals.push((await life.readAllotment())?.total);
    };
    await step(0, false);
    await step(20, true);
    await step(3, false);
    await step(45, true);
    await step(3, false);
    await step(1, true);
    expect(totals).toEqual([5_000, 150_000, 5_000, 125_000, 5_000, 125_000]);
    await checkLife(life);
  });

  test('G12: the purchase ends 150,000, another is bought 155,000', async () => {
    const life = await begin({ additional_credits: 10_000 });
    expect(await life.readAllotment()).toMatchObject({ total: 160_000 });
    await life.edit({ additional_credits: 0 });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 150_000 });
    await life.edit({ additional_credits: 5_000 });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 155_000 });
  });
});
