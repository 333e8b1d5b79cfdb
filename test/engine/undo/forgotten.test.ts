// A control that was restored to before an undo: its cell knows better. Nothing puts back what two people had taken back
// until a person decides.
import { afterEach, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { retryRun } from '../../../src/engine/rollout/retry-run.js';
import { auditCells } from '../../../src/engine/scheduler/audit-cells.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { approveUndo, requestUndo } from '../../../src/engine/undo/request-undo.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

interface Scene {
  readonly fleet: Fleet;
  readonly undo: () => Promise<void>;
  /** Puts control back to where it was before the undo was asked for. */
  readonly restoreControl: () => Promise<unknown>;
}

async function makeScene(): Promise<Scene> {
  const fleet = await createFleet({ orgs: 250, rollout: '{ batchSize: 100 }' });
  dropped.push(fleet.drop);
  const { people, drop } = await createPeople(fleet, 'ana', 'bob');
  dropped.push(drop);
  const [ana, bob] = people as readonly [TestPerson, TestPerson];
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  await auditCells(fleet.engine);
  await fleet.control('create table public.kept as select * from credit_rollout_control.data_centers');
  const question = { dataCenter: fleet.cell(0).dataCenter.id, limit: 1, reason: 'a wrong card' };
  return {
    fleet,
    undo: async () => {
      const id = parseProposalId((await requestUndo(ana.engine, question)).undoId ?? '');
      if (id?.kind !== 'undo') throw new Error('it was proposed');
      await approveUndo(bob.engine, id, null);
    },
    restoreControl: () =>
      fleet.control(`begin; set local session_replication_role = replica;
        delete from credit_rollout_control.undo_requests;
        delete from credit_rollout_control.runs where kind = 'undo';
        update credit_rollout_control.data_centers d set stage = k.stage, run_id = k.run_id, epoch = k.epoch,
          quiet = k.quiet, failure = k.failure, verified_at = k.verified_at, bake_until = k.bake_until,
          single_writes = k.single_writes, done_at = now() - interval '2 days'
          from public.kept k where k.id = d.id; commit`),
  };
}

const countAllotments = async ({ fleet }: Scene): Promise<number> =>
  Number((await fleet.cell(0).sql('select count(*)::int as n from credit_rollout.allotments'))[0]?.n);
const readFailure = async ({ fleet }: Scene): Promise<unknown> =>
  (await fleet.control('select stage, failure from credit_rollout_control.data_centers'))[0];
const nextOf = async ({ fleet }: Scene): Promise<unknown> =>
  (await readStatus(fleet.engine)).dataCenters.map(({ next }) => next.verb)[0];

const FORGOTTEN = { stage: 'failed', failure: 'undo_forgotten' };

test('a finished undo that control forgot is not reversed by night, feed or gate', async () => {
  const scene = await makeScene();
  const { fleet, undo, restoreControl } = scene;
  const dataCenter = fleet.cell(0).dataCenter.id;
  await undo();
  expect(await fleet.drive()).toEqual(['undone']);
  expect(await countAllotments(scene)).toBe(0);
  await restoreControl();
  // before the auditor looks: a night is due, and one more is asked for
  await requestReconcile(fleet.engine, { dataCenter, reason: 'a night' });
  expect(await fleet.drive()).toEqual(['done']);
  expect(await feedChanges(fleet.engine, dataCenter, { pace: 'at_once' })).toMatchObject({ raised: 0 });
  expect(await countAllotments(scene)).toBe(0);
  expect(await auditCells(fleet.engine)).toEqual([dataCenter]);
  expect(await fleet.drive()).toEqual(['failed']);
  expect(await readFailure(scene)).toEqual(FORGOTTEN);
  expect(await countAllotments(scene)).toBe(0);
  expect(await nextOf(scene)).toBe('abort');
  await expect(retryRun(fleet.engine, dataCenter, null)).rejects.toMatchObject({ code: 'wrong_stage' });
  // a person keeps it so, or rolls it out again
  await setIntent(fleet.engine, { dataCenter, intent: 'abort', reason: 'it was undone' });
  expect(await fleet.drive()).toEqual(['aborted']);
  expect(await countAllotments(scene)).toBe(0);
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  expect(await auditCells(fleet.engine)).toEqual([]);
  expect(await countAllotments(scene)).toBeGreaterThan(240);
});

test('one that was under way stops where it is, and a person has the rest taken back', async () => {
  const scene = await makeScene();
  const { fleet, undo, restoreControl } = scene;
  const { sql, context, dataCenter } = fleet.cell(0);
  await undo();
  const open = `select epoch from credit_rollout.fence where state = 'open'`;
  while ((await sql(open)).length === 0) await tick(fleet.engine);
  const epoch = BigInt(String((await sql(open))[0]?.epoch));
  await applyBatches(context, { dataCenter: dataCenter.id, epoch, forMs: 0 });
  const left = await countAllotments(scene);
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(240);
  await restoreControl();
  expect(await auditCells(fleet.engine)).toEqual([dataCenter.id]);
  await tick(fleet.engine);
  expect(await sql('select state from credit_rollout.fence')).toEqual([{ state: 'closed' }]);
  expect(await fleet.drive()).toEqual(['failed']);
  expect(await readFailure(scene)).toEqual(FORGOTTEN);
  expect(await countAllotments(scene)).toBe(left);
  expect(await nextOf(scene)).toBe('undo');
  await auditCells(fleet.engine);
  await undo();
  expect(await fleet.drive()).toEqual(['undone']);
  expect(await countAllotments(scene)).toBe(0);
});
