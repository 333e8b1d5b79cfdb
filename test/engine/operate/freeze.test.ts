// A freeze on real Postgres: nothing of ours commits from its acknowledgement on, with control and queue unreachable
// too, and what stood still goes on afterwards.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { verifyBatches } from '../../../src/engine/batch/verify-batches.js';
import { type FreezeReport, freeze, unfreeze } from '../../../src/engine/operate/freeze.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { lockFenceExclusive, setFence } from '../../../src/stores/cell/batch/fence.js';
import { LOCK_CLASS } from '../../../src/stores/cell/cell-database.js';
import { openRun, type TestCell } from '../../support/cell.js';
import { createFleet, type Fleet, type FleetOptions, slowDown, speedUp } from '../../support/fleet.js';
import { openContext } from '../../support/open-context.js';
import { silentLog } from '../../support/silent.js';
import { startStopwatch } from '../../support/stopwatch.js';
import { waitFor } from '../../support/wait.js';

const dropped: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeFleet(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  return fleet;
}

const NOWHERE = 'postgres://nobody@127.0.0.1:1/nothing';

/** The fleet's cells without a control database or a queue that could be reached. */
function withoutControl(fleet: Fleet) {
  const opened = new Set<() => Promise<unknown>>();
  dropped.push(() => Promise.allSettled([...opened].map((close) => close())));
  const cells = fleet.cells.map(({ dataCenter: { id }, url }) => ({ id, url }));
  return openContext({ control: NOWHERE, cells, queue: undefined }, silentLog, opened);
}

const idsOf = (fleet: Fleet): readonly string[] => fleet.cells.map(({ dataCenter }) => dataCenter.id);
const freezeAll = (fleet: Fleet, reason: string | null = 'incident 7') =>
  freeze(fleet.engine, { dataCenters: idsOf(fleet), reason });
const unfreezeAll = (fleet: Fleet) => unfreeze(fleet.engine, { dataCenters: idsOf(fleet), reason: 'over' });

const doneBatches = async ({ sql }: TestCell): Promise<number> =>
  Number((await sql(`select count(*) as n from credit_rollout.batches where state = 'done'`))[0]?.n);
const holdsOf = async (fleet: Fleet) =>
  (await fleet.control('select code from credit_rollout_control.holds order by data_center, position')).map(
    ({ code }) => code,
  );
/** I9 for freezes: what committed between an acknowledgement and its lifting. */
const committedWhileFrozen = ({ sql }: TestCell) =>
  sql(`select b.run_id, b.batch_no from credit_rollout.batches b join credit_rollout.freezes f
    on greatest(b.done_at, b.verified_at) > f.acknowledged_at and greatest(b.done_at, b.verified_at) < coalesce(f.lifted_at, 'infinity')
       or b.done_at > f.acknowledged_at and b.done_at < coalesce(f.lifted_at, 'infinity')`);

/** A session that holds the fence as a batch does, until the test releases it. */
async function holdFence({ url }: TestCell): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url, application_name: 'holder' });
  await client.connect();
  await client.query('begin');
  await client.query('select pg_advisory_xact_lock_shared($1, 0)', [LOCK_CLASS]);
  return () => client.end();
}

describe('freeze', () => {
  test('stops a run in its middle under its own workers, proves it, and lets it go on to the end', async () => {
    const fleet = await makeFleet({ queue: 'postgres', orgs: 2_000, rollout: '{ batchSize: 100, lanes: 2 }' });
    const cell = fleet.cell(0);
    await slowDown(cell, 50);
    fleet.startScheduler();
    fleet.startWorker({ pollMs: 200 });
    await fleet.apply(cell);
    await waitFor('some batches', async () => (await doneBatches(cell)) > 3);
    const { dataCenters, recorded } = await freezeAll(fleet);
    expect(dataCenters).toMatchObject([{ state: 'frozen', already: false, reason: 'incident 7', holders: [] }]);
    expect(recorded).toBe(true);
    const done = await doneBatches(cell);
    expect(done).toBeLessThan(20);
    await waitFor('the hold', async () => (await holdsOf(fleet)).includes('frozen'));
    expect(await doneBatches(cell)).toBe(done);
    expect(await fleet.stages()).not.toContain('done');
    await speedUp(cell);
    expect(await unfreezeAll(fleet)).toMatchObject({ dataCenters: [{ state: 'lifted' }], recorded: true });
    expect(await fleet.waitForStages(([stage]) => stage === 'done')).toEqual(['done']);
    expect(await committedWhileFrozen(cell)).toEqual([]);
    expect(await holdsOf(fleet)).toEqual([]);
    await fleet.expectInvariants();
  });

  test('holds with control and queue away: a worker under an open fence writes and verifies nothing', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 300 });
    const engine = withoutControl(fleet);
    const [first, second] = [fleet.cell(0), fleet.cell(1)];
    const epoch = await openRun(first.cell, first.card, { batchSize: 100 });
    const stopwatch = startStopwatch(first);
    const { dataCenters, recorded } = await freeze(engine, { dataCenters: idsOf(fleet), reason: null });
    expect(await stopwatch()).toBeLessThan(6_000);
    expect(dataCenters.map(({ state }) => state)).toEqual(['frozen', 'frozen']);
    expect(recorded).toBe(false);
    const at = { dataCenter: first.dataCenter.id, epoch, forMs: 1_000 };
    expect((await applyBatches(engine, at)).last).toEqual({ kind: 'fenced' });
    expect(await serveOpenWork(engine, first.dataCenter.id)).toBeUndefined();
    expect(
      await first.sql('select frozen_by, reason, acknowledged_at is not null as proven from credit_rollout.freezes'),
    ).toEqual([{ frozen_by: 'tester', reason: null, proven: true }]);
    await unfreeze(engine, { dataCenters: [first.dataCenter.id], reason: null });
    expect((await applyBatches(engine, at)).batches).toBeGreaterThan(0);
    expect(await second.sql('select count(*)::int as n from credit_rollout.freezes where lifted_at is null')).toEqual([
      { n: 1 },
    ]);
    await first.cell.inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      await setFence(tx, { state: 'verifying', epoch: epoch + 1n, runId: epoch });
    });
    await freeze(engine, { dataCenters: [first.dataCenter.id], reason: null });
    expect(await verifyBatches(engine, { ...at, epoch: epoch + 1n })).toEqual({ batches: 0, last: 'fenced' });
    await unfreeze(engine, { dataCenters: [first.dataCenter.id], reason: null });
    expect((await verifyBatches(engine, { ...at, epoch: epoch + 1n })).batches).toBeGreaterThan(0);
  });

  test('freezes what can be reached when one cell cannot, and names it', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 10 });
    const [first] = idsOf(fleet);
    const opened = new Set<() => Promise<unknown>>();
    dropped.push(() => Promise.allSettled([...opened].map((close) => close())));
    const cells = fleet.cells.map(({ dataCenter: { id }, url }) => ({ id, url: id === first ? NOWHERE : url }));
    const engine = openContext({ control: fleet.controlUrl, cells, queue: undefined }, silentLog, opened);
    const { dataCenters } = await freeze(engine, { dataCenters: idsOf(fleet), reason: null });
    expect(dataCenters).toMatchObject([
      { state: 'failed', error: { code: 'database_unreachable' } },
      { state: 'frozen' },
    ]);
    expect(await fleet.control(`select data_center from credit_rollout_control.audit where action = 'freeze'`)).toEqual(
      [{ data_center: fleet.cell(1).dataCenter.id }],
    );
  });

  test('takes effect at once though a session holds the fence, names it, and is confirmed by the next freeze', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    const cell = fleet.cell(0);
    const epoch = await openRun(cell.cell, cell.card);
    const release = await holdFence(cell);
    const stopwatch = startStopwatch(cell);
    const [report] = (await freezeAll(fleet)).dataCenters as readonly Extract<FreezeReport, { since: Date }>[];
    expect(await stopwatch()).toBeLessThan(4_500);
    expect(report).toMatchObject({ state: 'freezing', acknowledgedAt: null });
    expect(report?.holders.map(({ application }) => application)).toEqual(['holder']);
    const at = { dataCenter: cell.dataCenter.id, epoch, forMs: 1_000 };
    expect((await applyBatches(fleet.engine, at)).last).toEqual({ kind: 'fenced' });
    await release();
    const [again] = (await freezeAll(fleet, 'another')).dataCenters;
    expect(again).toMatchObject({ state: 'frozen', already: true, reason: 'incident 7', holders: [] });
  });

  test('clears single_writes, and neither they nor a fence can be opened while it lasts', async () => {
    const fleet = await makeFleet({ orgs: 100 });
    const { cell, sql, card } = fleet.cell(0);
    const allow = () => sql('update credit_rollout.fence set single_writes = true');
    await allow();
    await freezeAll(fleet);
    expect(await sql('select single_writes from credit_rollout.fence')).toEqual([{ single_writes: false }]);
    await expect(allow()).rejects.toMatchObject({ code: '55000' });
    await expect(openRun(cell, card)).rejects.toMatchObject({ code: '55000' });
    await unfreezeAll(fleet);
    await allow();
    await openRun(cell, card);
    expect(await sql('select state, single_writes from credit_rollout.fence')).toEqual([
      { state: 'open', single_writes: false },
    ]);
  });

  test('keeps a requested data center from starting, and others from nothing', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 100 });
    const [first, second] = [fleet.cell(0), fleet.cell(1)];
    await freeze(fleet.engine, { dataCenters: [second.dataCenter.id], reason: null });
    await fleet.apply(first, second);
    expect(await fleet.drive()).toEqual(['done', 'pending']);
    expect(await holdsOf(fleet)).toEqual(['frozen']);
    await unfreezeAll(fleet);
    expect(await fleet.drive()).toEqual(['done', 'done']);
    await fleet.expectInvariants();
  });

  test('keeps a data center that bakes from being done', async () => {
    const fleet = await makeFleet({ orgs: 100, rollout: '{ batchSize: 100, bake: PT1H }' });
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['baking']);
    await freezeAll(fleet);
    await fleet.control('update credit_rollout_control.data_centers set bake_until = now()');
    expect(await fleet.drive()).toEqual(['baking']);
    expect(await holdsOf(fleet)).toEqual(['frozen']);
    await unfreezeAll(fleet);
    expect(await fleet.drive()).toEqual(['done']);
  });

  test('lets a run be aborted', async () => {
    const fleet = await makeFleet({ orgs: 300 });
    await fleet.applyPlan(fleet.cell(0), (await fleet.plan(fleet.cell(0))).planId ?? '');
    await fleet.tickUntil(
      'a fence that is open',
      async () => (await fleet.cell(0).sql(`select state from credit_rollout.fence`))[0]?.state === 'open',
    );
    await freezeAll(fleet);
    await fleet.control(`update credit_rollout_control.data_centers set intent = 'abort'`);
    await tick(fleet.engine);
    expect(await fleet.stages()).toEqual(['aborted']);
    expect(await fleet.cell(0).sql('select state from credit_rollout.fence')).toEqual([{ state: 'closed' }]);
  });

  test('is one row whoever freezes at once, lifted once, and never changed', async () => {
    const fleet = await makeFleet({ orgs: 10 });
    const { sql } = fleet.cell(0);
    const both = await Promise.all([freezeAll(fleet, 'a'), freezeAll(fleet, 'b')]);
    expect(
      both.flatMap(({ dataCenters }) => dataCenters.map((one) => one.state !== 'failed' && one.already)).toSorted(),
    ).toEqual([false, true]);
    expect(await sql('select count(*)::int as n from credit_rollout.freezes')).toEqual([{ n: 1 }]);
    for (const change of [
      `update credit_rollout.freezes set reason = 'x'`,
      `update credit_rollout.freezes set acknowledged_at = null`,
      'delete from credit_rollout.freezes',
      'truncate credit_rollout.freezes',
    ])
      await expect(sql(change), change).rejects.toMatchObject({ code: '23001' });
    await unfreezeAll(fleet);
    await expect(sql('update credit_rollout.freezes set lifted_at = null, lifted_by = null')).rejects.toMatchObject({
      code: '23001',
    });
    expect(await unfreezeAll(fleet)).toMatchObject({ dataCenters: [{ state: 'not_frozen' }] });
    await freezeAll(fleet);
    expect(await sql('select count(*)::int as n from credit_rollout.freezes')).toEqual([{ n: 2 }]);
    expect(
      await fleet.control(
        `select action, reason from credit_rollout_control.audit where action like '%freeze' order by seq`,
      ),
    ).toMatchObject([
      { action: 'freeze' },
      { action: 'unfreeze', reason: 'over' },
      { action: 'freeze', reason: 'incident 7' },
    ]);
  });
});
