// docs/reference/life-of-an-org.md, rows 9 to 14: after the data center's rollout, before its cut-over is swept.
import { afterEach, describe, expect, test } from 'vitest';
import type { TestOrg } from '../../support/cell.js';
import { expectInvariants } from '../../support/invariants.js';
import { beginLife, type Life } from './night.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const begin = (org: TestOrg, options?: Parameters<typeof beginLife>[2]): Promise<Life> =>
  beginLife(org, dropped, options);
const check = ({ cell }: Life): Promise<void> =>
  expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }] });

describe('open window', () => {
  test('row 9: a free org that becomes paid gets its legacy limit as floor (G19)', async () => {
    const life = await begin({ edition: 'free', paid: false, agents: 200 });
    await life.edit({ edition: 'professional', paid: true });
    expect(await life.night()).toMatchObject({ cause: 'paid', movement: 'raise', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({
      total: 200_000,
      floor: 200_000,
      grandfathered: 25_000,
      winner: 'legacy',
    });
    await check(life);
  });

  test('row 10: more seats raise the floor with the legacy limit (G21)', async () => {
    const life = await begin({});
    await life.edit({ agents: 400 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'raise', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 200_000, floor: 200_000, grandfathered: 50_000 });
    expect(await life.lastCause()).toBe('seats');
    await check(life);
  });

  test('row 10: a higher edition raises the floor, which is then that of the edition', async () => {
    const life = await begin({ agents: 150, edition: 'standard' });
    await life.edit({ edition: 'professional' });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'raise', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ floor: 150_000, floorEdition: 'professional', total: 150_000 });
  });

  test('row 10 above twice the floor: only plan credits move, and the floor is proposed (X1), every night', async () => {
    const life = await begin({ edition: 'professional', agents: 10 });
    await life.edit({ light_agents: 990 });
    expect(await life.night()).toEqual({
      cause: 'seats',
      movement: 'inputs',
      outcome: 'proposed',
      proposed: 1_000_000,
    });
    expect(await life.readAllotment()).toMatchObject({ total: 80_000, floor: 50_000, winner: 'credits' });
    for (const _night of ['second', 'third'])
      expect(await life.night()).toEqual({
        cause: 'seats',
        movement: 'same',
        outcome: 'proposed',
        proposed: 1_000_000,
      });
    await check(life);
  });

  test('row 11: a negotiated limit found late becomes the floor, above twice the floor too (X8)', async () => {
    const life = await begin({ edition: 'enterprise', agents: 25 });
    await life.edit({ legacy_limit: 2_000_000 });
    expect(await life.night()).toEqual({ cause: 'late input', movement: 'raise', outcome: 'healed', proposed: null });
    expect(await life.readAllotment()).toMatchObject({ total: 2_000_000, floor: 2_000_000, grandfathered: 1_875_000 });
    await check(life);
  });

  test('row 12: fewer seats lower the total to the floor and no further', async () => {
    const life = await begin({ edition: 'standard', agents: 1_000, additional_credits: 5_000 });
    expect(await life.readAllotment()).toMatchObject({ total: 305_000, floor: 250_000 });
    await life.edit({ agents: 100 });
    expect(await life.night()).toMatchObject({ cause: 'seats', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 255_000, floor: 250_000, winner: 'legacy' });
    await check(life);
  });

  test('row 12: a negotiated limit that is removed leaves the floor', async () => {
    const life = await begin({ edition: 'enterprise', agents: 25, legacy_limit: 2_000_000 });
    await life.edit({ legacy_limit: null });
    expect(await life.night()).toMatchObject({ cause: 'late input', movement: 'inputs', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 2_000_000, floor: 2_000_000 });
  });

  test('row 13: an edition below that of the floor lowers it to the legacy limit of today', async () => {
    const life = await begin({ edition: 'professional', agents: 200 });
    await life.edit({ edition: 'standard' });
    expect(await life.night()).toMatchObject({ cause: 'edition', movement: 'fall', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ floor: 100_000, floorEdition: 'standard', total: 100_000 });
    expect(await life.lastCause()).toBe('edition');
    await check(life);
  });

  test('row 14: a sign-up that the gate left on legacy is decided by the night as a first decision (G18)', async () => {
    const life = await begin({}, { first: 'later' });
    await life.cell.insertOrgs({ org_id: 1, created_at: new Date().toISOString() });
    await life.cell.sql(`insert into credit_rollout.sign_ups values (1, 'legacy', clock_timestamp())`);
    expect(await life.capacity()).toBe(150_000);
    expect(await life.night()).toMatchObject({ cause: 'legacy sign-up', movement: 'first', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({
      total: 150_000,
      floor: 150_000,
      origin: 'migrated',
      version: 1,
    });
    expect(await life.night()).toBeUndefined();
  });

  test('row 14: a free sign-up becomes a free row, and a sign-up nobody asked the gate about is found too', async () => {
    const life = await begin({}, { first: 'later' });
    await life.cell.insertOrgs({ org_id: 1, created_at: new Date().toISOString(), edition: 'free', paid: false });
    expect(await life.sweep()).toMatchObject({ cause: 'legacy sign-up', movement: 'first', outcome: 'healed' });
    expect(await life.readAllotment()).toMatchObject({ total: 5_000, floor: null });
  });
});
