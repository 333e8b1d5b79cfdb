// Databases that cannot be reached, that lose their connections, or that come back older: schedulers and workers go on.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { auditCells } from '../../src/engine/scheduler/audit-cells.js';
import { tick } from '../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../src/engine/worker/serve-cell.js';
import { allDone, type Fleet, slowDown } from '../support/fleet.js';
import { adminUrl } from '../support/postgres.js';
import { waitFor } from '../support/wait.js';
import { dropAll, makeFleet, one } from './scheduler-scene.js';

afterEach(dropAll);

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl() });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

const databaseOf = (url: string): string => new URL(url).pathname.slice(1);

/** Closes a database to everybody but our existing superuser sessions, as if its server were gone. */
async function takeAway(url: string): Promise<() => Promise<void>> {
  const name = databaseOf(url);
  await asAdmin(`alter database ${name} allow_connections false`);
  await asAdmin(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
  return () => asAdmin(`alter database ${name} allow_connections true`);
}

/** Ticks and serves until the plan and the canary of the first data center are through; no range is taken yet. */
async function reachRanges(fleet: Fleet): Promise<void> {
  await fleet.tickUntil('its ranges are open', async () => {
    if ((await fleet.stages())[0] === 'migrating') return true;
    await serveOpenWork(fleet.engine, fleet.cell(0).dataCenter.id);
    return false;
  });
}

describe('databases that cannot be reached', () => {
  test('control unreachable for a while: nothing starts, nothing is lost, the run finishes afterwards', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 1_000, queue: 'postgres' });
    await slowDown(fleet.cell(0), 60);
    fleet.startWorker();
    fleet.startScheduler();
    await fleet.apply(...fleet.cells);
    await fleet.waitForStages((stages) => stages[0] === 'migrating');
    const giveBack = await takeAway(fleet.controlUrl);
    const pending = async (): Promise<boolean> =>
      (await fleet.cell(0).sql(`select count(*)::int as left from credit_rollout.batches where state <> 'done'`))[0]
        ?.left === 0;
    await waitFor('the batches, which need no control', pending);
    expect(await fleet.cell(1).sql('select epoch from credit_rollout.fence')).toEqual([{ epoch: '0' }]);
    await giveBack();
    await fleet.waitForStages(allDone);
    await fleet.expectInvariants();
  });

  test('a cell unreachable in the middle: it holds as cell_unreachable, and nothing else starts', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 1_000 });
    await fleet.apply(...fleet.cells);
    await reachRanges(fleet);
    const giveBack = await takeAway(fleet.cell(0).url);
    await tick(fleet.engine);
    await tick(fleet.engine);
    expect(await fleet.stages()).toEqual(['migrating', 'pending']);
    expect(await fleet.control('select data_center, code from credit_rollout_control.holds order by 1')).toEqual(
      [
        { data_center: fleet.cell(0).dataCenter.id, code: 'cell_unreachable' },
        { data_center: fleet.cell(1).dataCenter.id, code: 'waits_for_order' },
      ].sort((a, b) => a.data_center.localeCompare(b.data_center)),
    );
    await giveBack();
    expect(await fleet.drive()).toEqual(['done', 'done']);
    await fleet.expectInvariants();
  });

  test('our backends are killed at random all the time: both processes go on', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 1_500, queue: 'postgres' });
    for (const cell of fleet.cells) await slowDown(cell, 40);
    fleet.startWorker();
    fleet.startScheduler();
    await fleet.apply(...fleet.cells);
    let kills = 0;
    let over = false;
    const killer = (async () => {
      while (!over && kills < 40) {
        await asAdmin(`select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'credit-rollout%'
          and datname in ('${[fleet.controlUrl, fleet.queueUrl ?? '', ...fleet.cells.map((cell) => cell.url)].map(databaseOf).join("', '")}')
          order by random() limit 2`);
        kills += 1;
        await fleet.engine.clock.sleep(100);
      }
    })();
    await fleet.waitForStages(allDone);
    over = true;
    await killer;
    expect(kills).toBeGreaterThan(5);
    await fleet.expectInvariants();
  });

  test('a control database restored from an old backup takes epochs above every cell', async () => {
    const fleet = await makeFleet({ cells: [{}], orgs: 300 });
    await fleet.apply(fleet.cell(0));
    await fleet.drive();
    const [fence] = await fleet.cell(0).sql('select epoch from credit_rollout.fence');
    // what a backup from before the run would hold
    await fleet.control(`set local session_replication_role = replica;
      update credit_rollout_control.data_centers
        set stage = 'pending', run_id = null, epoch = null, requested_at = null;
      update credit_rollout_control.rollout set epoch = 0;
      delete from credit_rollout_control.audit;
      delete from credit_rollout_control.runs`);
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    expect(Number(await one(fleet, 'select epoch from credit_rollout_control.rollout'))).toBeGreaterThan(
      Number(fence?.epoch),
    );
    await fleet.expectInvariants(['I16']); // the lost run is still in the cell
  });
});

describe('a cell that is no longer what was verified', () => {
  test('goes back to pending, is asked for again, and ends verified', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 500 });
    await fleet.apply(...fleet.cells);
    await fleet.drive();
    // a failover that lost the tail: batches that were done are pending again, and their rows are gone
    await fleet.cell(0).sql(`delete from credit_rollout.allotments where org_id > 300;
      delete from credit_rollout.quarantine where org_id > 300;
      update credit_rollout.batches set state = 'pending', done_at = null, verified_at = null where batch_no > 3`);
    expect(await auditCells(fleet.engine)).toEqual([fleet.cell(0).dataCenter.id]);
    expect(await fleet.drive()).toEqual(['done', 'done']);
    expect(await fleet.cell(0).sql('select count(*)::int as rows from credit_rollout.allotments')).toEqual([
      { rows: 497 },
    ]);
    expect(await auditCells(fleet.engine)).toEqual([]);
    await fleet.expectInvariants(['I22']);
    await serveOpenWork(fleet.engine, fleet.cell(0).dataCenter.id);
  });
});
