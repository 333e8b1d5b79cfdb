// docs/reference/life-of-an-org.md, rows 15 to 24: seats and edition after the sweep.
import { afterEach, describe, expect, test } from 'vitest';
import type { TestOrg } from '../../support/cell.js';
import { beginLife, type Life } from './night.js';
import { beginSwept, checkLife } from './swept.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});
const begin = (org: TestOrg): Promise<Life> => beginSwept(org, dropped);

const SIGNED_UP_AFTER = '2025-11-15 12:00+00';

describe('after the sweep: seats', () => {
  test('row 15: more full agents let the top-up shrink; the floor is not raised (G22), the total follows above it', async () => {
    const life = await begin({});
    await life.edit({ agents: 400 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'inputs', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({
      total: 150_000,
      floor: 150_000,
      grandfathered: 0,
      winner: 'credits',
    });
    await life.edit({ agents: 500 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'raise', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 175_000, floor: 150_000 });
    await checkLife(life);
  });

  test('row 16: fewer full agents let the top-up grow; the total stops at the floor (G23)', async () => {
    const life = await begin({ additional_credits: 2_000 });
    await life.edit({ agents: 100 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'inputs' });
    expect(await life.readAllotment()).toMatchObject({ total: 152_000, floor: 150_000, grandfathered: 75_000 });
    await life.edit({ agents: 600 });
    await life.night();
    await life.edit({ agents: 0 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 152_000, floor: 150_000, grandfathered: 100_000 });
    await checkLife(life);
  });

  test('row 17: without a floor fewer full agents are the org’s own fall', async () => {
    const life = await beginLife({}, dropped, { first: 'later' });
    await life.cutOver();
    await life.cell.insertOrgs({ org_id: 1, created_at: SIGNED_UP_AFTER });
    await life.night();
    expect(await life.readAllotment()).toMatchObject({ total: 125_000, floor: null });
    await life.edit({ agents: 100 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 75_000, floor: null, grandfathered: 0 });
    await checkLife(life);
  });

  test('row 18: light agents change no term; the inputs are kept up to date', async () => {
    const life = await begin({});
    for (const light_agents of [500, 20]) {
      await life.edit({ light_agents });
      expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'inputs', outcome: 'healed' });
      expect(await life.readAllotment()).toMatchObject({ total: 150_000, floor: 150_000, grandfathered: 25_000 });
    }
    expect(await life.night()).toBeUndefined();
  });

  test('row 19: light agents that become full agents are as more seats', async () => {
    const life = await begin({ agents: 700, light_agents: 200 });
    expect(await life.readAllotment()).toMatchObject({ total: 250_000, floor: 250_000 });
    await life.edit({ agents: 900, light_agents: 0 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'raise' });
    expect(await life.readAllotment()).toMatchObject({ total: 275_000, floor: 250_000 });
  });
});

describe('after the sweep: edition', () => {
  test('row 20: an upgrade gives the plan credits of the new edition, and not its legacy limit (G24)', async () => {
    const life = await begin({});
    await life.edit({ edition: 'professional' });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'raise' });
    expect(await life.readAllotment()).toMatchObject({ total: 225_000, floor: 150_000, floorEdition: 'standard' });
  });

  test('row 21: a downgrade below the edition of the floor lowers it to the legacy limit of today, with its edition', async () => {
    const life = await begin({});
    await life.edit({ edition: 'express' });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({
      total: 55_000,
      floor: 50_000,
      floorEdition: 'express',
      winner: 'credits',
    });
    expect(await life.lastCause()).toBe('edition');
    await checkLife(life);
  });

  test('row 22: an upgrade and back leaves the floor, with fewer seats too', async () => {
    const life = await begin({});
    await life.edit({ edition: 'professional' });
    await life.night();
    await life.edit({ edition: 'standard', agents: 100 });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({
      total: 150_000,
      floor: 150_000,
      floorEdition: 'standard',
      grandfathered: 75_000,
    });
  });

  test('row 23: sideways changes nothing but the name (X2)', async () => {
    const life = await begin({ edition: 'zoho_one', agents: 150, light_agents: 100 });
    expect(await life.readAllotment()).toMatchObject({ total: 375_000, floor: 375_000 });
    await life.edit({ edition: 'enterprise' });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'inputs', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 375_000, floor: 375_000, floorEdition: 'zoho_one' });
    expect(await life.night()).toBeUndefined();
  });

  test('row 24: a downgrade with a negotiated limit still in the source keeps the floor', async () => {
    const life = await begin({ edition: 'enterprise', agents: 25, legacy_limit: 2_000_000 });
    await life.edit({ edition: 'standard' });
    expect(await life.night()).toMatchObject({ cause: 'edition', outcome: 'healed', proposed: null });
    expect(await life.readAllotment()).toMatchObject({ total: 2_000_000, floor: 2_000_000, floorEdition: 'standard' });
    await checkLife(life);
  });
});
