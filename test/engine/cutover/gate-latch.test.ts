// Arming, latching and sweeping the gate, what it does not let anybody change, and how a transaction with an older
// snapshot sees it.
import type pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { disarmGate } from '../../../src/engine/cutover/gate.js';
import { applyAll, type TestCell } from '../../support/cell.js';
import { waitFor } from '../../support/wait.js';
import {
  allotment,
  arm,
  closeAll,
  connect,
  cutOver,
  inMs,
  latch,
  makeCell,
  reachInstant,
  record,
  rejectionOf,
  signUp,
  swept,
  writeWaiting,
} from './gate-scene.js';

afterEach(closeAll);

describe('the gate', () => {
  test('arms for the later of the configured instant and now, and again for another one', async () => {
    const cell = await makeCell();
    const first = inMs(3_600_000);
    expect(await arm(cell, first)).toMatchObject({ kind: 'armed', gate: { effectiveAt: first, configuredAt: first } });
    const later = inMs(7_200_000);
    expect(await arm(cell, later)).toMatchObject({ kind: 'armed', gate: { effectiveAt: later } });
    expect((await latch(cell)).kind).toBe('not_due');
    expect(await disarmGate(cell.context, cell.dataCenter.id)).toMatchObject({
      kind: 'disarmed',
      gate: { effectiveAt: null },
    });
    const late = await arm(cell, inMs(-3_600_000));
    expect(late).toMatchObject({ kind: 'armed' });
    expect(late.kind === 'armed' && (late.gate.effectiveAt?.getTime() ?? 0)).toBeGreaterThan(inMs(-10_000).getTime());
  });

  test('stays as it is once its instant is over', async () => {
    const cell = await makeCell();
    const armed = await arm(cell, inMs(-1));
    const effectiveAt = armed.kind === 'armed' && armed.gate.effectiveAt;
    expect(await arm(cell, inMs(3_600_000))).toMatchObject({ kind: 'too_late', gate: { effectiveAt } });
    expect(await disarmGate(cell.context, cell.dataCenter.id)).toMatchObject({
      kind: 'too_late',
      gate: { effectiveAt },
    });
    expect(await swept(cell)).toBe(false);
    const first = await latch(cell);
    expect(first).toMatchObject({ kind: 'latched', gate: { latchedAt: expect.any(Date) } });
    expect(await latch(cell)).toEqual(first);
    expect(await swept(cell)).toBe(true);
    expect(await swept(cell)).toBe(false);
  });

  test('rejects even its owner to change what has happened', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    await swept(cell);
    await signUp(cell, '1');
    const statements = [
      'update credit_rollout.gate set latched_at = null, swept_at = null',
      'update credit_rollout.gate set latched_at = clock_timestamp()',
      'update credit_rollout.gate set swept_at = null',
      `update credit_rollout.gate set effective_at = effective_at + interval '1 hour'`,
      'update credit_rollout.gate set armed_at = null, effective_at = null, latched_at = null, swept_at = null',
      `update credit_rollout.gate set configured_local = 'another'`,
      'delete from credit_rollout.gate',
      'truncate credit_rollout.gate',
      `update credit_rollout.sign_ups set model = 'legacy'`,
      'delete from credit_rollout.sign_ups',
      'truncate credit_rollout.sign_ups',
    ];
    for (const statement of statements)
      expect([statement, await rejectionOf(cell, statement)]).toEqual([statement, '23001']);
  });

  test('is neither latched before its instant, nor swept before it is latched, nor early', async () => {
    const cell = await makeCell();
    await arm(cell, inMs(3_600_000));
    expect(await rejectionOf(cell, 'update credit_rollout.gate set latched_at = clock_timestamp()')).toBe('23514');
    expect(await rejectionOf(cell, 'update credit_rollout.gate set swept_at = clock_timestamp()')).toBe('23514');
    expect(await rejectionOf(cell, 'update credit_rollout.gate set effective_at = clock_timestamp()')).toBe('23514');
  });

  test('is swept at its latch when the clock was set back since', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    await cell.sql(`begin; set local session_replication_role = replica;
      update credit_rollout.gate set latched_at = latched_at + interval '1 hour'; commit`);
    expect(await swept(cell)).toBe(true);
    expect(await cell.sql('select swept_at = latched_at as same from credit_rollout.gate')).toEqual([{ same: true }]);
  });
});

describe('a latch', () => {
  test('waits for sign-ups that were answered legacy, and for no other; nobody waits behind it', async () => {
    const cell = await makeCell();
    await arm(cell, inMs(3_600_000));
    const ask = async (): Promise<{ readonly client: pg.Client; readonly model: unknown }> => {
      const client = await connect(cell);
      await client.query('begin');
      return { client, model: (await client.query('select credit_rollout.signup_model() as m')).rows[0].m };
    };
    const before = await ask();
    await reachInstant(cell);
    const after = await ask();
    expect([before.model, after.model]).toEqual(['legacy', 'credits']);
    // as another that comes while it tries
    const trying = latch(cell);
    expect((await ask()).model).toBe('credits');
    expect(await trying).toMatchObject({ kind: 'busy', holders: [{ pid: expect.any(Number) }] });
    await before.client.query('commit');
    expect((await latch(cell)).kind).toBe('latched');
    // its transaction goes on, and its answer stands
    expect((await after.client.query('select credit_rollout.signup_model() as m')).rows[0].m).toBe('credits');
  });
});

describe('at repeatable read', () => {
  const begin = async (cell: TestCell): Promise<pg.Client> => {
    const client = await connect(cell);
    await client.query('begin isolation level repeatable read; select from public.orgs');
    return client;
  };

  test('what was armed after the snapshot does not exist: legacy, decided at its beginning, and the latch waits', async () => {
    const cell = await makeCell();
    const client = await begin(cell);
    await arm(cell, inMs(-1));
    await client.query(`insert into public.orgs select 1, 'standard', true, 300, 0, 0, null, now()`);
    expect((await client.query('select credit_rollout.onboard_org(1) as m')).rows[0].m).toBe('legacy');
    expect((await latch(cell)).kind).toBe('busy');
    await client.query('commit');
    expect(await record(cell, '1')).toEqual({ model: 'legacy', after: false });
    expect((await latch(cell)).kind).toBe('latched');
  });

  test('a latch is seen despite the snapshot: nobody is answered legacy after it', async () => {
    const cell = await makeCell();
    const client = await begin(cell);
    await cutOver(cell);
    await client.query(`insert into public.orgs select 1, 'standard', true, 300, 0, 0, null, now()`);
    expect((await client.query('select credit_rollout.onboard_org(1) as m')).rows[0].m).toBe('credits');
    await client.query('commit');
    expect(await record(cell, '1')).toEqual({ model: 'credits', after: true });
    // its snapshot would have given it a floor
    expect(await allotment(cell, '1')).toBeUndefined();
    await applyAll(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: null });
  });

  test('an instant that was armed before it works as ever', async () => {
    const cell = await makeCell();
    await arm(cell, inMs(300));
    const client = await begin(cell);
    await waitFor('the instant', async () => {
      const [gate] = await cell.sql('select clock_timestamp() > effective_at as reached from credit_rollout.gate');
      return gate?.reached === true;
    });
    await client.query(`insert into public.orgs select 1, 'standard', true, 300, 0, 0, null, now()`);
    expect((await client.query('select credit_rollout.onboard_org(1) as m')).rows[0].m).toBe('credits');
    await client.query('commit');
    await writeWaiting(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: null, origin: 'signup' });
  });
});
