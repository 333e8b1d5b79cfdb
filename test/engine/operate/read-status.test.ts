// What status shows of a cell without our schema, and of work that waits while no scheduler runs.
import { afterEach, describe, expect, test } from 'vitest';
import { byCommand } from '../../../src/domain/rollout/hold.js';
import { type DataCenterStatus, readStatus } from '../../../src/engine/operate/read-status.js';
import { listPlans } from '../../../src/engine/plan/list-plans.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { saveWorkerSeen } from '../../../src/stores/cell/batch/workers.js';
import { saveSchedulerSeen } from '../../../src/stores/control/schedulers.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';

const fleets: Fleet[] = [];
async function makeFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = await createFleet(options);
  fleets.push(fleet);
  return fleet;
}
afterEach(async () => {
  await Promise.all(fleets.splice(0).map((fleet) => fleet.drop()));
});

async function readOnly(fleet: Fleet): Promise<DataCenterStatus | undefined> {
  return (await readStatus(fleet.engine)).dataCenters[0];
}
const listCodes = (dc: DataCenterStatus | undefined) => dc?.holds.map(({ code }) => code);

async function makeDone(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await makeFleet({ orgs: 50, ...options });
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  return fleet;
}

describe('readStatus', () => {
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
