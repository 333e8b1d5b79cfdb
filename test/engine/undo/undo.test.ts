// An undo over control and cell: what it takes back, what it leaves, who must agree, and what stops it.
import { afterEach, describe, expect, test } from 'vitest';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { retryRun } from '../../../src/engine/rollout/retry-run.js';
import { auditCells } from '../../../src/engine/scheduler/audit-cells.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { previewUndo } from '../../../src/engine/undo/preview-undo.js';
import { approveUndo, requestUndo, withdrawOpenUndo } from '../../../src/engine/undo/request-undo.js';
import { createFleet, type FleetOptions } from '../../support/fleet.js';
import { addPeople, allotmentsOf, capacitiesOf, createDone, type Done, question, undo, undoOf } from './undo-scene.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

const keep = (drop: () => Promise<void>): number => dropped.push(drop);
const makeDone = (options?: FleetOptions): Promise<Done> => createDone(keep, options);

describe('requestUndo', () => {
  test('gives every org what it would have had without the rollout, purchases made since included', async () => {
    const fleet = await createFleet({ orgs: 300 });
    dropped.push(fleet.drop);
    const before = await capacitiesOf(fleet);
    await fleet.apply(...fleet.cells);
    await fleet.drive();
    const { ana, bob } = await addPeople(fleet, keep);
    expect(await capacitiesOf(fleet)).not.toEqual(before);
    await fleet.cell(0).sql('update public.orgs set additional_credits = additional_credits + 500 where org_id = 12');
    const proposed = await undo({ fleet, ana, bob });
    expect(proposed).toMatchObject({ state: 'proposed', counts: { conflicts: 0, restores: 0 } });
    expect(await fleet.stages()).toEqual(['undone']);
    const expected = before.map((row) =>
      row.org_id === '12' ? { ...row, capacity: String(BigInt(String(row.capacity)) + 500n) } : row,
    );
    expect(await capacitiesOf(fleet)).toEqual(expected);
    expect(await allotmentsOf(fleet)).toEqual([]);
    expect(await fleet.cell(0).sql(`select distinct cause, operation from credit_rollout.org_changes`)).toEqual([
      { cause: 'undo', operation: 'delete' },
    ]);
    await fleet.expectInvariants();
    // nothing puts it back
    await auditCells(fleet.engine);
    await fleet.drive();
    expect(await fleet.stages()).toEqual(['undone']);
    expect(await allotmentsOf(fleet)).toEqual([]);
    // twice is nothing
    expect(await requestUndo(ana.engine, question(fleet))).toMatchObject({ state: 'nothing' });
    expect(await previewUndo(ana.engine, question(fleet))).toMatchObject({ state: 'nothing', undoId: null });
  });

  test('leaves what somebody changed since, with its reason', async () => {
    const done = await makeDone();
    const { fleet, ana } = done;
    const { sql, dataCenter } = fleet.cell(0);
    // paid and standard: more seats at night; a purchase alone is no conflict; 900 signed up since
    await sql('update public.orgs set agents = 900 where org_id = 12');
    await sql('update public.orgs set additional_credits = 7000 where org_id = 17');
    await sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
      values (900, 'standard', true, 300, 0, 0, now())`);
    await fleet.control(
      `update credit_rollout_control.data_centers set done_at = done_at - interval '2 days' where id = $1`,
      [dataCenter.id],
    );
    await fleet.drive();
    expect(await sql(`select distinct cause from credit_rollout.allotment_changes order by 1`)).toEqual([
      { cause: 'purchase' },
      { cause: 'seats' },
    ]);
    const seen = await previewUndo(ana.engine, question(fleet));
    expect(seen.conflicts.map(({ orgId, verdict }) => [orgId, verdict])).toEqual([
      ['12', 'seats'],
      ['900', 'sign-up'],
    ]);
    const { counts } = await undo(done);
    expect(counts).toMatchObject({ conflicts: 2, restores: 0 });
    expect(await fleet.stages()).toEqual(['undone']);
    expect((await allotmentsOf(fleet)).map(({ org_id }) => org_id)).toEqual(['12', '900']);
    const [bought] = await sql('select model, capacity from credit_rollout.org_capacity where org_id = 17');
    expect(bought).toEqual({ model: 'legacy', capacity: expect.any(String) });
    expect(
      await sql(
        "select sum(stale)::int as stale from credit_rollout.batches b join credit_rollout.runs r using (run_id) where r.kind = 'undo'",
      ),
    ).toEqual([{ stale: 2 }]);
    await fleet.expectInvariants();
  });

  test('lets no paid org fall without a second person, and not lower than that person saw', async () => {
    const { fleet, ana, bob } = await makeDone();
    const { sql, dataCenter } = fleet.cell(0);
    const proposed = await requestUndo(ana.engine, question(fleet));
    expect(proposed.state).toBe('proposed');
    expect(proposed.counts.paidFalls).toBeGreaterThan(1);
    const id = undoOf(proposed.undoId);
    await fleet.drive();
    expect(await fleet.stages()).toEqual(['done']);
    await expect(approveUndo(ana.engine, id, null)).rejects.toMatchObject({ code: 'same_person' });
    // one of them would fall further than was seen: it has fewer seats since
    const [first] = await sql(`select org_id from public.orgs where edition = 'enterprise'
      and agents between 100 and 180 and legacy_limit is null order by org_id limit 1`);
    await sql('update public.orgs set agents = 1, light_agents = 0, legacy_limit = null where org_id = $1', [
      first?.org_id,
    ]);
    await approveUndo(bob.engine, id, 'seen');
    await fleet.drive();
    expect(await fleet.stages()).toEqual(['undone']);
    const left = (await allotmentsOf(fleet)).map(({ org_id }) => org_id);
    expect(left).toEqual([first?.org_id]);
    expect(
      await fleet.control(
        `select action, actor from credit_rollout_control.audit where data_center = $1
         and (action ~ 'undo' or details ? 'undo') order by seq`,
        [dataCenter.id],
      ),
    ).toEqual([
      { action: 'propose_undo', actor: ana.name },
      { action: 'approve', actor: bob.name },
      { action: 'undo', actor: bob.name },
    ]);
    await fleet.expectInvariants();
  });

  test('can be withdrawn until it begins, and outlives no other plan', async () => {
    const { fleet, ana, bob } = await makeDone({ orgs: 50 });
    const first = await requestUndo(ana.engine, question(fleet));
    const second = await requestUndo(ana.engine, question(fleet));
    await expect(approveUndo(bob.engine, undoOf(first.undoId), null)).rejects.toMatchObject({ code: 'undo_unknown' });
    await withdrawOpenUndo(ana.engine, undoOf(second.undoId), 'not now');
    await expect(approveUndo(bob.engine, undoOf(second.undoId), null)).rejects.toMatchObject({ code: 'undo_unknown' });
    await fleet.drive();
    expect(await fleet.stages()).toEqual(['done']);
    await expect(withdrawOpenUndo(ana.engine, undoOf(second.undoId), 'again')).rejects.toMatchObject({
      code: 'undo_unknown',
    });
  });

  test('puts back what a raise had changed, with the purchases of today', async () => {
    const done = await makeDone({ orgs: 100 });
    const { fleet } = done;
    const { sql } = fleet.cell(0);
    const before = await sql(
      'select org_id, floor, total_credits, rate_card, run_id from credit_rollout.allotments order by 1',
    );
    await sql('update public.orgs set agents = agents + 700 where org_id % 5 <> 0');
    await fleet.apply(...fleet.cells);
    await fleet.drive();
    expect(await fleet.stages()).toEqual(['done']);
    await sql('update public.orgs set additional_credits = additional_credits + 40 where org_id = 12');
    const { counts } = await undo(done);
    expect(counts.deletes).toBe(0);
    expect(counts.restores).toBeGreaterThan(50);
    expect(
      await sql('select org_id, floor, total_credits, rate_card, run_id from credit_rollout.allotments order by 1'),
    ).toEqual(
      before.map((row) =>
        row.org_id === '12' ? { ...row, total_credits: String(BigInt(String(row.total_credits)) + 40n) } : row,
      ),
    );
    await fleet.expectInvariants();
  });
});

describe('an undo under way', () => {
  test('stops at a pause, goes on after it, and is neither aborted nor retried', async () => {
    const { fleet, ana, bob } = await makeDone({ orgs: 300 });
    const { sql, dataCenter } = fleet.cell(0);
    const proposed = await requestUndo(ana.engine, question(fleet));
    await approveUndo(bob.engine, undoOf(proposed.undoId), null);
    await tick(fleet.engine);
    expect(await fleet.stages()).toEqual(['undoing']);
    await expect(
      setIntent(fleet.engine, { dataCenter: dataCenter.id, intent: 'abort', reason: null }),
    ).rejects.toMatchObject({ code: 'wrong_stage' });
    await setIntent(fleet.engine, { dataCenter: dataCenter.id, intent: 'pause', reason: null });
    await fleet.drive();
    expect(await sql('select state from credit_rollout.fence')).toEqual([{ state: 'closed' }]);
    expect((await allotmentsOf(fleet)).length).toBeGreaterThan(290);
    await setIntent(fleet.engine, { dataCenter: dataCenter.id, intent: 'run', reason: null });
    await tick(fleet.engine);
    // one batch, then the cell fails over
    await fleet.serve();
    await sql(`update credit_rollout.fence set timeline = '000000FF' where state = 'open'`);
    await fleet.drive();
    expect(await fleet.stages()).toEqual(['undone']);
    expect(await allotmentsOf(fleet)).toEqual([]);
    await expect(retryRun(fleet.engine, dataCenter.id, null)).rejects.toMatchObject({ code: 'wrong_stage' });
    await fleet.expectInvariants();
  });

  test('disarms the gate before anything is taken back, and is refused once the cut-over has begun', async () => {
    const done = await makeDone({ orgs: 50 });
    const { fleet, ana } = done;
    const { sql } = fleet.cell(0);
    const past = async (text: string) =>
      fleet.control(`set session_replication_role = replica; ${text};
      set session_replication_role = origin`);
    await past(`update credit_rollout_control.data_centers set cutover_at = '2098-10-30', cutover_set_at = now(),
      cutover_local = '2098-10-30T00:00:00 UTC'`);
    await fleet.drive();
    const armed = 'select effective_at is not null as armed from credit_rollout.gate';
    expect(await sql(armed)).toEqual([{ armed: true }]);
    await undo(done);
    expect(await fleet.stages()).toEqual(['undone']);
    expect(await sql(armed)).toEqual([{ armed: false }]);
    expect(await allotmentsOf(fleet)).toEqual([]);
    // its instant is there, and no sign-up has latched it yet
    await sql(`update credit_rollout.gate set configured_at = now() - interval '1 second',
      armed_at = now() - interval '1 minute', effective_at = now() - interval '1 second', latched_at = null`);
    const refused = { code: 'undo_refused', exitCode: 6, message: expect.stringContaining('has begun') };
    await expect(previewUndo(ana.engine, question(fleet))).rejects.toMatchObject(refused);
    await expect(requestUndo(ana.engine, question(fleet))).rejects.toMatchObject(refused);
    await sql('update credit_rollout.gate set latched_at = now()');
    await expect(previewUndo(ana.engine, question(fleet))).rejects.toMatchObject(refused);
  });

  test('can be rolled out again afterwards, under a new plan and not under the one that was undone', async () => {
    const fleet = await createFleet({ orgs: 100 });
    dropped.push(fleet.drop);
    const planId = (await fleet.plan(fleet.cell(0))).planId ?? '';
    await fleet.applyPlan(fleet.cell(0), planId);
    expect(await fleet.drive()).toEqual(['done']);
    const done = await addPeople(fleet, keep);
    await undo(done);
    await expect(fleet.applyPlan(fleet.cell(0), planId)).rejects.toMatchObject({ code: 'plan_used' });
    await fleet.apply(...fleet.cells);
    await fleet.drive();
    expect(await fleet.stages()).toEqual(['done']);
    expect((await allotmentsOf(fleet)).length).toBeGreaterThan(95);
    await undo(done);
    expect(await fleet.stages()).toEqual(['undone']);
    await fleet.expectInvariants();
  });

  test('leaves nothing that an org has when it is rolled out again, though it had left before', async () => {
    const done = await makeDone({ cells: [{ orgs: [{}, {}, {}] }] });
    const { fleet } = done;
    const { sql, dataCenter, insertOrgs } = fleet.cell(0);
    await sql('delete from public.orgs where org_id = 3');
    await fleet.control(
      `insert into credit_rollout_control.reconcile_requests (data_center, reason, requested_by)
       values ($1, 'a night', 'x')`,
      [dataCenter.id],
    );
    await fleet.drive();
    await insertOrgs({ org_id: 3, agents: 100 });
    await fleet.apply(fleet.cell(0));
    await fleet.drive();
    const floor = 'select floor from credit_rollout.allotments where org_id = 3';
    expect(await sql(floor)).toEqual([{ floor: '150000' }]);
    await undo(done);
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    expect(await sql(floor)).toEqual([{ floor: '50000' }]);
  });
});
