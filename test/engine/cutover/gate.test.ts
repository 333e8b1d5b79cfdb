// The gate and the functions of the product on a real cell: what they answer, record and write, and what they never
// break.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { armGate, disarmGate, latchGate } from '../../../src/engine/cutover/gate.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { initCell } from '../../../src/engine/setup/init-cell.js';
import { addSignUpTrigger, dropSignUpTrigger } from '../../../src/engine/setup/triggers.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { markSwept } from '../../../src/stores/cell/cutover/gate.js';
import { detachSource } from '../../../src/stores/cell/setup/schema.js';
import { applyAll, createTestCell, hasLockWait, type TestCell, type TestCellOptions } from '../../support/cell.js';
import { startStopwatch } from '../../support/stopwatch.js';
import { waitFor } from '../../support/wait.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function makeCell(options?: TestCellOptions): Promise<TestCell> {
  const cell = await createTestCell(options);
  closing.push(cell.drop);
  return cell;
}

async function connect(cell: TestCell): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: cell.url });
  client.on('error', () => undefined);
  await client.connect();
  closing.push(() => client.end());
  return client;
}

const inMs = (ms: number): Date => new Date(systemClock.now().getTime() + ms);
const arm = (cell: TestCell, configuredAt: Date) =>
  armGate(cell.context, { dataCenter: cell.dataCenter.id, configuredAt, configuredLocal: 'as configured' });
/** The armed instant comes now, instead of being waited for. */
const reachInstant = (cell: TestCell) =>
  cell.sql(`set local session_replication_role = replica;
    update credit_rollout.gate set configured_at = clock_timestamp(), effective_at = clock_timestamp()`);
const latch = (cell: TestCell) => latchGate(cell.context, cell.dataCenter.id);
const cutOver = async (cell: TestCell): Promise<void> => {
  await arm(cell, inMs(-60_000));
  expect((await latch(cell)).kind).toBe('latched');
};
const swept = (cell: TestCell): Promise<boolean> => cell.cell.inTransaction('fencer', markSwept);
const onboard = async (cell: TestCell, orgId: string): Promise<unknown> =>
  (await cell.sql('select credit_rollout.onboard_org($1) as model', [orgId]))[0]?.model;
const signUp = async (cell: TestCell, orgId: string, createdAt = 'now'): Promise<unknown> => {
  await cell.insertOrgs({ org_id: orgId, created_at: createdAt });
  return onboard(cell, orgId);
};
const allotment = async (cell: TestCell, orgId: string): Promise<Record<string, unknown> | undefined> =>
  (
    await cell.sql('select floor, total_credits, origin, rate_card from credit_rollout.allotments where org_id = $1', [
      orgId,
    ])
  )[0];
const record = async (cell: TestCell, orgId: string): Promise<Record<string, unknown> | undefined> =>
  (
    await cell.sql(
      `select s.model, s.decided_at >= g.effective_at as after from credit_rollout.sign_ups s cross join credit_rollout.gate g
       where s.org_id = $1`,
      [orgId],
    )
  )[0];
const refused = (cell: TestCell, sql: string): Promise<unknown> =>
  cell.sql(sql).then(
    () => 'done',
    (error) => error.code,
  );

describe('onboard_org', () => {
  test('says legacy while the gate is not armed, records it, and writes no allotment (row 14)', async () => {
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
    await applyAll(cell);
    expect(await allotment(cell, '7')).toMatchObject({ floor: '150000', origin: 'migrated' });
    expect(await allotment(cell, '8')).toMatchObject({ floor: null, origin: 'signup' });
  });

  test('row 39: at or after the instant it starts on credits in its transaction, without a floor', async () => {
    const cell = await makeCell();
    await arm(cell, inMs(-1));
    // nobody has latched
    expect(await signUp(cell, '1')).toBe('credits');
    expect(await allotment(cell, '1')).toEqual({
      floor: null,
      total_credits: '125000',
      origin: 'signup',
      rate_card: cell.card.hash,
    });
    await cell.insertOrgs({ org_id: '2', paid: false, created_at: 'now' });
    expect(await onboard(cell, '2')).toBe('credits');
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

  test('row 40: past the gate after the instant: the next pass decides it, without a floor', async () => {
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

  test('the first answer stands for its transaction', async () => {
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

  test('asked before the org is inserted it records, and writes when asked again', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    expect(await onboard(cell, '1')).toBe('credits');
    await cell.insertOrgs({ org_id: '1' });
    expect(await onboard(cell, '1')).toBe('credits');
    expect(await allotment(cell, '1')).toMatchObject({ floor: null, origin: 'signup' });
  });

  test('an undecidable org gets its answer and no allotment', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    await cell.insertOrgs({ org_id: '1', edition: 'unheard of' });
    expect(await onboard(cell, '1')).toBe('credits');
    expect(await allotment(cell, '1')).toBeUndefined();
  });

  test('a retired org is left to the night, which knows its floor', async () => {
    const cell = await makeCell({ orgs: [{}] });
    await applyAll(cell);
    await cutOver(cell);
    await cell.sql('delete from credit_rollout.allotments');
    expect(await onboard(cell, '1')).toBe('credits');
    expect(await allotment(cell, '1')).toBeUndefined();
  });

  test.each(['text', 'uuid', 'integer', 'smallint', 'varchar'] as const)('takes ids of type %s', async (idType) => {
    const cell = await makeCell({ idType });
    await cutOver(cell);
    await cell.insertOrgs({ created_at: 'now' });
    const [row] = await cell.sql('select credit_rollout.onboard_org(org_id) as model from public.orgs');
    expect(row?.model).toBe('credits');
    expect(await cell.sql('select origin from credit_rollout.allotments')).toEqual([{ origin: 'signup' }]);
  });

  test('a product role needs init --grant, and nothing else', async () => {
    const cell = await makeCell();
    const role = `product_${cell.dataCenter.id}`;
    await cell.sql(`create role ${role}`);
    closing.push(async () => cell.sql(`drop owned by ${role}`).then(() => cell.sql(`drop role ${role}`)));
    await cell.sql(`grant select, insert on public.orgs to ${role}`);
    const ask = `begin; set local role ${role}; select credit_rollout.onboard_org(1); commit`;
    expect(await refused(cell, ask)).toBe('42501');
    await cell.sql('rollback');
    await initCell(cell.cell, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30, grant: role });
    await cutOver(cell);
    await cell.insertOrgs({ org_id: '1' });
    expect(await refused(cell, ask)).toBe('done');
    expect(await allotment(cell, '1')).toMatchObject({ origin: 'signup' });
    for (const fn of ['ask_gate()', 'wait_for_gate()', 'grant_sign_up(1)'])
      expect(await refused(cell, `begin; set local role ${role}; select credit_rollout.${fn}; commit`)).toBe('42501');
  });
});

describe('a sign-up never fails because of us', () => {
  test.each([
    ['views detached', (cell: TestCell) => cell.cell.asOwner(detachSource)],
    ['the rule dropped', (cell: TestCell) => cell.sql('drop function credit_rollout.decided_first cascade')],
    ['the gate dropped', (cell: TestCell) => cell.sql('drop table credit_rollout.gate cascade')],
    ['records dropped', (cell: TestCell) => cell.sql('drop table credit_rollout.sign_ups cascade')],
    ['allotments dropped', (cell: TestCell) => cell.sql('drop table credit_rollout.allotments cascade')],
    ['an active card that is gone', (cell: TestCell) => cell.sql('update credit_rollout.cell set active_card = null')],
  ])('%s', async (_, breakIt) => {
    const cell = await makeCell();
    await cutOver(cell);
    await breakIt(cell);
    expect(await signUp(cell, '1')).toBe('credits');
    expect(await cell.sql('select from public.orgs')).toHaveLength(1);
  });

  test('after detach and init the same session writes allotments again', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    const client = await connect(cell);
    const ask = async (id: number): Promise<void> => {
      await client.query(`insert into public.orgs select $1, 'standard', true, 300, 0, 0, null, now()`, [id]);
      await client.query('select credit_rollout.onboard_org($1)', [id]);
    };
    await ask(1);
    await cell.cell.asOwner(detachSource);
    await ask(2);
    await cell.init();
    await ask(3);
    expect(await cell.sql('select org_id from credit_rollout.allotments order by 1')).toEqual([
      { org_id: '1' },
      { org_id: '3' },
    ]);
    expect(await record(cell, '2')).toEqual({ model: 'credits', after: true });
  });

  test('whoever holds the gate for long delays it by 250 ms, or by half its own statement timeout', async () => {
    const cell = await makeCell();
    await arm(cell, inMs(-1));
    const holder = await connect(cell);
    await holder.query('begin; select pg_advisory_xact_lock(1129467724, -1)');
    const client = await connect(cell);
    const ask = async (id: number): Promise<{ ms: number; calmMs: number }> => {
      const stopwatch = startStopwatch(cell);
      const began = systemClock.now().getTime();
      const { rows } = await client.query('select credit_rollout.onboard_org($1) as m', [id]);
      expect(rows[0].m).toBe('credits');
      return { ms: systemClock.now().getTime() - began, calmMs: await stopwatch() };
    };
    const delay = await ask(1);
    expect(delay.ms).toBeGreaterThanOrEqual(240);
    expect(delay.calmMs).toBeLessThan(2_000);
    await client.query(`set statement_timeout = '120ms'`);
    expect((await ask(2)).ms).toBeGreaterThanOrEqual(55);
    await client.query(`set statement_timeout = 0`);
    await client.query('show lock_timeout').then(({ rows }) => expect(rows[0].lock_timeout).toBe('0'));
    expect(await record(cell, '2')).toEqual({ model: 'credits', after: true });
  });

  test('legacy without the lock counts as decided before whatever is armed meanwhile', async () => {
    const cell = await makeCell();
    const holder = await connect(cell);
    await holder.query('begin; select pg_advisory_xact_lock(1129467724, -1)');
    // armed, by the lock's holder, before the sign-up asks, and committed after it was answered
    await holder.query('update credit_rollout.gate set armed_at = clock_timestamp(), effective_at = clock_timestamp()');
    expect(await signUp(cell, '1')).toBe('legacy');
    await holder.query('commit');
    expect(await record(cell, '1')).toEqual({ model: 'legacy', after: false });
  });

  test('in a read-only transaction it answers and records nothing', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    const client = await connect(cell);
    await client.query('begin read only');
    expect((await client.query('select credit_rollout.onboard_org(1) as m')).rows[0].m).toBe('credits');
    await client.query('commit');
    expect(await record(cell, '1')).toBeUndefined();
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

  test('a latch is seen through the snapshot: nobody learns legacy after it', async () => {
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
    expect(await allotment(cell, '1')).toMatchObject({ floor: null, origin: 'signup' });
  });
});

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
      expect([statement, await refused(cell, statement)]).toEqual([statement, '23001']);
  });

  test('is neither latched before its instant, nor swept before it is latched, nor early', async () => {
    const cell = await makeCell();
    await arm(cell, inMs(3_600_000));
    expect(await refused(cell, 'update credit_rollout.gate set latched_at = clock_timestamp()')).toBe('23514');
    expect(await refused(cell, 'update credit_rollout.gate set swept_at = clock_timestamp()')).toBe('23514');
    expect(await refused(cell, 'update credit_rollout.gate set effective_at = clock_timestamp()')).toBe('23514');
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

describe('the sign-up trigger', () => {
  const hang = (cell: TestCell, trigger: 'wanted' | 'as_before' = 'wanted'): Promise<boolean> =>
    addSignUpTrigger(cell.cell, { dataCenter: cell.dataCenter, clock: systemClock, trigger });

  test('onboards what is inserted, in its transaction, and can be asked for again', async () => {
    const cell = await makeCell();
    expect(await hang(cell, 'as_before')).toBe(false);
    expect(await hang(cell)).toBe(true);
    expect(await hang(cell)).toBe(true);
    expect(await hang(cell, 'as_before')).toBe(true);
    await cutOver(cell);
    await cell.insertOrgs({ org_id: '1', created_at: 'now' }, { org_id: '2', created_at: 'now', paid: false });
    expect(await allotment(cell, '1')).toMatchObject({ floor: null, origin: 'signup' });
    expect(await allotment(cell, '2')).toMatchObject({ total_credits: '5000', origin: 'signup' });
    expect(await onboard(cell, '1')).toBe('credits');
  });

  test('row 44: leaves an org that moves in to the night, which gives it its floor', async () => {
    const cell = await makeCell();
    await hang(cell);
    await cutOver(cell);
    await cell.insertOrgs({ org_id: '1', legacy_limit: 150_000, agents: 100, created_at: '2024-01-01' });
    expect(await record(cell, '1')).toBeUndefined();
    await applyAll(cell);
    expect(await allotment(cell, '1')).toMatchObject({ floor: '150000', total_credits: '150000', origin: 'migrated' });
  });

  test('never fails the insert, and is gone after dropping', async () => {
    const cell = await makeCell();
    await hang(cell);
    await cell.sql('drop table credit_rollout.gate, credit_rollout.sign_ups, credit_rollout.allotments cascade');
    await cell.insertOrgs({ org_id: '1', created_at: 'now' });
    expect(await dropSignUpTrigger(cell.cell, systemClock)).toBe(true);
    expect(await dropSignUpTrigger(cell.cell, systemClock)).toBe(false);
    expect(await cell.sql(`select from pg_trigger where tgname = 'credit_rollout_sign_up'`)).toEqual([]);
    await cell.insertOrgs({ org_id: '2', created_at: 'now' });
  });

  test('is rejected on a view, with the reason', async () => {
    const cell = await makeCell({ view: true });
    await expect(hang(cell)).rejects.toMatchObject({
      code: 'source_not_a_table',
      message: expect.stringContaining('is a view'),
    });
  });

  test('waits in short attempts for a table that is in use', async () => {
    const cell = await makeCell();
    const client = await connect(cell);
    await client.query(`begin; insert into public.orgs (org_id) values (99)`);
    const hanging = hang(cell);
    await waitFor('an attempt to wait', () => hasLockWait(cell));
    const stopwatch = startStopwatch(cell);
    await cell.insertOrgs({ org_id: '1', created_at: 'now' });
    expect(await stopwatch()).toBeLessThan(1_000);
    await client.query('rollback');
    expect(await hanging).toBe(true);
  });
});

describe('verifyDataCenter', () => {
  const verify = async (cell: TestCell) => (await verifyDataCenter(cell.context, cell.dataCenter.id)).cutover;

  test('proves a cut-over, and lists who is in quarantine', async () => {
    const cell = await makeCell({ orgs: [{}, { edition: 'unheard of' }, { agents: null }] });
    await applyAll(cell);
    expect(await verify(cell)).toMatchObject({ verdict: 'not_armed' });
    await arm(cell, inMs(3_600_000));
    expect(await verify(cell)).toMatchObject({ verdict: 'ahead' });
    await signUp(cell, '10');
    await reachInstant(cell);
    await waitFor('the latch', async () => (await latch(cell)).kind === 'latched');
    await signUp(cell, '11');
    expect(await verify(cell)).toMatchObject({ verdict: 'sweeping', onLegacy: 1 });
    await applyAll(cell);
    await swept(cell);
    await cell.sql(`update public.orgs set agents = 5 where org_id = 3`);
    expect(await verify(cell)).toMatchObject({
      verdict: 'proven',
      onLegacy: 0,
      signUps: { legacy: 1, credits: 1, lateLegacy: 0, flipped: 0 },
      quarantinedOrgs: 2,
      quarantined: [
        { orgId: '2', reason: 'unknown_edition', decidable: false },
        { orgId: '3', reason: 'null_agents', decidable: true },
      ],
    });
  });

  test.each([
    ['an org that nobody decided', `insert into public.orgs (org_id, edition) values (5, 'free')`, { onLegacy: 1 }],
    [
      'a sign-up told legacy after the instant',
      `insert into credit_rollout.sign_ups values (1, 'legacy', clock_timestamp())`,
      { signUps: { lateLegacy: 1 } },
    ],
    [
      'a decision that was changed',
      `alter table credit_rollout.sign_ups disable trigger all;
       update credit_rollout.sign_ups set model = 'legacy', decided_at = '2020-01-01' where org_id = 2`,
      { signUps: { flipped: 1 } },
    ],
  ])('does not prove it with %s', async (_, breakIt, found) => {
    const cell = await makeCell({ orgs: [{}] });
    await applyAll(cell);
    await cutOver(cell);
    await signUp(cell, '2');
    await swept(cell);
    expect(await verify(cell)).toMatchObject({ verdict: 'proven' });
    await cell.sql(breakIt);
    expect(await verify(cell)).toMatchObject({ verdict: 'broken', ...found });
  });
});
