// The operator's own question at the end of a bake, asked on a real cell: it holds the data center until it is true.
import { afterEach, describe, expect, test } from 'vitest';
import { createFleet, type Fleet } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const HEALTH = 'create table public.health (fine boolean not null); grant select on public.health to public';

/** A fleet of one data center that asks this at the end of its bake. */
async function makeBaking(query: string): Promise<Fleet> {
  const fleet = await createFleet({ orgs: 50, rollout: `{ batchSize: 100, bakeQuery: "${query}" }` });
  dropped.push(fleet.drop);
  return fleet;
}

const holdsOf = (fleet: Fleet) =>
  fleet.control('select code, value from credit_rollout_control.holds order by data_center, position');

describe('rollout.bakeQuery', () => {
  test('keeps a data center baking until it returns true', async () => {
    const fleet = await makeBaking('select bool_and(fine) from public.health');
    const cell = fleet.cell(0);
    // no row at all is null, which is not true
    await cell.sql(HEALTH);
    await fleet.apply(cell);
    for (const state of ['nothing known', 'not fine']) {
      expect([state, await fleet.drive()]).toEqual([state, ['baking']]);
      expect(await holdsOf(fleet)).toEqual([{ code: 'bake_query', value: 'false' }]);
      await cell.sql('insert into public.health values (false)');
    }
    await cell.sql('update public.health set fine = true');
    expect(await fleet.drive()).toEqual(['done']);
    expect(await holdsOf(fleet)).toEqual([]);
    await fleet.expectInvariants();
  });

  test('that cannot run holds it with bake_query_failed and the reason, until it is repaired', async () => {
    const fleet = await makeBaking('select fine from public.health');
    const cell = fleet.cell(0);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['baking']);
    expect(await holdsOf(fleet)).toEqual([{ code: 'bake_query_failed', value: '42P01' }]);
    await cell.sql(`${HEALTH}; insert into public.health values (true)`);
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  });

  test.each([
    ['that would write', 'delete from public.health returning true', '42601'],
    ['that writes inside a query', 'with gone as (delete from public.health returning 1) select true', '0A000'],
    ['that calls what writes', 'select public.empty_health()', '25006'],
    ['that ends its transaction first', 'select true; commit; delete from public.health', '42601'],
    ['that leaves its role', 'reset role', '42601'],
    ['that allows itself to write', `select set_config('transaction_read_only', 'off', true) = 'off'`, '25001'],
    ['that runs a block', 'do $$ begin delete from public.health; end $$', '42601'],
  ])('%s is not run, and holds it too', async (_what, query, code) => {
    const fleet = await makeBaking(query.replaceAll('"', '\\"'));
    const cell = fleet.cell(0);
    await cell.sql(`${HEALTH}; insert into public.health values (true); grant delete on public.health to public;
      create function public.empty_health() returns boolean language sql as 'delete from public.health returning true'`);
    await fleet.apply(cell);
    expect(await fleet.drive()).toEqual(['baking']);
    expect(await holdsOf(fleet)).toEqual([{ code: 'bake_query_failed', value: code }]);
    expect(await cell.sql('select fine from public.health')).toEqual([{ fine: true }]);
  });
});
