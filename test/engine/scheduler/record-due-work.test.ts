// What a poll of a scheduler costs control: as much for many data centers as for one, and one write for all that is
// due.
import { afterEach, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../../src/engine/context.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/**
 * One data center that is done, and as many more of control's rows with the same values; paused, so that no cell is
 * asked.
 */
async function makeMany(more: number): Promise<Fleet> {
  const fleet = await createFleet({ orgs: 20 });
  dropped.push(fleet.drop);
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  await fleet.control(
    `insert into credit_rollout_control.data_centers
     select (jsonb_populate_record(d, jsonb_build_object('id', 'x' || n, 'position', 100 + n))).*
     from credit_rollout_control.data_centers d, generate_series(1, $1::int) n`,
    [more],
  );
  await fleet.control(`update credit_rollout_control.data_centers set intent = 'pause', single_writes = false`);
  return fleet;
}

/** The engine, and how often it opened a transaction of control. */
function countTransactions(engine: EngineContext): { readonly engine: EngineContext; count(): number } {
  let count = 0;
  const { control } = engine;
  const inTransaction: typeof control.inTransaction = (fn) => {
    count += 1;
    return control.inTransaction(fn);
  };
  return { engine: { ...engine, control: { ...control, inTransaction } }, count: () => count };
}

const makeNightsDue = (fleet: Fleet): Promise<unknown> =>
  fleet.control(`update credit_rollout_control.data_centers set done_at = clock_timestamp() - interval '1 day'`);
const nightsOf = (fleet: Fleet): Promise<readonly unknown[]> =>
  fleet.control(`select data_center, state from credit_rollout_control.due_work where kind = 'reconcile'`);

describe('recordDueWork', () => {
  test.each([0, 7])('writes nothing where nothing is new, and reads once, with %i data centers more', async (more) => {
    const fleet = await makeMany(more);
    await tick(fleet.engine);
    const counted = countTransactions(fleet.engine);
    expect(await tick(counted.engine)).toBe(0);
    // the snapshot, and what is on the calendar
    expect(counted.count()).toBe(2);
  });

  test('takes no more to write what is due in many data centers than in two', async () => {
    const cost = async (more: number): Promise<number> => {
      const fleet = await makeMany(more);
      await makeNightsDue(fleet);
      const counted = countTransactions(fleet.engine);
      await tick(counted.engine);
      expect(await nightsOf(fleet)).toHaveLength(1 + more);
      return counted.count();
    };
    expect(await cost(7)).toBe(await cost(1));
  });

  test('writes each night and hold once when schedulers poll at the same time', async () => {
    const fleet = await makeMany(7);
    await makeNightsDue(fleet);
    const engines = [fleet.engine, fleet.engine, fleet.engine];
    await Promise.all(engines.map((engine) => tick(engine)));
    expect(await nightsOf(fleet)).toHaveLength(8);
    const held = await fleet.control('select distinct data_center from credit_rollout_control.holds');
    expect(held).toHaveLength(8);
  });

  test('keeps since when a hold is there, and takes it away when it is over', async () => {
    const fleet = await makeMany(0);
    const holds = () => fleet.control('select code, since::text from credit_rollout_control.holds');
    await tick(fleet.engine);
    const [held] = await holds();
    expect(held).toMatchObject({ code: 'paused' });
    await tick(fleet.engine);
    expect(await holds()).toEqual([held]);
    await fleet.control(`update credit_rollout_control.data_centers set intent = 'run'`);
    await tick(fleet.engine);
    expect(await holds()).toEqual([]);
  });
});
