// Row 43: a reversal needs two people and a cell where nothing runs, records who did what, and is finished or withdrawn
// when its approval was cut off.
import { afterEach, describe, expect, test } from 'vitest';
import { approvePostponement, proposePostponement } from '../../../src/engine/cutover/postpone.js';
import { readCutovers } from '../../../src/engine/cutover/read-cutovers.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { auditCells } from '../../../src/engine/scheduler/audit-cells.js';
import { saveGateArmed } from '../../../src/stores/cell/cutover/gate.js';
import { reverseCutover } from '../../../src/stores/cell/cutover/reversals.js';
import type { CutoverProposal } from '../../../src/stores/control/cutover-proposals.js';
import type { TestCell } from '../../support/cell.js';
import { sealInCell } from '../../support/seal-in-cell.js';
import { waitFor } from '../../support/wait.js';
import {
  approve,
  closeAll,
  gateOf,
  HAPPENED,
  makeWorld,
  propose,
  rejectionOf,
  reverse,
  signUp,
  withdraw,
} from './reverse-scene.js';

afterEach(closeAll);

const sealReversalOf = (cell: TestCell, { proposalId, toAt, toLocal, author }: CutoverProposal, approver: string) =>
  sealInCell(cell.cell, 'reversal', { reversal_id: Number(proposalId), at: toAt, local: toLocal, author, approver });

describe('row 43: a reversal', () => {
  test('row 43: control, the audit and `cutover` show who took back what, and when the next instant is', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, dc, alice, bob } = world;
    await reverse(world);
    const [row] =
      await fleet.control(`select cutover_at, cutover_local, gate_configured_at, gate_effective_at, gate_latched_at,
      gate_swept_at from credit_rollout_control.data_centers`);
    const at = new Date('2098-11-03');
    expect(row).toEqual({
      ...{ cutover_at: at, cutover_local: '2098-11-03T00:00:00 UTC', gate_configured_at: at },
      ...{ gate_effective_at: null, gate_latched_at: null, gate_swept_at: null },
    });
    expect(
      await fleet.control(`select actor, action, reason, details ->> 'from_at' as "from", details ->> 'to_at' as "to"
        from credit_rollout_control.audit where action like 'revers%' order by seq`),
    ).toEqual([
      {
        ...{ actor: alice.name, action: 'reverse', reason: 'the product was not ready' },
        ...{ from: '2025-10-30T00:00:00.000Z', to: '2098-11-03T00:00:00.000Z' },
      },
      {
        ...{ actor: bob.name, action: 'reversed', reason: 'seen' },
        ...{ from: '2025-10-30T00:00:00.000Z', to: '2098-11-03T00:00:00.000Z' },
      },
    ]);
    const [report] = await readCutovers(fleet.engine, [dc]);
    expect(report).toMatchObject({ state: 'planned', reversals: [{ state: 'applied', approver: bob.name }] });
  });

  test('row 43: is rejected to its author, into the past, while one is open, and once it was decided', async () => {
    const world = await makeWorld(HAPPENED);
    const { alice, bob } = world;
    await expect(propose(world, alice, '2020-01-01')).rejects.toMatchObject({
      code: 'cutover_refused',
      message: expect.stringContaining('is past'),
    });
    const { proposalId } = await propose(world, alice);
    await expect(propose(world, bob)).rejects.toMatchObject({ code: 'reversal_open', exitCode: 6 });
    await expect(approve(world, alice, proposalId)).rejects.toMatchObject({ code: 'same_person', exitCode: 7 });
    expect(await gateOf(world)).toMatchObject({ latched_at: expect.any(Date), latches: 1 });
    await withdraw(world, bob, 'no');
    await expect(approve(world, bob, proposalId)).rejects.toMatchObject({ code: 'reversal_decided' });
    await expect(approve(world, bob, 999n)).rejects.toMatchObject({ code: 'reversal_unknown' });
    await expect(withdraw(world, bob, 'no')).rejects.toMatchObject({
      code: 'reversal_unknown',
    });
    await reverse(world);
    expect(await gateOf(world)).toMatchObject({ latched_at: null, latches: 0 });
  });

  test('row 43: is rejected where nothing is latched, which is for a postponement', async () => {
    const world = await makeWorld('2099-10-30');
    await expect(propose(world, world.alice)).rejects.toMatchObject({
      code: 'cutover_refused',
      message: expect.stringContaining('nothing to reverse'),
      next: expect.stringContaining('cutover postpone --dc'),
    });
  });

  test('row 43: is rejected while a run or a sign-up is under way, and goes through once that has ended', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, alice, bob, dc, product } = world;
    const { proposalId } = await propose(world, alice);
    await requestReconcile(fleet.engine, { dataCenter: dc, reason: null });
    await fleet.tickUntil('the run to be open', async () => {
      const runs = await fleet.control(
        `select from credit_rollout_control.runs where kind = 'reconcile' and state = 'open'`,
      );
      return runs.length === 1;
    });
    await expect(approve(world, bob, proposalId)).rejects.toMatchObject({
      code: 'cell_busy',
      message: expect.stringContaining('a reconcile run is open'),
    });
    await fleet.drive();
    let end: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      end = resolve;
    });
    const open = product.signUp({ orgId: '3001', until });
    await waitFor('the sign-up to ask', async () => {
      const held =
        await world.cell.sql(`select from pg_locks where locktype = 'advisory' and objid = 4294967295 and granted
        and database = (select oid from pg_database where datname = current_database())`);
      return held.length === 1;
    });
    await expect(approve(world, bob, proposalId)).rejects.toMatchObject({
      code: 'cell_busy',
      message: expect.stringContaining('product'),
    });
    end();
    expect((await open).model).toBe('credits');
    expect(await approve(world, bob, proposalId)).toMatchObject({ state: 'applied' });
  });

  test('row 43: an approval that was cut off between cell and control is finished by giving it again', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, cell, alice, bob } = world;
    const proposed = await propose(world, alice);
    const seal = await sealReversalOf(cell, proposed, bob.name);
    await cell.cell.inTransaction('fencer', (tx) => reverseCutover(tx, seal));
    // control still says the old instant: nobody arms what was taken back
    const old = await sealInCell(cell.cell, 'cutover', { at: new Date(HAPPENED), local: 'before', set_at: new Date() });
    expect(await rejectionOf(cell.cell.inTransaction('fencer', (tx) => saveGateArmed(tx, old)))).toBe('23001');
    await fleet.drive();
    expect(await gateOf(world)).toMatchObject({ effective_at: null });
    expect(await signUp(world, 4_001)).toBe('legacy');
    await approve(world, bob, proposed.proposalId);
    await fleet.drive();
    expect(await gateOf(world)).toMatchObject({ effective_at: new Date('2098-11-03') });
    expect(await cell.sql('select from credit_rollout.reversals')).toHaveLength(1);
  });

  test('row 43: an approval that was cut off and came too late to finish is withdrawn, and its cut-over postponed', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, cell, alice, bob, dc } = world;
    const proposed = await propose(world, alice);
    const seal = await sealReversalOf(cell, proposed, bob.name);
    await cell.cell.inTransaction('fencer', (tx) => reverseCutover(tx, seal));
    // as a scheduler does every half a minute
    await auditCells(fleet.engine);
    await withdraw(world, alice, 'its instant has passed');
    const next = { dataCenter: dc, to: '2098-12-01', reason: 'a new one' };
    const { proposalId } = await proposePostponement(alice.engine, next);
    await approvePostponement(bob.engine, { kind: 'postponement', dataCenter: dc, proposalId }, null);
    await fleet.drive();
    expect(await gateOf(world)).toMatchObject({ effective_at: new Date('2098-12-01'), latched_at: null });
  });
});
