// Every step that a scheduler takes by itself leaves its row in control's audit, and no step is missing here.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditCells } from '../../../src/engine/scheduler/audit-cells.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { projectPath } from '../../docs/read-document.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

/** Where schedulers write the audit. */
const WRITERS = [
  'cutover/apply-gate-step',
  'end-forgotten-runs',
  'new-epoch',
  'reconcile/end-maintenance',
  'reconcile/maintenance-fence',
  'reconcile/start-maintenance',
  'rollout/advance-stage',
  'rollout/end-pause',
  'rollout/open-fence',
  'rollout/start-run',
  'scheduler/audit-cells',
  'scheduler/record-due-work',
  'scheduler/tick',
  'undo/start-undo',
];
/** Actions that are named by what they are about. */
const NAMED = ['alarm_48h', 'arm_gate', 'cutover', 'disarm_gate', 'end_reconcile', 'end_sweep', 'reconcile', 'sweep'];

let fleet: Fleet;
const id = (): string => fleet.cell(0).dataCenter.id;
/** What nobody may do to control, which the time does. */
const inControl = (set: string): Promise<unknown> =>
  fleet.control(`begin; set local session_replication_role = replica; ${set}; commit`);
const inRow = (set: string): Promise<unknown> =>
  inControl(`update credit_rollout_control.data_centers set ${set}, version = version + 1`);
/** The actions that come by it, each once. */
async function actionsOf(act: () => Promise<unknown>): Promise<readonly string[]> {
  const [before] = await fleet.control('select coalesce(max(seq), 0) as seq from credit_rollout_control.audit');
  await act();
  const rows = await fleet.control(
    `select distinct action from credit_rollout_control.audit
     where seq > $1 and coalesce(data_center, $2) = $2 order by 1`,
    [before?.seq, id()],
  );
  const actions = rows.map(({ action }) => String(action));
  for (const action of actions) seen.add(action);
  return actions;
}
const seen = new Set<string>();
const drive = () => fleet.drive();

beforeAll(async () => {
  fleet = await createFleet({ orgs: 20, sections: 'signups: { cutover: 2099-10-30 }' });
});
afterAll(() => fleet.drop());

describe('the audit of a scheduler', () => {
  test('has a rollout, from its start to its gate', async () => {
    await fleet.apply(fleet.cell(0));
    const actions = await actionsOf(drive);
    expect(actions).toEqual(
      expect.arrayContaining(['activate', 'open_fence', 'close_fence', 'transition', 'arm_gate']),
    );
    const [row] = await fleet.control(
      `select array_agg(details ->> 'to' order by seq) as stages from credit_rollout_control.audit
       where action = 'transition'`,
    );
    expect(row?.stages).toEqual(['migrating', 'verifying', 'baking', 'done']);
  });

  test('has the end of a pause', async () => {
    await inRow(`intent = 'pause', paused_at = now() - interval '1 hour', paused_by = 'ana',
      paused_until = now() - interval '1 minute'`);
    expect(await actionsOf(() => tick(fleet.engine))).toContain('resume');
  });

  test('has a reconciliation and its end', async () => {
    await inControl(`insert into credit_rollout_control.reconcile_requests (data_center, requested_by, requested_at, reason)
      values ('${id()}', 'ana', now(), 'a test')`);
    const actions = await actionsOf(drive);
    expect(actions).toEqual(expect.arrayContaining(['reconcile', 'close_fence', 'end_reconcile']));
  });

  test('has an undo that its cell does not know, and a run that control does not know', async () => {
    await inControl(`insert into credit_rollout_control.undo_requests (data_center, undo_id, digest, reason, requested_by,
      requested_at) values ('${id()}', 77, '${'a'.repeat(64)}', 'a test', 'ana', now())`);
    expect(await actionsOf(drive)).toEqual(['drop_undo']);
    await fleet.cell(0).rewritePast(`insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes)
      select 900, 'reconcile', card_hash, 10, 1 from credit_rollout.runs limit 1`);
    expect(await actionsOf(() => auditCells(fleet.engine))).toEqual(['end_forgotten_run']);
  });

  test('has approvals of people who may not approve any more', async () => {
    await inControl(`insert into credit_rollout_control.reconcile_requests (data_center, requested_by, requested_at, reason,
      allow_falls, state, approver, decided_at) values ('${id()}', 'ana', now(), 'a test', true, 'approved', 'gone', now())`);
    // where people have logins of their own
    await inControl('update credit_rollout_control.rollout set embedded = false');
    expect(await actionsOf(() => tick(fleet.engine, { schedulerId: 'here' }))).toContain('void_lost_approvals');
    await inControl('update credit_rollout_control.rollout set embedded = true');
    expect(
      await fleet.control(`select details from credit_rollout_control.audit where action = 'void_lost_approvals'`),
    ).toEqual([{ details: { approvals: 1 } }]);
  });

  test('has the alarm of a cut-over, the cut-over and its sweep', async () => {
    await inRow(`cutover_at = clock_timestamp() + interval '47 hours', cutover_set_at = now() - interval '30 days'`);
    await fleet.cell(0).rewritePast('update credit_rollout.gate set configured_set_at = null');
    expect(await actionsOf(() => tick(fleet.engine))).toContain('alarm_48h');
    await fleet.cell(0).rewritePast('update credit_rollout.gate set effective_at = now(), configured_at = now()');
    await inRow('cutover_at = now(), gate_effective_at = now(), gate_configured_at = now()');
    const actions = await actionsOf(drive);
    expect(actions).toEqual(expect.arrayContaining(['cutover', 'sweep', 'end_sweep']));
  });

  test('has a fence that was left open, and a cell that is not what was verified', async () => {
    await fleet.cell(0).rewritePast(`update credit_rollout.fence set timeline = '00000000'`);
    expect(await actionsOf(() => auditCells(fleet.engine))).toEqual(['reopen']);
    await inRow('requested_at = null, quiet = true');
    await fleet.cell(0).rewritePast(`update credit_rollout.fence set state = 'open'`);
    expect(await actionsOf(() => auditCells(fleet.engine))).toEqual(['distrust']);
  });

  test('has a gate that is disarmed', async () => {
    await fleet.cell(0).rewritePast(`update credit_rollout.gate set armed_at = now(), effective_at = '2098-01-01',
      configured_at = '2098-01-01', latched_at = null, swept_at = null`);
    await inRow(`cutover_at = '2098-01-01', gate_effective_at = '2098-01-01', gate_configured_at = '2098-01-01',
      gate_latched_at = null, gate_swept_at = null`);
    expect(await actionsOf(() => tick(fleet.engine))).toContain('disarm_gate');
  });

  test('has an undo whose cell came back without it', async () => {
    await inRow(`stage = 'undone', epoch = 9000, requested_at = null, failure = null`);
    expect(await actionsOf(() => auditCells(fleet.engine))).toEqual(['transition']);
    expect(await fleet.stages()).toEqual(['failed']);
  });

  test('has every action that its files name', () => {
    const written = WRITERS.flatMap((file) =>
      [...readFileSync(projectPath(`src/engine/${file}.ts`), 'utf8').matchAll(/action: '(\w+)'/gu)].map(
        ([, action = '']) => action,
      ),
    );
    expect(written.length).toBeGreaterThan(10);
    expect([...new Set([...written, ...NAMED])].filter((action) => !seen.has(action))).toEqual([]);
  });
});
