// Nights and the cut-over over control and cell, executed by the ticks of a scheduler and the checks of a worker.
import { afterEach, describe, expect, test } from 'vitest';
import { applyGateStep } from '../../../src/engine/cutover/apply-gate-step.js';
import { followRollout } from '../../../src/engine/operate/follow-rollout.js';
import type { Status } from '../../../src/engine/operate/read-status.js';
import { readIntent, setIntent } from '../../../src/engine/operate/set-intent.js';
import { auditCells } from '../../../src/engine/scheduler/audit-cells.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { listDataCenters } from '../../../src/stores/control/data-centers.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const DAY = `interval '1 day'`;

/** A fleet whose data centers are done. */
async function makeDone(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await createFleet({ orgs: 100, ...options });
  dropped.push(fleet.drop);
  await fleet.apply(...fleet.cells);
  expect(await fleet.drive()).toEqual(fleet.cells.map(() => 'done'));
  return fleet;
}

/** As if the n-th data center had been done so many days ago: its nights are due. */
async function makeOlder(fleet: Fleet, days: number, n = 0): Promise<void> {
  await fleet.control(
    `update credit_rollout_control.data_centers set done_at = done_at - $1::int * ${DAY} where id = $2`,
    [days, fleet.cell(n).dataCenter.id],
  );
}

/** As a promoted standby checks: the fence was opened under another timeline. */
const failOver = (fleet: Fleet) => fleet.cell(0).sql(`update credit_rollout.fence set timeline = '000000FF'`);

const nightsOf = (fleet: Fleet) =>
  fleet.control(`select data_center, local_date::text, state, counts from credit_rollout_control.due_work
    where kind = 'reconcile' order by data_center, local_date`);
const runsOf = (fleet: Fleet) => fleet.control('select kind, state from credit_rollout_control.runs order by run_id');
const allotmentOf = async (fleet: Fleet, orgId: number) =>
  (
    await fleet
      .cell(0)
      .sql('select total_credits, floor, origin, version from credit_rollout.allotments where org_id = $1', [orgId])
  )[0];

describe('the nightly run', () => {
  test('heals what drifted, once per local date, and records what it was', async () => {
    const fleet = await makeDone();
    const { sql } = fleet.cell(0);
    // 13: enterprise... whatever it is, it gets more agents; 14 loses its purchases; 1001 is new; 15 leaves
    await sql('update public.orgs set agents = 5000 where org_id = 13');
    await sql('update public.orgs set additional_credits = 0 where org_id = 18');
    await sql('delete from public.orgs where org_id = 15');
    await sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
      values (1001, 'standard', true, 300, 0, 0, now())`);
    await makeOlder(fleet, 3);
    await fleet.drive();
    const nights = await nightsOf(fleet);
    expect(nights.map(({ state }) => state)).toEqual(['missed', 'missed', expect.stringMatching(/^(ran|caught_up)$/)]);
    expect(nights.at(-1)?.counts).toMatchObject({
      found: 4,
      healed: 4,
      'cause seats': 1,
      'cause purchase': 1,
      'cause gone': 1,
      'cause legacy sign-up': 1,
    });
    expect(await allotmentOf(fleet, 1001)).toMatchObject({ total_credits: '150000', floor: '150000', version: 1 });
    expect(await allotmentOf(fleet, 15)).toBeUndefined();
    expect(await runsOf(fleet)).toEqual([
      { kind: 'migrate', state: 'done' },
      { kind: 'reconcile', state: 'done' },
    ]);
    expect(await sql('select state, single_writes from credit_rollout.fence')).toEqual([
      { state: 'closed', single_writes: true },
    ]);
    // nothing more is due
    await fleet.drive();
    expect(await runsOf(fleet)).toHaveLength(2);
    expect(await nightsOf(fleet)).toHaveLength(3);
    await fleet.expectInvariants();
  });

  test('leaves one audit row of its closed fence, also when control was lost just then', async () => {
    const fleet = await makeDone();
    await fleet.control(`create function public.lose() returns trigger language plpgsql as
      $$ begin raise exception 'lost' using errcode = 'connection_failure'; end $$`);
    await fleet.control(`create trigger lose before insert on credit_rollout_control.audit for each row
      when (new.action = 'close_fence') execute function public.lose()`);
    await makeOlder(fleet, 1);
    await fleet.drive();
    const fence = await fleet.cell(0).sql('select state, epoch, run_id from credit_rollout.fence');
    expect(fence).toMatchObject([{ state: 'closed' }]);
    const [run] = await fleet.control(
      `select run_id, epoch, state, shut_epoch from credit_rollout_control.runs where kind = 'reconcile'`,
    );
    expect(run).toMatchObject({ state: 'open', epoch: fence[0]?.epoch, shut_epoch: null });
    await fleet.control('drop trigger lose on credit_rollout_control.audit');
    await fleet.drive();
    expect((await nightsOf(fleet))[0]?.state).toMatch(/^(ran|caught_up)$/);
    expect(
      await fleet.control(
        `select action, epoch from credit_rollout_control.audit where run_id = $1 and action = 'close_fence'`,
        [run?.run_id],
      ),
    ).toEqual([{ action: 'close_fence', epoch: run?.epoch }]);
  });

  test('takes its turn in one data center after the other', async () => {
    const fleet = await makeDone({ cells: [{}, {}], orgs: 50 });
    await makeOlder(fleet, 1, 0);
    await makeOlder(fleet, 1, 1);
    await fleet.drive();
    const nights = await nightsOf(fleet);
    expect(nights).toHaveLength(2);
    for (const { state } of nights) expect(state).toMatch(/^(ran|caught_up)$/);
    await fleet.expectInvariants();
  });

  test('waits while it is paused, and goes on when it is resumed', async () => {
    const fleet = await makeDone();
    const dataCenter = fleet.cell(0).dataCenter.id;
    await setIntent(fleet.engine, { dataCenter, intent: 'pause', reason: 'a test' });
    await makeOlder(fleet, 1);
    await fleet.drive();
    expect(await readIntent(fleet.engine, { dataCenter, intent: 'pause', reason: null })).toMatchObject({
      fenceConfirmedClosed: true,
    });
    expect((await nightsOf(fleet)).map(({ state }) => state)).toEqual(['due']);
    expect(await fleet.control('select code from credit_rollout_control.holds')).toEqual([{ code: 'paused' }]);
    await setIntent(fleet.engine, { dataCenter, intent: 'run', reason: null });
    await fleet.drive();
    expect((await nightsOf(fleet))[0]?.state).toMatch(/^(ran|caught_up)$/);
  });

  test('does not keep a pause from being proven while it waits for its turn', async () => {
    const fleet = await makeDone({ cells: [{}, {}], orgs: 50 });
    await makeOlder(fleet, 1, 0);
    await tick(fleet.engine);
    await makeOlder(fleet, 1, 1);
    await tick(fleet.engine);
    expect(await fleet.control(`select code from credit_rollout_control.holds where code like '%_taken'`)).toHaveLength(
      1,
    );
    const dataCenter = fleet.cell(1).dataCenter.id;
    const paused = await setIntent(fleet.engine, { dataCenter, intent: 'pause', reason: null });
    expect(paused).toMatchObject({ fenceConfirmedClosed: true });
    expect(await fleet.cell(1).sql('select single_writes from credit_rollout.fence')).toEqual([
      { single_writes: false },
    ]);
  });

  test('that a failover meets ends, and its data center is rolled out again', async () => {
    const fleet = await makeDone();
    await fleet.cell(0).sql('update public.orgs set agents = agents + 1');
    await makeOlder(fleet, 1);
    await tick(fleet.engine);
    expect((await nightsOf(fleet)).map(({ state }) => state)).toEqual(['running']);
    await failOver(fleet);
    await fleet.drive();
    expect(await fleet.control(`select state, note from credit_rollout_control.due_work`)).toEqual([
      { state: 'missed', note: 'the cell has failed over' },
    ]);
    expect(await auditCells(fleet.engine)).toHaveLength(1);
    expect(await fleet.drive()).toEqual(['done']);
    expect(await auditCells(fleet.engine)).toEqual([]);
    await fleet.expectInvariants();
  });

  test('does not hide a failover that was not noticed yet', async () => {
    const fleet = await makeDone();
    await failOver(fleet);
    await makeOlder(fleet, 1);
    await fleet.drive();
    expect((await nightsOf(fleet)).map(({ state }) => state)).toEqual(['due']);
    expect(await auditCells(fleet.engine)).toHaveLength(1);
    await tick(fleet.engine);
    // what waits for its new rollout is not written by the change feed
    expect(await fleet.cell(0).sql('select single_writes from credit_rollout.fence')).toEqual([
      { single_writes: false },
    ]);
    expect(await fleet.drive()).toEqual(['done']);
    expect((await nightsOf(fleet))[0]?.state).toMatch(/^(ran|caught_up)$/);
  });

  test('that failed lately does not make a rollout start early', async () => {
    const fleet = await makeDone();
    const { id } = fleet.cell(0).dataCenter;
    await makeOlder(fleet, 1);
    await fleet.control(`insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, state, ended_at)
      values (9999, '${id}', 'reconcile', '', 'failed', clock_timestamp())`);
    await fleet.apply(fleet.cell(0));
    await tick(fleet.engine);
    const stopping = new AbortController();
    let polls = 0;
    const onStatus = (status: Status): void => {
      expect(status.dataCenters[0]?.holds.map(({ code }) => code)).toContain('maintenance_failed');
      polls += 1;
      if (polls === 2) stopping.abort();
    };
    const { signal } = stopping;
    expect(await followRollout(fleet.engine, { dataCenters: [id], whenPaused: 'returns', onStatus, signal })).toEqual({
      kind: 'interrupted',
    });
  });

  test('is not mistaken for a fence that was left open', async () => {
    const fleet = await makeDone();
    await fleet.cell(0).sql('update public.orgs set agents = agents + 1');
    await makeOlder(fleet, 1);
    await fleet.tickUntil('the night is under way', async () => {
      await auditCells(fleet.engine);
      return (await runsOf(fleet)).some(({ kind, state }) => kind === 'reconcile' && state === 'open');
    });
    await auditCells(fleet.engine);
    expect(await fleet.stages()).toEqual(['done']);
    await fleet.drive();
    await auditCells(fleet.engine);
    expect(await fleet.stages()).toEqual(['done']);
    await fleet.expectInvariants();
  });
});

describe('a cut-over', () => {
  const gateOf = async (fleet: Fleet) =>
    (
      await fleet.cell(0).sql(`select armed_at is not null as armed, latched_at is not null as latched,
        swept_at is not null as swept, effective_at >= configured_at as in_time from credit_rollout.gate`)
    )[0];

  test('whose date has passed happens once the data center is done: latched, swept, and remembered', async () => {
    const fleet = await makeDone({ sections: 'signups: { cutover: 2025-10-30 }' });
    expect(await gateOf(fleet)).toEqual({ armed: true, latched: true, swept: true, in_time: true });
    expect(await runsOf(fleet)).toEqual([
      { kind: 'migrate', state: 'done' },
      { kind: 'sweep', state: 'done' },
    ]);
    const known = await fleet.control(
      'select gate_latched_at is not null as latched, gate_swept_at is not null as swept from credit_rollout_control.data_centers',
    );
    expect(known).toEqual([{ latched: true, swept: true }]);
    expect(
      await fleet.control(
        `select action from credit_rollout_control.audit where action in ('arm_gate', 'cutover') order by seq`,
      ),
    ).toEqual([{ action: 'arm_gate' }, { action: 'cutover' }]);
    await fleet.expectInvariants();
  });

  test('finds who signed up before it, and gives them their floor', async () => {
    const fleet = await makeDone({ sections: 'signups: { cutover: 2099-10-30 }' });
    const { sql } = fleet.cell(0);
    expect(await gateOf(fleet)).toMatchObject({ armed: true, latched: false });
    await sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
      select 2000 + n, 'standard', true, 300, 0, 0, now() from generate_series(1, 30) n`);
    // as if its instant had come: only an approved postponement moves it
    await fleet.control(`alter table credit_rollout_control.data_centers disable trigger user;
      update credit_rollout_control.data_centers set cutover_at = clock_timestamp();
      alter table credit_rollout_control.data_centers enable trigger user`);
    await fleet.drive();
    expect(await gateOf(fleet)).toEqual({ armed: true, latched: true, swept: true, in_time: true });
    expect(
      await sql(
        `select count(*)::int as orgs, min(floor) as floor, min(origin) as origin from credit_rollout.allotments where org_id > 2000`,
      ),
    ).toEqual([{ orgs: 30, floor: '150000', origin: 'migrated' }]);
    await fleet.expectInvariants();
  });

  test('is taken back while its data center is rolled out again, and comes back with it', async () => {
    const fleet = await makeDone({ sections: 'signups: { cutover: 2099-10-30 }' });
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    const gates = await fleet.control(
      `select action from credit_rollout_control.audit where action like '%_gate' or action = 'cutover' order by seq`,
    );
    expect(gates.map(({ action }) => action)).toEqual(['arm_gate', 'disarm_gate', 'arm_gate']);
    expect(await gateOf(fleet)).toMatchObject({ armed: true, latched: false });
  });
  test('is not armed by a scheduler that was suspended while something changed', async () => {
    const fleet = await createFleet({ orgs: 10, sections: 'signups: { cutover: 2099-10-30 }' });
    dropped.push(fleet.drop);
    await fleet.apply(fleet.cell(0));
    const [seen] = await fleet.engine.control.inTransaction(listDataCenters);
    if (seen === undefined) throw new Error('it is there');
    const arm = { kind: 'arm_gate', reason: 'decided before' } as const;
    await fleet.control(`set local session_replication_role = replica;
      update credit_rollout_control.data_centers set stage = 'done', done_at = now(), version = version + 1`);
    expect(await applyGateStep(fleet.engine, seen, arm)).toBe(false);
    expect(await gateOf(fleet)).toMatchObject({ armed: false });
    const [now] = await fleet.engine.control.inTransaction(listDataCenters);
    expect(await applyGateStep(fleet.engine, now ?? seen, arm)).toBe(true);
    expect(await gateOf(fleet)).toMatchObject({ armed: true });
  });
});
