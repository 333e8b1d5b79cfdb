// Kinds 9 and 5. What the gate answers is what its row says at that instant: the session of the product cannot forge
// it, and a fencer neither moves the cut-over into the past nor takes it before its time.
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { arm, inMs, latch } from '../engine/cutover/gate-scene.js';
import { type CellScene, HOSTILE_NAMES, openCellScene, REFUSED } from './cell-scene.js';

let scene: CellScene;
const sessions: pg.Client[] = [];
beforeEach(async () => {
  scene = await openCellScene();
});
afterEach(async () => {
  for (const session of sessions.splice(0)) await session.end();
  await scene.drop();
});

async function openSession(login: 'product' | 'fencer' = 'product'): Promise<pg.Client> {
  const session = await scene.logins[login].connect();
  sessions.push(session);
  return session;
}
const ask = async (session: pg.Client): Promise<unknown> =>
  (await session.query('select credit_rollout.signup_model() as model')).rows[0].model;
const answerOf = async (session: pg.Client): Promise<string> =>
  (await session.query(`select current_setting('credit_rollout.gate_answer') as answer`)).rows[0].answer;
const say = (session: pg.Client, answer: string): Promise<unknown> =>
  session.query(`select set_config('credit_rollout.gate_answer', $1, false)`, [answer]);
const cutOver = async (): Promise<void> => {
  await arm(scene.cell, inMs(-1_000));
  expect((await latch(scene.cell)).kind).toBe('latched');
};
const writeWaiting = async (): Promise<void> => {
  await scene.cell.sql(`update credit_rollout.fence set single_writes = true,
    timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`);
  await scene.cell.sql('select credit_rollout.write_sign_ups()');
};
const recorded = (): Promise<unknown> =>
  scene.cell.sql(`select org_id, model, decided_at <= now() + interval '1 minute' as now from credit_rollout.sign_ups`);
/** What the forger knows of its own transaction. */
const STAMP = `select pg_backend_pid() || '/' || extract(epoch from now()) as stamp`;
const stampOf = async (session: pg.Client): Promise<string> => (await session.query(STAMP)).rows[0].stamp;

describe('the answer of the gate', () => {
  test.each([
    ['as it was kept before it had a mark', (stamp: string) => `${stamp}|credits|2031-01-01`],
    ['with a mark of the right form', (stamp: string) => `${stamp}|credits|2031-01-01|${'0'.repeat(64)}`],
    ['with an empty mark', (stamp: string) => `${stamp}|credits|2031-01-01|`],
    ['with a mark and nothing else', (stamp: string) => `${stamp}|${'0'.repeat(64)}`],
    ['of bytes that are no text of ours', (stamp: string) => `${stamp}|||||\u{1F512}\\x00|`],
    ['of a megabyte', (stamp: string) => `${stamp}|credits|${'9'.repeat(1_000_000)}`],
  ])('is not taken from the session, %s', async (_what, forge) => {
    const session = await openSession();
    await session.query('begin');
    await say(session, forge(await stampOf(session)));
    expect(await ask(session)).toBe('legacy');
    await session.query('select credit_rollout.onboard_org(2)');
    await scene.cell.insertOrgs({ org_id: '90', created_at: 'now' });
    await say(session, forge(await stampOf(session)));
    await session.query('select credit_rollout.onboard_org(90)');
    await session.query('commit');
    expect(await recorded()).toEqual([{ org_id: '90', model: 'legacy', now: true }]);
  });

  test('is not changed and sent again with the mark that it had', async () => {
    const session = await openSession();
    await session.query('begin');
    expect(await ask(session)).toBe('legacy');
    const genuine = await answerOf(session);
    for (const forged of [
      genuine.replace('|legacy|', '|credits|'),
      genuine.replace(/\|2\d{3}-/u, '|2031-'),
      `${genuine.replace('|legacy|', '|credits|')}|${genuine}`,
      genuine.replace('|legacy|', '|legacy\u0000|').replaceAll('\u0000', ''),
    ]) {
      await say(session, forged);
      expect(await ask(session)).toBe('legacy');
    }
  });

  test('of before the cut-over is not replayed after it, in this session or another', async () => {
    const session = await openSession();
    await session.query('begin');
    await ask(session);
    const genuine = await answerOf(session);
    await session.query('commit');
    await cutOver();
    for (const replayed of [session, await openSession()]) {
      await replayed.query('begin');
      const stamp = await stampOf(replayed);
      for (const answer of [genuine, genuine.replace(/^[^|]*/u, stamp)]) {
        await say(replayed, answer);
        expect(await ask(replayed)).toBe('credits');
      }
      await replayed.query('rollback');
    }
  });

  test.each([
    [`set timezone = 'Pacific/Kiritimati'`],
    [`set datestyle = 'SQL, DMY'`],
    ['set transform_null_equals = on'],
    ['set array_nulls = off'],
    [`set bytea_output = 'escape'`],
    ['set extra_float_digits = -15'],
    ['set lock_timeout = 1'],
    ['set row_security = off'],
    [`set default_transaction_isolation = 'serializable'`],
    [`set default_transaction_isolation = 'repeatable read'`],
    ['set default_transaction_deferrable = on'],
    [`set plan_cache_mode = force_generic_plan`],
    [`select set_config('credit_rollout.cause', 'lapse', false), set_config('credit_rollout.run_id', '-1', false)`],
    ['set enable_indexscan = off'],
    ['set role none'],
  ])('and the allotment that follows are the same under: %s', async (setting) => {
    await cutOver();
    await scene.cell.insertOrgs({ org_id: '91', created_at: 'now' });
    expect(await scene.logins.product.read(setting, 'select credit_rollout.onboard_org(91) as model')).toEqual([
      { model: 'credits' },
    ]);
    expect(await recorded()).toEqual([{ org_id: '91', model: 'credits', now: true }]);
    await writeWaiting();
    expect(await scene.cell.sql('select floor, origin from credit_rollout.allotments where org_id = 91')).toEqual([
      { floor: null, origin: 'signup' },
    ]);
  });

  test('never fails and records nothing in a transaction that may only read', async () => {
    await cutOver();
    expect(
      await scene.logins.product.read(
        'set default_transaction_read_only = on',
        'select credit_rollout.onboard_org(92) as model',
      ),
    ).toEqual([{ model: 'credits' }]);
    expect(await recorded()).toEqual([]);
  });

  test('and the allotment are the same with types, tables and operators of the session before ours', async () => {
    await cutOver();
    await scene.cell.insertOrgs({ org_id: '93', created_at: 'now' });
    await scene.logins.product.attempt(...HOSTILE_NAMES, 'select credit_rollout.onboard_org(93::pg_catalog.int8)');
    expect(await recorded()).toEqual([{ org_id: '93', model: 'credits', now: true }]);
    await writeWaiting();
    expect(
      await scene.cell.sql('select floor, total_credits from credit_rollout.allotments where org_id = 93'),
    ).toEqual(
      await scene.cell.sql(
        'select floor, total_credits from credit_rollout.decided(null, null, array[93]::credit_rollout.org_id[], null)',
      ),
    );
  });

  test('gives an org that has an allotment no second one, and touches none of its floor', async () => {
    await cutOver();
    const before = await scene.cell.sql('select * from credit_rollout.allotments where org_id = 2');
    expect(await scene.logins.product.attempt('select credit_rollout.onboard_org(2)')).toBe('done');
    expect(await scene.cell.sql('select * from credit_rollout.allotments where org_id = 2')).toEqual(before);
    expect(await recorded()).toEqual([]);
  });
});

describe('a fencer', () => {
  const ARMED = (at: string): string => `update credit_rollout.gate set armed_at = ${at}, effective_at = ${at}`;

  test('puts no cut-over into the past', async () => {
    for (const at of [`'2020-01-01'`, `now() - interval '1 hour'`, `'-infinity'`])
      expect(await scene.logins.fencer.attempt(ARMED(at))).toBe(REFUSED.restriction);
    expect((await arm(scene.cell, inMs(3_600_000))).kind).toBe('armed');
    expect(await scene.logins.fencer.attempt(ARMED(`'2020-01-01'`))).toBe(REFUSED.restriction);
  });

  test('arms none for an instant of its own, late or early', async () => {
    for (const at of [`now() + interval '1 hour'`, `now() + interval '1 second'`, `'2098-01-01'`])
      expect(await scene.logins.fencer.attempt(ARMED(at))).toBe(REFUSED.restriction);
  });

  test('latches no cut-over before its instant, so that sign-ups would start on credits at once', async () => {
    const { fencer } = scene.logins;
    expect((await arm(scene.cell, inMs(3_600_000))).kind).toBe('armed');
    for (const set of [
      `latched_at = effective_at`,
      `latched_at = now() + interval '2 hours'`,
      `latched_at = 'infinity'`,
      `latched_at = effective_at, swept_at = effective_at`,
    ])
      expect(await fencer.attempt(`update credit_rollout.gate set ${set}`)).toBe(REFUSED.restriction);
    expect(await fencer.attempt(`update credit_rollout.gate set latched_at = now()`)).toBe(REFUSED.check);
    expect(await scene.logins.product.read('select credit_rollout.signup_model() as model')).toEqual([
      { model: 'legacy' },
    ]);
  });

  test('moves no gate while a sign-up holds it', async () => {
    expect((await arm(scene.cell, inMs(3_600_000))).kind).toBe('armed');
    const session = await openSession();
    await session.query('begin');
    await ask(session);
    const disarm = 'update credit_rollout.gate set armed_at = null, effective_at = null';
    expect(await scene.logins.fencer.attempt(disarm)).toBe(REFUSED.locked);
  });

  test.each([
    ['latched_at = null'],
    ['armed_at = null, effective_at = null, latched_at = null, swept_at = null'],
    [`effective_at = effective_at - interval '1 day'`],
    [`latched_at = latched_at - interval '1 microsecond'`],
    [`configured_at = now() + interval '9 days', armed_at = null, effective_at = null, latched_at = null`],
    [`configured_local = 'another'`],
  ])('takes back no cut-over that has happened: %s', async (set) => {
    await cutOver();
    expect(['23001', '23514', '42501']).toContain(
      await scene.logins.fencer.attempt(`update credit_rollout.gate set ${set}`),
    );
    expect(await scene.logins.product.read('select credit_rollout.signup_model() as model')).toEqual([
      { model: 'credits' },
    ]);
  });

  test('switches no sign-up early by a latch that is refused', async () => {
    await arm(scene.cell, inMs(3_600_000));
    const { fencer, product } = scene.logins;
    expect(await fencer.attempt('update credit_rollout.gate set latched_at = clock_timestamp()')).toBe(REFUSED.check);
    expect(
      await product.read('begin isolation level repeatable read', 'select credit_rollout.signup_model() as model'),
    ).toEqual([{ model: 'legacy' }]);
    expect(await scene.cell.sql('select last_value::int as n from credit_rollout.gate_latches')).toEqual([{ n: 0 }]);
  });

  test('has no second gate, and removes none', async () => {
    for (const statement of [
      'delete from credit_rollout.gate',
      'truncate credit_rollout.gate',
      'insert into credit_rollout.gate (only_row) values (true)',
      'alter table credit_rollout.gate disable trigger all',
    ])
      expect(await scene.logins.fencer.attempt(statement)).toBe(REFUSED.permission);
    expect(await scene.logins.fencer.attempt('update credit_rollout.gate set only_row = false')).toBe(
      REFUSED.permission,
    );
  });

  test('ends no sweep before it was, or twice', async () => {
    const { fencer } = scene.logins;
    const sweep = (at: string): string => `update credit_rollout.gate set swept_at = ${at}`;
    await cutOver();
    expect(await fencer.attempt(sweep(`now() + interval '1 year'`))).toBe(REFUSED.restriction);
    expect(await fencer.attempt(sweep(`latched_at - interval '1 second'`))).toBe(REFUSED.restriction);
    // which no run swept
    expect(await fencer.attempt(sweep('clock_timestamp()'))).toBe(REFUSED.restriction);
    await scene.cell.sql(sweep('clock_timestamp()'));
    for (const at of ['null', 'clock_timestamp()']) expect(await fencer.attempt(sweep(at))).toBe(REFUSED.restriction);
  });

  test('puts no epoch back, and opens no fence of a frozen cell', async () => {
    const { fencer } = scene.logins;
    expect(await fencer.attempt('update credit_rollout.fence set epoch = epoch - 1')).toBe(REFUSED.restriction);
    expect(await fencer.attempt(`select credit_rollout.freeze_cell(null, 'stop')`)).toBe('done');
    expect(await fencer.attempt(`update credit_rollout.fence set state = 'open', epoch = epoch + 1`)).toBe(
      REFUSED.state,
    );
    expect(await fencer.attempt('update credit_rollout.fence set single_writes = true')).toBe(REFUSED.state);
    expect(await fencer.attempt(`update credit_rollout.freezes set frozen_at = now()`)).toBe(REFUSED.permission);
  });
});
