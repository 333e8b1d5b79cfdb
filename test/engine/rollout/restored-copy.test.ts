// An older copy of a cell that is put back: its fence is as it was, perhaps open, on the same timeline, and workers do
// not know control. They write nothing until a scheduler of control opens the fence on this server.
import { afterEach, expect, test } from 'vitest';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { auditCells } from '../../../src/engine/scheduler/audit-cells.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { serveMessage, serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

let fleet: Fleet;
afterEach(() => fleet.drop());

const cell = () => fleet.cell(0);
const left = async () =>
  (
    await cell().sql(`select count(*) filter (where state = 'pending')::int as pending,
      count(*) filter (where verified_at is null)::int as unverified from credit_rollout.batches`)
  )[0];

/** A backup always runs on a server that started at another moment. */
const putBack = (more = '') =>
  cell().rewritePast(`update credit_rollout.fence
    set server_started_at = server_started_at - interval '1 day'${more === '' ? '' : `; ${more}`}`);

async function reach(stage: 'migrating' | 'verifying'): Promise<bigint> {
  await fleet.tickUntil(stage, async () => {
    if ((await fleet.stages())[0] === stage) return true;
    await serveOpenWork(fleet.engine, cell().dataCenter.id);
    return false;
  });
  await tick(fleet.engine);
  const [fence] = await cell().sql('select epoch from credit_rollout.fence');
  return BigInt(String(fence?.epoch));
}

test.each(['migrating', 'verifying'] as const)(
  'while %s nothing is done until the fence is opened there',
  async (stage) => {
    fleet = await createFleet({ orgs: 250 });
    const dataCenter = cell().dataCenter.id;
    await fleet.apply(cell());
    const epoch = await reach(stage);
    await putBack();
    const before = await left();
    const kind = stage === 'migrating' ? 'apply' : 'verify';
    expect(await serveMessage(fleet.engine, { dataCenter, epoch, kind })).toBe('fenced');
    expect(await serveOpenWork(fleet.engine, dataCenter)).toBe('fenced');
    expect(await left()).toEqual(before);
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  },
);

test('a data center that was done writes nothing before the auditor has seen it, and is rolled out again', async () => {
  fleet = await createFleet({ orgs: 250 });
  const dataCenter = cell().dataCenter.id;
  await fleet.apply(cell());
  expect(await fleet.drive()).toEqual(['done']);
  await putBack(`update credit_rollout.fence set state = 'open';
    update credit_rollout.runs set state = 'open', ended_at = null;
    update credit_rollout.batches set state = 'pending', done_at = null, verified_at = null where kind = 'range'`);
  const before = await left();
  expect(await serveOpenWork(fleet.engine, dataCenter)).toBe('fenced');
  expect(await left()).toEqual(before);
  expect(await auditCells(fleet.engine)).toEqual([dataCenter]);
  expect(await fleet.drive()).toEqual(['done']);
});

test('a reconciliation goes on after its server started again, under a new epoch', async () => {
  fleet = await createFleet({ orgs: 50 });
  const dataCenter = cell().dataCenter.id;
  await fleet.apply(cell());
  expect(await fleet.drive()).toEqual(['done']);
  await requestReconcile(fleet.engine, { dataCenter, reason: null });
  await fleet.tickUntil(
    'its fence',
    async () => (await cell().sql(`select from credit_rollout.fence where state = 'open'`)).length > 0,
  );
  await putBack();
  expect(await serveOpenWork(fleet.engine, dataCenter)).toBe('fenced');
  expect(await fleet.drive()).toEqual(['done']);
  const runs = await fleet.control(`select state from credit_rollout_control.runs where kind = 'reconcile'`);
  expect(runs).toEqual([{ state: 'done' }]);
});

test('a control that has lost the epoch of an open fence closes it under a new one', async () => {
  fleet = await createFleet({ orgs: 250 });
  const dataCenter = cell().dataCenter.id;
  await fleet.apply(cell());
  const epoch = await reach('migrating');
  await fleet.control(`begin; set local session_replication_role = replica;
    update credit_rollout_control.data_centers set epoch = epoch - 1; commit`);
  await setIntent(fleet.engine, { dataCenter, intent: 'pause', reason: null });
  expect(await tick(fleet.engine)).toBe(0);
  expect(await cell().sql('select state, epoch from credit_rollout.fence')).toEqual([
    { state: 'closed', epoch: String(epoch + 1n) },
  ]);
  await setIntent(fleet.engine, { dataCenter, intent: 'run', reason: null });
  expect(await fleet.drive()).toEqual(['done']);
  await fleet.expectInvariants();
});
