// Runs that are open in a cell and that control does not know, as an older backup of one of the two leaves them: they
// are ended and audited, and afterwards its overrides can be approved and its plans purged.
import { afterEach, expect, test } from 'vitest';
import { endForgottenRuns } from '../../../src/engine/end-forgotten-runs.js';
import { purgePlans } from '../../../src/engine/plan/purge-plans.js';
import { auditCells } from '../../../src/engine/scheduler/audit-cells.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';
import { approve, propose } from '../org/overrides-scene.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

/** Rolled out once; then a second rollout, whose fence is open and whose ranges are to be taken. */
async function reachSecondRun(): Promise<Fleet> {
  const fleet = await createFleet({ orgs: 250 });
  dropped.push(fleet.drop);
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  await fleet.apply(fleet.cell(0));
  await fleet.tickUntil('its ranges are open', async () => {
    if ((await fleet.stages())[0] === 'migrating') return true;
    await serveOpenWork(fleet.engine, fleet.cell(0).dataCenter.id);
    return false;
  });
  return fleet;
}

const runsOf = async (fleet: Fleet) =>
  (await fleet.cell(0).sql('select state from credit_rollout.runs order by run_id')).map(({ state }) => state);
const newestRun = async (fleet: Fleet) =>
  (await fleet.cell(0).sql('select max(run_id) as id from credit_rollout.runs'))[0]?.id;
const ends = (fleet: Fleet) =>
  fleet.control(`select run_id, reason is not null as reasoned from credit_rollout_control.audit
    where action = 'end_forgotten_run'`);

/** What a backup from before the second rollout would hold; that it was the first one's is as good. */
async function forgetNewestRun(fleet: Fleet, stage: 'pending' | 'done'): Promise<void> {
  await fleet.control(`begin; set local session_replication_role = replica;
    delete from credit_rollout_control.runs where run_id = (select max(run_id) from credit_rollout_control.runs);
    update credit_rollout_control.data_centers d set stage = '${stage}', requested_at = null, quiet = true,
      run_id = (select max(run_id) from credit_rollout_control.runs), plan_id = null,
      epoch = (select max(epoch) from credit_rollout_control.runs);
    commit`);
}

test('the fence of a forgotten run is closed and the run is ended: overrides are approved, its plan is purged', async () => {
  const fleet = await reachSecondRun();
  const runId = await newestRun(fleet);
  const crowd = await createPeople(fleet, 'alice', 'bob');
  dropped.push(crowd.drop);
  const [alice, bob] = crowd.people as [TestPerson, TestPerson];
  const scene = { fleet, cell: fleet.cell(0), alice, bob };
  await forgetNewestRun(fleet, 'done');
  const { overrideId } = await propose(scene, 900_000n);
  await expect(approve(scene, overrideId ?? '')).rejects.toMatchObject({ code: 'data_center_busy' });
  expect(await auditCells(fleet.engine)).toEqual([scene.cell.dataCenter.id]);
  // it is not what was verified: it is verified by a third run
  expect(await fleet.drive()).toEqual(['done']);
  expect(await runsOf(fleet)).toEqual(['done', 'aborted', 'done']);
  expect(await ends(fleet)).toEqual([{ run_id: runId, reasoned: true }]);
  expect(await approve(scene, overrideId ?? '')).toMatchObject({ state: 'applied' });
  await scene.cell.rewritePast(`update credit_rollout.plans set made_at = made_at - interval '400 days'`);
  await purgePlans(fleet.engine, { retentionDays: 365 });
  expect(await scene.cell.sql('select plan_id from credit_rollout.plans')).toEqual([]);
});

test('a forgotten run whose fence is closed is ended by the audit, and nothing is ended that control knows', async () => {
  const fleet = await reachSecondRun();
  const { dataCenter, sql } = fleet.cell(0);
  expect(await endForgottenRuns(fleet.engine, dataCenter.id)).toBe(false);
  expect(await runsOf(fleet)).toEqual(['done', 'open']);
  await forgetNewestRun(fleet, 'pending');
  await sql(`update credit_rollout.fence set state = 'closed'`);
  expect(await auditCells(fleet.engine)).toEqual([dataCenter.id]);
  expect(await auditCells(fleet.engine)).toEqual([]);
  expect(await runsOf(fleet)).toEqual(['done', 'aborted']);
  expect(await ends(fleet)).toHaveLength(1);
});

test('who opens a newer run ends a forgotten one, also one that a restored cell has again', async () => {
  const fleet = await reachSecondRun();
  await forgetNewestRun(fleet, 'pending');
  await fleet.cell(0).rewritePast(`update credit_rollout.runs set state = 'open', ended_at = null;
    update credit_rollout.fence set state = 'closed'`);
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  expect(await runsOf(fleet)).toEqual(['aborted', 'aborted', 'done']);
  expect(await ends(fleet)).toHaveLength(2);
});
