// A scheduler that is suspended or dies between control and cell: the fence stays closed to it, and another goes on.
import { afterEach, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.js';
import { openFence } from '../../src/engine/rollout/open-fence.js';
import { readSnapshot } from '../../src/engine/scheduler/read-snapshot.js';
import { tick } from '../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../src/engine/worker/serve-cell.js';
import type { CellDatabase } from '../../src/stores/cell/cell-database.js';
import type { Fleet } from '../support/fleet.js';
import { dropAll, makeFleet, one } from './scheduler-scene.js';

afterEach(dropAll);

/**
 * One tick, which asks for the plan of the first data center, and a worker that makes it; control knows nothing of it
 * yet.
 */
async function makeItsPlan(fleet: Fleet): Promise<void> {
  await tick(fleet.engine);
  expect(await serveOpenWork(fleet.engine, fleet.cell(0).dataCenter.id)).toBe('planned');
}

/** A cell that lets a scheduler sleep between what it read and what it writes. */
function beforeWrite(fleet: Fleet, id: string, sleep: () => Promise<void>): CellDatabase {
  const real = fleet.engine.cells.get(id);
  let transactions = 0;
  return {
    ...real,
    inTransaction: async (...call) => {
      transactions += 1;
      if (transactions === 2) await sleep();
      return real.inTransaction(...call);
    },
  };
}

/** A cell in which the fencer's writes fail, as if the scheduler died before them. */
function crashAt(fleet: Fleet, id: string): CellDatabase {
  const real = fleet.engine.cells.get(id);
  let transactions = 0;
  return {
    ...real,
    inTransaction: (role, fn, limits) =>
      real.inTransaction(
        role,
        async (tx) => {
          transactions += 1;
          const result = await fn(tx);
          const wrote = (await tx.raw('select pg_current_xact_id_if_assigned() is not null as wrote')).rows[0].wrote;
          if (wrote) throw new Error(`crashed in transaction ${transactions}`);
          return result;
        },
        limits,
      ),
  };
}

describe('several schedulers', () => {
  test('one that is suspended just before it opens a fence cannot open it any more', async () => {
    const fleet = await makeFleet({ cells: [{}], orgs: 300 });
    const id = fleet.cell(0).dataCenter.id;
    await fleet.apply(fleet.cell(0));
    await makeItsPlan(fleet);
    await tick({ ...fleet.engine, cells: { get: (wanted) => crashAt(fleet, wanted) } });
    const row = (await readSnapshot(fleet.engine, 'due')).rows.get(id);
    if (row === undefined) throw new Error('there was a row');
    let fence: readonly unknown[] = [];
    const suspended = beforeWrite(fleet, id, async () => {
      expect(await fleet.drive()).toEqual(['done']);
      fence = await fleet.cell(0).sql('select * from credit_rollout.fence');
    });
    expect(await openFence({ ...fleet.engine, cells: { get: () => suspended } }, row, 'open', 'late')).toBe(false);
    expect(fence).toHaveLength(1);
    expect(await fleet.cell(0).sql('select * from credit_rollout.fence')).toEqual(fence);
    expect(await fleet.stages()).toEqual(['done']);
    await fleet.expectInvariants();
  });

  test('go on after a crash between control’s epoch and the cell’s fence', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 300 });
    await fleet.apply(...fleet.cells);
    await makeItsPlan(fleet);
    const broken = { ...fleet.engine, cells: { get: (id: string) => crashAt(fleet, id) } };
    await tick(broken);
    expect(await fleet.stages()).toEqual(['canary', 'pending']);
    expect(await fleet.cell(0).sql('select state, epoch from credit_rollout.fence')).toEqual([
      { state: 'closed', epoch: '0' },
    ]);
    expect(await fleet.drive()).toEqual(['done', 'done']);
    expect(await one(fleet, `select count(*)::int from credit_rollout_control.audit where action = 'activate'`)).toBe(
      2,
    );
    await fleet.expectInvariants();
  });

  test('go on after a crash between the cell’s request for a plan and control: the request is taken up', async () => {
    const fleet = await makeFleet({ cells: [{}], orgs: 300 });
    await fleet.apply(fleet.cell(0));
    const asked = async (): Promise<number> =>
      Number((await fleet.cell(0).sql('select count(*) as n from credit_rollout.plan_requests'))[0]?.n);
    const control: EngineContext['control'] = {
      ...fleet.engine.control,
      inTransaction: async (...call) => {
        if ((await asked()) > 0) throw new Error('crashed');
        return fleet.engine.control.inTransaction(...call);
      },
    };
    await tick({ ...fleet.engine, control });
    expect(await asked()).toBe(1);
    expect(await one(fleet, 'select plan_id from credit_rollout_control.data_centers')).toBe(null);
    expect(await fleet.drive()).toEqual(['done']);
    expect(await asked()).toBe(1);
    await fleet.expectInvariants();
  });
});
