// The trigger on the table of orgs, which onboards for a product that does not ask: added, dropped, and in nobody’s
// way.
import { afterEach, describe, expect, test } from 'vitest';
import { addSignUpTrigger, dropSignUpTrigger } from '../../../src/engine/setup/triggers.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { applyAll, hasLockWait, type TestCell } from '../../support/cell.js';
import { startStopwatch } from '../../support/stopwatch.js';
import { waitFor } from '../../support/wait.js';
import { allotment, closeAll, connect, cutOver, makeCell, onboard, record, writeWaiting } from './gate-scene.js';

afterEach(closeAll);

describe('the sign-up trigger', () => {
  const install = (cell: TestCell, trigger: 'wanted' | 'as_before' = 'wanted'): Promise<boolean> =>
    addSignUpTrigger(cell.cell, { dataCenter: cell.dataCenter, clock: systemClock, trigger });

  test('onboards what is inserted, in its transaction, and can be asked for again', async () => {
    const cell = await makeCell();
    expect(await install(cell, 'as_before')).toBe(false);
    expect(await install(cell)).toBe(true);
    expect(await install(cell)).toBe(true);
    expect(await install(cell, 'as_before')).toBe(true);
    await cutOver(cell);
    await cell.insertOrgs({ org_id: '1', created_at: 'now' }, { org_id: '2', created_at: 'now', paid: false });
    await writeWaiting(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: null, origin: 'signup' });
    expect(await allotment(cell, '2')).toMatchObject({ total_credits: '5000', origin: 'signup' });
    expect(await onboard(cell, '1')).toBe('credits');
  });

  test('row 44: leaves an org that moves in to the night, which gives it its floor', async () => {
    const cell = await makeCell();
    await install(cell);
    await cutOver(cell);
    await cell.insertOrgs({ org_id: '1', legacy_limit: 150_000, agents: 100, created_at: '2024-01-01' });
    expect(await record(cell, '1')).toBeUndefined();
    await applyAll(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: '150000', total_credits: '150000', origin: 'migrated' });
  });

  test('never fails the insert, and is gone after dropping', async () => {
    const cell = await makeCell();
    await install(cell);
    await cell.sql('drop table credit_rollout.gate, credit_rollout.sign_ups, credit_rollout.allotments cascade');
    await cell.insertOrgs({ org_id: '1', created_at: 'now' });
    expect(await dropSignUpTrigger(cell.cell, systemClock)).toBe(true);
    expect(await dropSignUpTrigger(cell.cell, systemClock)).toBe(false);
    expect(await cell.sql(`select from pg_trigger where tgname = 'credit_rollout_sign_up'`)).toEqual([]);
    await cell.insertOrgs({ org_id: '2', created_at: 'now' });
  });

  test('is rejected on a view, with the reason', async () => {
    const cell = await makeCell({ view: true });
    await expect(install(cell)).rejects.toMatchObject({
      code: 'source_not_a_table',
      message: expect.stringContaining('is a view'),
    });
  });

  test('waits in short attempts for a table that is in use', async () => {
    const cell = await makeCell();
    const client = await connect(cell);
    await client.query(`begin; insert into public.orgs (org_id) values (99)`);
    const installing = install(cell);
    await waitFor('an attempt to wait', () => hasLockWait(cell));
    const stopwatch = startStopwatch(cell);
    await cell.insertOrgs({ org_id: '1', created_at: 'now' });
    expect(await stopwatch()).toBeLessThan(1_000);
    await client.query('rollback');
    expect(await installing).toBe(true);
  });
});
