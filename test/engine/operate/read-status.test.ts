// What status shows of a cell without our schema, and of work that waits while no scheduler runs.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { byCommand } from '../../../src/domain/rollout/hold.js';
import { type DataCenterStatus, readStatus } from '../../../src/engine/operate/read-status.js';
import { listPlans } from '../../../src/engine/plan/list-plans.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { saveWorkerSeen } from '../../../src/stores/cell/batch/workers.js';
import { listBlockers } from '../../../src/stores/cell/blockers.js';
import { saveHolds } from '../../../src/stores/control/holds.js';
import { saveSchedulerSeen } from '../../../src/stores/control/schedulers.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';
import { waitFor } from '../../support/wait.js';

const fleets: Fleet[] = [];
async function makeFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = await createFleet(options);
  fleets.push(fleet);
  return fleet;
}
const sessions: pg.Client[] = [];
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.end()));
  await Promise.all(fleets.splice(0).map((fleet) => fleet.drop()));
});

async function readOnly(fleet: Fleet): Promise<DataCenterStatus | undefined> {
  return (await readStatus(fleet.engine)).dataCenters[0];
}
/** A session of somebody else, closed with the test. */
async function openSession(url: string, application: string) {
  const client = new pg.Client({ connectionString: url, application_name: application });
  await client.connect();
  sessions.push(client);
  const [row] = (await client.query('select pg_backend_pid() as pid')).rows;
  return { pid: row.pid as number, query: (sql: string) => client.query(sql) };
}

const listCodes = (dc: DataCenterStatus | undefined) => dc?.holds.map(({ code }) => code);

async function makeDone(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await makeFleet({ orgs: 50, ...options });
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  return fleet;
}

describe('readStatus', () => {
  test('shows that schedulers cannot reach a cell that this command reaches, and what to look at', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    await fleet.apply(fleet.cell(0));
    await fleet.engine.control.inTransaction((tx) =>
      saveHolds(tx, fleet.cell(0).dataCenter.id, [
        {
          code: 'cell_unreachable',
          value: 'not named',
          limit: null,
          release: 'credit-rollout doctor',
          needsPerson: false,
        },
      ]),
    );
    expect((await readOnly(fleet))?.holds.find(({ code }) => code === 'cell_unreachable')).toMatchObject({
      value: 'for schedulers: not named',
      needsPerson: true,
      release: { verb: 'doctor', after: expect.stringContaining('configuration of the schedulers') },
    });
  });

  test('names processes whose login may do more than their work, except where one login is for everything', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    const { cell, dataCenter } = fleet.cell(0);
    await cell.inTransaction('worker', (tx) => saveWorkerSeen(tx, 'host:1', null));
    await fleet.engine.control.inTransaction((tx) => saveSchedulerSeen(tx, 'host:2'));
    expect((await readStatus(fleet.engine)).logins).toEqual([]);
    await fleet.control('update credit_rollout_control.rollout set embedded = false');
    const [own] = await fleet.control(`select format('%I', session_user) as login`);
    const more = { login: own?.login, powers: ['superuser'] };
    expect((await readStatus(fleet.engine)).logins).toEqual([
      { process: 'worker', dataCenter: dataCenter.id, ...more },
      { process: 'scheduler', dataCenter: null, ...more },
    ]);
  });

  test('names sessions whose locks keep its work from going on, or that wait for such a lock', async () => {
    const fleet = await makeFleet({ cells: [{ view: true }], orgs: 5 });
    const { cell, url } = fleet.cell(0);
    const blockers = async () => (await readOnly(fleet))?.blockers;
    const [owner, reader, ours] = await Promise.all(
      ['schema tool', 'report', 'credit-rollout worker'].map((name) => openSession(url, name)),
    );
    await owner?.query('begin; lock table public.org_rows in access exclusive mode');
    expect(await blockers()).toEqual([]); // nothing is under way
    await owner?.query('rollback');
    await fleet.apply(fleet.cell(0));
    await owner?.query('begin; lock table public.org_rows in access exclusive mode');
    const locked = {
      pid: owner?.pid,
      application: 'schema tool',
      relation: 'public.org_rows',
      mode: 'ACCESS EXCLUSIVE',
    };
    expect(await blockers()).toEqual([expect.objectContaining({ ...locked, queued: false, since: expect.any(Date) })]);
    await owner?.query('rollback');
    // one that waits for its lock is as bad: what comes later waits behind it
    await reader?.query('begin; select from public.org_rows');
    const waits = owner?.query('begin; lock table public.org_rows in access exclusive mode');
    await waitFor('its wait', async () => (await blockers())?.[0]?.queued);
    expect(await blockers()).toMatchObject([{ ...locked, queued: true }]);
    await reader?.query('rollback');
    await waits;
    await owner?.query('rollback; begin; lock table credit_rollout.allotments in share row exclusive mode');
    expect(await blockers()).toMatchObject([{ relation: 'credit_rollout.allotments', mode: 'SHARE ROW EXCLUSIVE' }]);
    await owner?.query('rollback; begin; select pg_advisory_xact_lock(4711)');
    const blocked = ours?.query('select pg_advisory_xact_lock(4711)');
    await waitFor('a session of ours that waits', async () => (await blockers())?.length);
    expect(await blockers()).toMatchObject([{ pid: owner?.pid, relation: null, mode: null }]);
    await owner?.query('rollback');
    await blocked;
    // nor does it help to call oneself one of ours, who hold such a lock for moments
    await owner?.query(`rollback; begin; set local application_name = 'credit-rollout'`);
    await owner?.query('select pg_advisory_xact_lock(4711)');
    const waiting = ours?.query('select pg_advisory_xact_lock(4711)');
    expect(await waitFor('its name', async () => (await blockers())?.[0])).toMatchObject({ pid: owner?.pid });
    await owner?.query('rollback');
    await waiting;
    expect(await blockers()).toEqual([]);
    expect(await cell.inTransaction('operator', (tx) => listBlockers(tx, 3))).toEqual([]);
  });

  test('shows not_initialised and init for a cell without our schema, and listPlans the same', async () => {
    const fleet = await makeFleet({ cells: [{ init: 'left' }], orgs: 5 });
    const { id } = fleet.cell(0).dataCenter;
    expect(await readOnly(fleet)).toMatchObject({ unreachable: 'not_initialised', next: byCommand('init') });
    const { unreachable } = await listPlans(fleet.engine, { config: fleet.config, dataCenters: [id], limit: 10 });
    expect(unreachable).toEqual([{ dataCenter: id, code: 'not_initialised' }]);
  });

  test('shows the same where only the roles are left of it', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    await fleet.cell(0).sql('drop schema credit_rollout cascade');
    expect(await readOnly(fleet)).toMatchObject({ unreachable: 'not_initialised', next: byCommand('init') });
  });

  test('holds a done data center for want of a scheduler only while something waits there', async () => {
    const fleet = await makeDone();
    expect(listCodes(await readOnly(fleet))).toEqual([]);
    const dataCenter = fleet.cell(0).dataCenter.id;
    await requestReconcile(fleet.engine, { dataCenter, reason: null });
    await fleet.control(
      `insert into credit_rollout_control.schedulers (scheduler_id, seen_at) values ('gone', '2026-01-02T03:04:05Z')`,
    );
    expect((await readOnly(fleet))?.holds).toMatchObject([
      { code: 'no_scheduler', release: byCommand('up'), since: new Date('2026-01-02T03:04:05Z') },
    ]);
    await fleet.control(`update credit_rollout_control.schedulers set seen_at = clock_timestamp()`);
    expect(listCodes(await readOnly(fleet))).not.toContain('no_scheduler');
  });

  test('says what of a rollout was work and what was waiting, as far as the log of holds reaches', async () => {
    const fleet = await makeDone();
    const dataCenter = fleet.cell(0).dataCenter.id;
    const setRequested = (ago: string): Promise<unknown> =>
      fleet.control(`update credit_rollout_control.runs set requested_at = ended_at - interval '${ago}'`);
    const log = (code: string, since: number, until: number): Promise<unknown> =>
      fleet.control(
        `insert into credit_rollout_control.hold_log (data_center, code, since, until)
         select $1, $2, ended_at - $3 * interval '1 s', ended_at - $4 * interval '1 s' from credit_rollout_control.runs`,
        [dataCenter, code, since, until],
      );
    await fleet.control(`delete from credit_rollout_control.hold_log;
      update credit_rollout_control.migrations set migration_time = now() - interval '2 hours'`);
    await setRequested('100 s');
    await log('needs_approval', 90, 40);
    await log('window_closed', 50, 30);
    await log('planning', 100, 90);
    await log('paused', 200, 150);
    expect((await readOnly(fleet))?.duration).toEqual({
      activeMs: 40_000,
      heldMs: 60_000,
      held: [
        { code: 'needs_approval', ms: 40_000 },
        { code: 'window_closed', ms: 20_000 },
      ],
    });
    await setRequested('3 hours');
    expect((await readOnly(fleet))?.duration).toBeNull();

    const holds = `select code, value, until is null as open from credit_rollout_control.hold_log
      where code in ('frozen', 'no_scheduler') order by code`;
    await fleet.control(`insert into credit_rollout_control.holds (data_center, code, value, release, needs_person, position)
      values ('${dataCenter}', 'frozen', 'x', 'y', true, 0)`);
    expect(await fleet.control(holds)).toEqual([{ code: 'frozen', value: 'x', open: true }]);
    await fleet.control(`delete from credit_rollout_control.holds;
      set local session_replication_role = replica;
      update credit_rollout_control.data_centers set requested_at = now() - interval '1 day';
      delete from credit_rollout_control.schedulers;
      insert into credit_rollout_control.schedulers (scheduler_id, seen_at) values ('gone', now() - interval '1 hour')`);
    await fleet.engine.control.inTransaction((tx) => saveSchedulerSeen(tx, 'host:2'));
    await fleet.engine.control.inTransaction((tx) => saveSchedulerSeen(tx, 'host:2'));
    expect(await fleet.control(holds)).toEqual([
      { code: 'frozen', value: 'x', open: false },
      { code: 'no_scheduler', value: null, open: false },
    ]);
  });

  test('holds it for a cut-over that is to come, and for a night that is due', async () => {
    const coming = await makeDone({ sections: 'signups: { cutover: 2150-01-01 }' });
    expect(listCodes(await readOnly(coming))).toContain('no_scheduler');
    const night = await makeDone();
    await night.control(
      `insert into credit_rollout_control.due_work (data_center, kind, local_date, due_at, due_local, state)
       values ($1, 'reconcile', current_date, clock_timestamp(), '00:15', 'due')`,
      [night.cell(0).dataCenter.id],
    );
    expect(listCodes(await readOnly(night))).toContain('no_scheduler');
  });
});
