// What onboard_org answers to a sign-up, row by row of the table of cases, and what it records and writes.
import { afterEach, describe, expect, test } from 'vitest';
import { initCell } from '../../../src/engine/setup/init-cell.js';
import { applyAll } from '../../support/cell.js';
import { waitFor } from '../../support/wait.js';
import {
  allotment,
  arm,
  capacity,
  closeAll,
  closing,
  connect,
  cutOver,
  inMs,
  latch,
  makeCell,
  onboard,
  reachInstant,
  record,
  rejectionOf,
  signUp,
  writeWaiting,
} from './gate-scene.js';

afterEach(closeAll);

describe('onboard_org', () => {
  test('answers legacy while the gate is not armed, records it, and writes no allotment (row 14)', async () => {
    const cell = await makeCell();
    expect(await signUp(cell, '1')).toBe('legacy');
    expect(await record(cell, '1')).toMatchObject({ model: 'legacy' });
    expect(await allotment(cell, '1')).toBeUndefined();
  });

  test('row 36: an org from before its rollout is decided by its batch', async () => {
    const cell = await makeCell();
    await signUp(cell, '1');
    await applyAll(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: '150000', origin: 'migrated' });
  });

  test('row 37: between rollout and instant the sweep gives it its floor', async () => {
    const cell = await makeCell({ orgs: [{}] });
    await applyAll(cell);
    await arm(cell, inMs(3_600_000));
    expect(await signUp(cell, '2')).toBe('legacy');
    await reachInstant(cell);
    await waitFor('the latch', async () => (await latch(cell)).kind === 'latched');
    await applyAll(cell);
    expect(await allotment(cell, '2')).toMatchObject({ floor: '150000', total_credits: '150000', origin: 'migrated' });
    expect(await onboard(cell, '2')).toBe('legacy');
  });

  test('row 38: asked before the instant, committed after it: the latch waits, names it, and the sweep finds it', async () => {
    const cell = await makeCell();
    await arm(cell, inMs(3_600_000));
    const client = await connect(cell);
    await client.query(`set application_name = 'shop'; begin`);
    await client.query(`insert into public.orgs select 7, 'standard', true, 300, 0, 0, null, now()`);
    expect((await client.query('select credit_rollout.onboard_org(7) as m')).rows[0].m).toBe('legacy');
    await reachInstant(cell);
    const busy = await latch(cell);
    expect(busy).toMatchObject({ kind: 'busy', holders: [{ application: 'shop', pid: expect.any(Number) }] });
    expect(await signUp(cell, '8')).toBe('credits');
    await client.query('commit');
    expect((await latch(cell)).kind).toBe('latched');
    await writeWaiting(cell);
    await applyAll(cell);
    expect(await allotment(cell, '7')).toMatchObject({ floor: '150000', origin: 'migrated' });
    expect(await allotment(cell, '8')).toMatchObject({ floor: null, origin: 'signup' });
  });

  test('row 39: at or after the instant it starts on credits in its transaction, without a floor', async () => {
    const cell = await makeCell();
    await arm(cell, inMs(-1));
    // nobody has latched
    expect(await signUp(cell, '1')).toBe('credits');
    expect(await capacity(cell, '1')).toEqual({ model: 'credits', capacity: '125000' });
    await writeWaiting(cell);
    expect(await capacity(cell, '1')).toEqual({ model: 'credits', capacity: '125000' });
    expect(await allotment(cell, '1')).toEqual({
      floor: null,
      total_credits: '125000',
      origin: 'signup',
      rate_card: cell.card.hash,
    });
    await cell.insertOrgs({ org_id: '2', paid: false, created_at: 'now' });
    expect(await onboard(cell, '2')).toBe('credits');
    expect(await capacity(cell, '2')).toEqual({ model: 'credits', capacity: '5000' });
    await writeWaiting(cell);
    expect(await allotment(cell, '2')).toMatchObject({ floor: null, total_credits: '5000' });
  });

  test('row 39: the application clock decides nothing', async () => {
    const cell = await makeCell();
    expect(await signUp(cell, '1', '2031-01-01')).toBe('legacy');
    await cutOver(cell);
    expect(await signUp(cell, '2', '2020-01-01')).toBe('credits');
    await applyAll(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: '150000' });
    expect(await allotment(cell, '2')).toMatchObject({ floor: null });
  });

  test('row 40: an org that bypassed the gate after the instant: the next pass decides it, without a floor', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    await cell.insertOrgs({ org_id: '1', created_at: 'now' });
    await applyAll(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: null, total_credits: '125000' });
  });

  test('row 41: not armed at the configured instant: legacy, until arming, which is the instant then', async () => {
    const cell = await makeCell();
    expect(await signUp(cell, '1')).toBe('legacy');
    const armed = await arm(cell, new Date('2025-10-30T00:00:00Z'));
    expect(armed.kind === 'armed' && armed.gate.configuredAt).toEqual(new Date('2025-10-30T00:00:00Z'));
    expect(await signUp(cell, '2')).toBe('credits');
    expect(await record(cell, '1')).toEqual({ model: 'legacy', after: false });
    expect(await record(cell, '2')).toEqual({ model: 'credits', after: true });
    await applyAll(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: '150000' });
  });

  test('the first answer holds for its transaction', async () => {
    const cell = await makeCell();
    await arm(cell, inMs(3_600_000));
    const client = await connect(cell);
    await client.query('begin');
    expect((await client.query('select credit_rollout.signup_model() as m')).rows[0].m).toBe('legacy');
    await reachInstant(cell);
    await client.query(`insert into public.orgs select 1, 'standard', true, 300, 0, 0, null, now()`);
    const { rows } = await client.query(
      'select credit_rollout.signup_model() as one, credit_rollout.onboard_org(1) as two',
    );
    expect(rows[0]).toEqual({ one: 'legacy', two: 'legacy' });
    await client.query('commit');
    expect((await client.query('select credit_rollout.signup_model() as m')).rows[0].m).toBe('credits');
    expect(await record(cell, '1')).toEqual({ model: 'legacy', after: false });
  });

  test('an org that was decided before is no sign-up: nothing is recorded, its floor stays', async () => {
    const cell = await makeCell({ orgs: [{}] });
    await applyAll(cell);
    await cutOver(cell);
    expect(await onboard(cell, '1')).toBe('credits');
    expect(await record(cell, '1')).toBeUndefined();
    expect(await allotment(cell, '1')).toMatchObject({ floor: '150000', origin: 'migrated' });
  });

  test('asked before the org is inserted it records, and writes when it is there', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    expect(await onboard(cell, '1')).toBe('credits');
    await writeWaiting(cell);
    await cell.insertOrgs({ org_id: '1' });
    expect(await onboard(cell, '1')).toBe('credits');
    await cell.sql('update credit_rollout.pending_sign_ups set due_at = now()');
    await writeWaiting(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: null, origin: 'signup' });
  });

  test('an undecidable org gets its answer and no allotment', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    await cell.insertOrgs({ org_id: '1', edition: 'unheard of' });
    expect(await onboard(cell, '1')).toBe('credits');
    expect(await capacity(cell, '1')).toEqual({ model: 'credits', capacity: null });
    await writeWaiting(cell);
    expect(await allotment(cell, '1')).toBeUndefined();
  });

  test('a retired org is left to the night, which knows its floor', async () => {
    const cell = await makeCell({ orgs: [{}] });
    await applyAll(cell);
    await cutOver(cell);
    await cell.sql('delete from credit_rollout.allotments');
    expect(await onboard(cell, '1')).toBe('credits');
    expect(await capacity(cell, '1')).toEqual({ model: 'credits', capacity: '150000' });
    await writeWaiting(cell);
    expect(await allotment(cell, '1')).toBeUndefined();
  });

  test.each(['text', 'uuid', 'integer', 'smallint', 'varchar'] as const)('takes ids of type %s', async (idType) => {
    const cell = await makeCell({ idType });
    await cutOver(cell);
    await cell.insertOrgs({ created_at: 'now' });
    const [row] = await cell.sql('select credit_rollout.onboard_org(org_id) as model from public.orgs');
    expect(row?.model).toBe('credits');
    await writeWaiting(cell);
    expect(await cell.sql('select origin from credit_rollout.allotments')).toEqual([{ origin: 'signup' }]);
  });

  test('a product role needs init --grant, and nothing else', async () => {
    const cell = await makeCell();
    const role = `product_${cell.dataCenter.id}`;
    await cell.sql(`create role ${role}`);
    closing.push(async () => cell.sql(`drop owned by ${role}`).then(() => cell.sql(`drop role ${role}`)));
    await cell.sql(`grant select, insert on public.orgs to ${role}`);
    const ask = `begin; set local role ${role}; select credit_rollout.onboard_org(1); commit`;
    expect(await rejectionOf(cell, ask)).toBe('42501');
    await cell.sql('rollback');
    await initCell(cell.cell, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30, grant: role });
    await cutOver(cell);
    await cell.insertOrgs({ org_id: '1' });
    expect(await rejectionOf(cell, ask)).toBe('done');
    await writeWaiting(cell);
    expect(await allotment(cell, '1')).toMatchObject({ origin: 'signup' });
    for (const fn of ['ask_gate()', 'wait_for_gate()', 'sign_up(1)'])
      expect(await rejectionOf(cell, `begin; set local role ${role}; select credit_rollout.${fn}; commit`)).toBe(
        '42501',
      );
  });
});
