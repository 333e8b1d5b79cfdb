// Schedulers that race, die, fall asleep and lose their databases: one data center at a time, and nothing is lost.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.js';
import { openFence } from '../../src/engine/rollout/open-fence.js';
import { auditCells } from '../../src/engine/scheduler/audit-cells.js';
import { readSnapshot } from '../../src/engine/scheduler/read-snapshot.js';
import { tick } from '../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../src/engine/worker/serve-cell.js';
import type { CellDatabase } from '../../src/stores/cell/cell-database.js';
import { allDone, createFleet, type Fleet, type FleetOptions, slowDown } from '../support/fleet.js';
import { adminUrl } from '../support/postgres.js';
import { waitFor } from '../support/wait.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  return fleet;
}

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl() });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

const databaseOf = (url: string): string => new URL(url).pathname.slice(1);

/** Shuts a database to everybody who is no superuser session of ours already, as if its server were gone. */
async function takeAway(url: string): Promise<() => Promise<void>> {
  const name = databaseOf(url);
  await asAdmin(`alter database ${name} allow_connections false`);
  await asAdmin(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
  return () => asAdmin(`alter database ${name} allow_connections true`);
}

const one = async (fleet: Fleet, sql: string): Promise<unknown> =>
  Object.values((await fleet.control(sql))[0] ?? {})[0];

describe('several schedulers', () => {
  test('carry three data centers one after another, never two in the slot', async () => {
    const fleet = await makeFleet({ cells: [{}, {}, {}], orgs: 1_000, queue: 'postgres' });
    fleet.startWorker();
    const schedulers = [fleet.startScheduler(), fleet.startScheduler(), fleet.startScheduler()];
    expect(schedulers).toHaveLength(3);
    await fleet.apply(...fleet.cells);
    let most = 0;
    await fleet.waitForStages((stages) => {
      most = Math.max(most, stages.filter((stage) => ['canary', 'migrating', 'verifying'].includes(stage)).length);
      return allDone(stages);
    });
    expect(most).toBe(1);
    expect(await one(fleet, `select count(*)::int from credit_rollout_control.audit where action = 'activate'`)).toBe(
      3,
    );
    // the next one starts only after the one before is done, and that only after its fence is closed
    expect(
      await fleet.control(`select a.data_center from credit_rollout_control.audit a join credit_rollout_control.data_centers d on d.id = a.data_center
        where a.action = 'activate' and exists (select from credit_rollout_control.data_centers p where p.position < d.position and not exists (
          select from credit_rollout_control.audit f where f.data_center = p.id and f.seq < a.seq and f.action = 'transition' and f.details ->> 'to' = 'done'))`),
    ).toEqual([]);
    await fleet.expectInvariants();
  });

  test('survive kill -9 over and over', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 2_000, queue: 'postgres' });
    for (const cell of fleet.cells) await slowDown(cell, 100);
    fleet.startWorker();
    await fleet.apply(...fleet.cells);
    let deaths = 0;
    while (!allDone(await fleet.stages()) && deaths < 5) {
      const scheduler = await fleet.spawn('scheduler');
      const moves = await one(fleet, 'select max(seq) from credit_rollout_control.audit');
      await waitFor(
        'a step or the end',
        async () =>
          (await one(fleet, 'select max(seq) from credit_rollout_control.audit')) !== moves ||
          allDone(await fleet.stages()),
      );
      await scheduler.kill();
      deaths += 1;
    }
    fleet.startScheduler();
    await fleet.waitForStages(allDone);
    expect(deaths).toBeGreaterThan(2);
    await fleet.expectInvariants();
  });

  test('one that is stopped while another finishes changes nothing when it wakes', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 1_000, queue: 'postgres' });
    await slowDown(fleet.cell(0), 100);
    fleet.startWorker();
    const sleeper = await fleet.spawn('scheduler');
    await fleet.apply(...fleet.cells);
    await fleet.waitForStages((stages) => stages[0] === 'migrating');
    sleeper.signal('SIGSTOP');
    fleet.startScheduler();
    await fleet.waitForStages(allDone);
    await waitFor(
      'the last move of all: the feed let through',
      async () =>
        (await one(fleet, 'select bool_and(single_writes) from credit_rollout_control.data_centers')) === true,
    );
    const before = await fleet.control(
      'select id, stage, epoch, version from credit_rollout_control.data_centers order by id',
    );
    const fences = await Promise.all(fleet.cells.map((cell) => cell.sql('select * from credit_rollout.fence')));
    const seen = await one(
      fleet,
      `select max(seen_at)::text from credit_rollout_control.schedulers where scheduler_id like '%:${sleeper.pid}'`,
    );
    sleeper.signal('SIGCONT');
    await waitFor(
      'a look of the sleeper',
      async () =>
        (await one(
          fleet,
          `select max(seen_at)::text from credit_rollout_control.schedulers where scheduler_id like '%:${sleeper.pid}'`,
        )) !== seen,
    );
    expect(await sleeper.terminate()).toBe(0);
    expect(
      await fleet.control('select id, stage, epoch, version from credit_rollout_control.data_centers order by id'),
    ).toEqual(before);
    expect(await Promise.all(fleet.cells.map((cell) => cell.sql('select * from credit_rollout.fence')))).toEqual(
      fences,
    );
    await fleet.expectInvariants();
  });

  test('one that falls asleep just before it opens a fence cannot open it any more', async () => {
    const fleet = await makeFleet({ cells: [{}], orgs: 300 });
    const id = fleet.cell(0).dataCenter.id;
    await fleet.apply(fleet.cell(0));
    await makeItsPlan(fleet);
    await tick({ ...fleet.engine, cells: { get: (wanted) => crashAt(fleet, wanted) } });
    const row = (await readSnapshot(fleet.engine, 'due')).rows.get(id);
    if (row === undefined) throw new Error('there was a row');
    let fence: readonly unknown[] = [];
    const sleepy = beforeWrite(fleet, id, async () => {
      expect(await fleet.drive()).toEqual(['done']);
      fence = await fleet.cell(0).sql('select * from credit_rollout.fence');
    });
    expect(await openFence({ ...fleet.engine, cells: { get: () => sleepy } }, row, 'open', 'late')).toBe('nothing');
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

/**
 * One tick, which asks for the plan of the first data center, and a worker that makes it; control knows nothing of it
 * yet.
 */
async function makeItsPlan(fleet: Fleet): Promise<void> {
  await tick(fleet.engine);
  expect(await serveOpenWork(fleet.engine, fleet.cell(0).dataCenter.id)).toBe('planned');
}

/** Ticks and serves until the plan and the canary of the first data center are through; no range is taken yet. */
async function reachRanges(fleet: Fleet): Promise<void> {
  await fleet.tickUntil('its ranges are open', async () => {
    if ((await fleet.stages())[0] === 'migrating') return true;
    await serveOpenWork(fleet.engine, fleet.cell(0).dataCenter.id);
    return false;
  });
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

describe('databases that go away', () => {
  test('control away for a while: nothing starts, nothing is lost, the run finishes after', async () => {
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

  test('a cell away in the middle: it holds as cell_unreachable, and nothing else starts', async () => {
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

  test('backends of ours die at random all the time: both processes go on', async () => {
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
    // what a backup from before the run would say
    await fleet.control(
      `alter table credit_rollout_control.data_centers disable trigger data_centers_check_transition`,
    );
    await fleet.control(
      `update credit_rollout_control.data_centers set stage = 'pending', run_id = null, epoch = null, requested_at = null`,
    );
    await fleet.control(`alter table credit_rollout_control.data_centers enable trigger data_centers_check_transition`);
    await fleet.control('update credit_rollout_control.rollout set epoch = 0');
    await fleet.control('alter table credit_rollout_control.audit disable trigger audit_append_only');
    await fleet.control('delete from credit_rollout_control.audit; delete from credit_rollout_control.runs');
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
