// A sign-up goes through whatever is broken, dropped or locked around the gate.
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/kernel/clock.js';
import { detachSource } from '../../../src/stores/cell/setup/schema.js';
import { installSignUpTrigger } from '../../../src/stores/cell/setup/sign-up-trigger.js';
import type { TestCell } from '../../support/cell.js';
import { startStopwatch } from '../../support/stopwatch.js';
import { arm, closeAll, connect, cutOver, inMs, makeCell, record, signUp, writeWaiting } from './gate-scene.js';

afterEach(closeAll);

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

  test('detach and init in between change nothing for the same session', async () => {
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
    await writeWaiting(cell);
    expect(await cell.sql('select org_id from credit_rollout.allotments order by 1')).toEqual([
      { org_id: '1' },
      { org_id: '2' },
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

  test('nor because others write: serializable ones beside each other, or a table of ours that is locked', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    const clients = await Promise.all([1, 2, 3].map(() => connect(cell)));
    const each = (sql: (id: number) => string) => Promise.all(clients.map((client, n) => client.query(sql(n + 1))));
    await each(() => 'begin isolation level serializable');
    await each((id) => `insert into public.orgs select ${id}, 'standard', true, 300, 0, 0, null, now()`);
    const answers = await each((id) => `select credit_rollout.onboard_org(${id}) as m`);
    expect(answers.map(({ rows }) => rows[0].m)).toEqual(['credits', 'credits', 'credits']);
    await each(() => 'commit');
    const waiting = 'select org_id from credit_rollout.pending_sign_ups order by 1';
    expect(await cell.sql(waiting)).toEqual([{ org_id: '1' }, { org_id: '2' }, { org_id: '3' }]);
    // retried, what was recorded counts
    await each(() => 'begin isolation level serializable');
    await each((id) => `select credit_rollout.onboard_org(${id})`);
    await each(() => 'commit');

    const [holder, product] = clients;
    await holder?.query('begin; lock table credit_rollout.cell in access exclusive mode');
    await cell.insertOrgs({ org_id: '4' });
    await product?.query('begin; set local statement_timeout = 100');
    expect((await product?.query('select credit_rollout.onboard_org(4) as m'))?.rows[0].m).toBe('credits');
    await product?.query('commit');
    await holder?.query('commit');
    expect(await cell.sql('select org_id from credit_rollout.pending_sign_ups where org_id = 4')).toHaveLength(1);
    await holder?.query('begin; lock table credit_rollout.gate in access exclusive mode');
    await product?.query('set statement_timeout = 50');
    expect((await product?.query('select credit_rollout.signup_model() as m'))?.rows[0].m).toBe('credits');
  });

  test('nor because of a statement of many, whose time is not ours', async () => {
    const cell = await makeCell();
    await cutOver(cell);
    await cell.cell.asOwner((tx) => installSignUpTrigger(tx, 'public.orgs'));
    const client = await connect(cell);
    await client.query('set statement_timeout = 400');
    await client.query(`insert into public.orgs
      select n, 'standard', true, 300, 0, 0, null, now() from generate_series(1, 3000) n`);
    const [counts] = await cell.sql(`select (select count(*)::int from public.orgs) as orgs,
      (select count(*)::int from credit_rollout.sign_ups) as recorded`);
    expect(counts?.orgs).toBe(3_000);
    expect(counts?.recorded).toBeGreaterThan(0);
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
