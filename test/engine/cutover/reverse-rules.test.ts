// Row 43: what the cell and the control database themselves reject, whoever asks them, about a reversal.
import { afterEach, describe, expect, test } from 'vitest';
import { sealInCell } from '../../support/seal-in-cell.js';
import { closeAll, HAPPENED, makeWorld, rejectionOf } from './reverse-scene.js';

afterEach(closeAll);

describe('the cell', () => {
  test('row 43: lets a latch go by its function only, and keeps what it wrote', async () => {
    const world = await makeWorld(HAPPENED);
    const { cell } = world;
    const asFencer = (sql: string) => rejectionOf(cell.cell.inTransaction('fencer', (tx) => tx.raw(sql)));
    const loosen = `update credit_rollout.gate set armed_at = null, effective_at = null, latched_at = null, swept_at = null`;
    expect(await asFencer(loosen)).toBe('23001');
    expect(await rejectionOf(cell.sql(loosen))).toBe('23001');
    expect(await asFencer('delete from credit_rollout.reversals')).toBe('42501');
    expect(
      await asFencer(`insert into credit_rollout.reversals select 1, configured_at, configured_local, armed_at, effective_at,
        latched_at, swept_at, now(), '2098-11-03', 'x', 'a', 'b' from credit_rollout.gate`),
    ).toBe('42501');
    const sealed = (at: string, approver: string, number = 5) =>
      sealInCell(cell.cell, 'reversal', { reversal_id: number, at, local: 'x', author: 'a', approver });
    const call = async (...args: Parameters<typeof sealed>) =>
      asFencer(`select credit_rollout.reverse_cutover('${await sealed(...args)}')`);
    expect(await call('2098-11-03', 'a')).toBe('reversals_two_people_check');
    expect(await call('2020-11-03', 'b')).toBe('reversals_future_check');
    expect(await call('2098-11-03', 'b')).toBeUndefined();
    expect(await call('2098-11-03', 'b')).toBeUndefined();
    expect(await cell.sql('select from credit_rollout.reversals')).toHaveLength(1);
    expect(await call('2098-11-03', 'b', 6)).toBe('55000');
    for (const change of ['delete from', 'truncate', 'update'])
      expect(
        await rejectionOf(
          cell.sql(`${change} credit_rollout.reversals ${change === 'update' ? `set author = 'x'` : ''}`),
        ),
      ).toBe('23001');
  });
});

describe('the control database', () => {
  test('row 43: records who proposes and approves, and moves a pinned cut-over by its newest approval only', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, alice, dc } = world;
    const table = 'credit_rollout_control.reversals';
    const insert = `insert into ${table} (data_center, to_at, to_local, reason) values ('${dc}', '2098-11-03', 'x', 'y')`;
    expect(await rejectionOf(fleet.control(insert.replace('2098', '2020')))).toBe('reversals_future_check');
    await alice.sql(insert);
    expect(await fleet.control(`select author, state from ${table}`)).toEqual([
      { author: alice.name, state: 'proposed' },
    ]);
    expect(await rejectionOf(alice.sql(`update ${table} set state = 'applied'`))).toBe('reversals_two_people_check');
    expect(await rejectionOf(alice.sql(`update ${table} set approver = 'eve'`))).toBe('42501');
    expect(await rejectionOf(fleet.control(`delete from ${table}`))).toBe('23001');
    expect(await rejectionOf(fleet.control(`truncate ${table}`))).toBe('23001');
    const move = `update credit_rollout_control.data_centers set cutover_at = '2098-11-03' where id = '${dc}'`;
    expect(await rejectionOf(fleet.control(move))).toBe('23001');
    await fleet.control(`update ${table} set state = 'withdrawn'`);
    expect(await rejectionOf(fleet.control(`update ${table} set state = 'applied'`))).toBe('23001');
    expect(await rejectionOf(fleet.control(move))).toBe('23001');
    await fleet.control('update credit_rollout_control.data_centers set gate_latched_at = null');
    expect(await rejectionOf(fleet.control(insert))).toBe('reversals_latched_check');
  });
});
