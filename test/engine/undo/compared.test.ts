// What an undo takes back is compared with what was judged, in the statement that takes it back: nothing is locked before.
import pg from 'pg';
import { afterEach, expect, test } from 'vitest';
import { hasLockWait } from '../../support/cell.js';
import type { Fleet } from '../../support/fleet.js';
import { waitFor } from '../../support/wait.js';
import { allotmentsOf, createDone, undo } from './undo-scene.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/** Holds what `change` changes until the worker waits for it, and then keeps it; returns what `work` does. */
async function changeMeanwhile<T>(fleet: Fleet, change: string, work: () => Promise<T>): Promise<T> {
  const holder = new pg.Client(fleet.cell(0).url);
  await holder.connect();
  try {
    await holder.query('begin');
    await holder.query(change);
    const working = work();
    await waitFor('the undo to wait', () => hasLockWait(fleet.cell(0)));
    await holder.query('commit');
    return await working;
  } finally {
    await holder.end();
  }
}

const counted = (fleet: Fleet) =>
  fleet.cell(0).sql(`select sum(raised)::int as undone, sum(stale)::int as stale
    from credit_rollout.batches b join credit_rollout.runs r using (run_id) where r.kind = 'undo'`);

test('a range is judged again where somebody changes or deletes what it would take away', async () => {
  const done = await createDone((drop) => dropped.push(drop));
  const { fleet } = done;
  const { sql, dataCenter } = fleet.cell(0);
  // bought for since: nobody's change, but no first decision any more
  await sql('update public.orgs set additional_credits = 7000 where org_id = 17');
  await fleet.control(
    `update credit_rollout_control.data_centers set done_at = done_at - interval '2 days' where id = $1`,
    [dataCenter.id],
  );
  await fleet.drive();
  const before = (await allotmentsOf(fleet)).length;
  const change = `update credit_rollout.allotments set agents = agents + 1 where org_id in (12, 17);
    delete from credit_rollout.allotments where org_id = 22`;
  await changeMeanwhile(fleet, change, () => undo(done));
  expect(await fleet.stages()).toEqual(['undone']);
  expect((await allotmentsOf(fleet)).map(({ org_id }) => org_id)).toEqual(['12', '17']);
  expect(await counted(fleet)).toEqual([{ undone: before - 3, stale: 2 }]);
});

test('a first decision that somebody changes meanwhile is left to him', async () => {
  const done = await createDone((drop) => dropped.push(drop), { orgs: 100 });
  const before = (await allotmentsOf(done.fleet)).length;
  const change = 'update credit_rollout.allotments set agents = agents + 1 where org_id = 12';
  await changeMeanwhile(done.fleet, change, () => undo(done));
  expect((await allotmentsOf(done.fleet)).map(({ org_id }) => org_id)).toEqual(['12']);
  expect(await counted(done.fleet)).toEqual([{ undone: before - 1, stale: 1 }]);
});

test('a range is judged again where somebody changes what it would put back', async () => {
  const done = await createDone((drop) => dropped.push(drop), { orgs: 100 });
  const { fleet } = done;
  const { sql } = fleet.cell(0);
  await sql('update public.orgs set agents = agents + 700 where org_id % 5 <> 0');
  await fleet.apply(...fleet.cells);
  await fleet.drive();
  const [before] = await sql('select count(*)::int as raised from credit_rollout.allotments where version = 2');
  const change = `update credit_rollout.allotments set winner = 'legacy' where org_id =
    (select min(org_id) from credit_rollout.allotments where version = 2)`;
  await changeMeanwhile(fleet, change, () => undo(done));
  expect(await fleet.stages()).toEqual(['undone']);
  expect(await counted(fleet)).toEqual([{ undone: Number(before?.raised) - 1, stale: 1 }]);
});
