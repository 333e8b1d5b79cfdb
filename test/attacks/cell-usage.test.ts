// A meter's password is enough to count, and a product's to ask: neither changes what an org has, what was counted
// before, or what somebody else asked for.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LoginOf } from './cell-logins.js';
import { type CellScene, HOSTILE_NAMES, openCellScene, REFUSED } from './cell-scene.js';

const ALL = [
  ...['worker', 'planner', 'reader', 'fencer', 'operator', 'override', 'meter', 'product', 'stranger'],
] as readonly LoginOf[];
let scene: CellScene;
beforeAll(async () => {
  scene = await openCellScene();
});
afterAll(() => scene.drop());

describe('a meter’s login writes usage, and nothing else', () => {
  const record = (org: string, calls: number, day = 'current_date'): string =>
    `select * from credit_rollout.record_usage(array['${org}'], array[${day}], array['credits'], array[${calls}::bigint],
       array[${calls}::bigint], array[0::bigint], array[0::bigint], array[0::bigint], array[0::bigint], array[0::bigint],
       array['{}'::jsonb])`;

  test.each([
    'select * from credit_rollout.allotments',
    'select floor from credit_rollout.allotments',
    'select * from credit_rollout.source_orgs',
    'select * from credit_rollout.assessed',
    'select * from credit_rollout.allotment_changes',
    'select * from credit_rollout.exceptions',
    'select * from credit_rollout.overrides',
    'select * from credit_rollout.usage_alerts',
    'select credit_rollout.stored_details(2)',
    `select credit_rollout.ask_exception(2, 'more')`,
    `select credit_rollout.onboard_org(2)`,
    'select credit_rollout.purge_usage(10)',
    `insert into credit_rollout.usage_days select * from credit_rollout.usage_days`,
    'update credit_rollout.usage_days set calls = 0',
    'delete from credit_rollout.usage_days',
    'truncate credit_rollout.usage_days',
    `update credit_rollout.enforcement set credits = 'off'`,
    `insert into credit_rollout.enforcement (org_id, credits) values (2, 'off')`,
    `insert into credit_rollout.usage_alerts values (2, current_date, 80)`,
    'update credit_rollout.allotments set total_credits = total_credits + 1',
  ])('not: %s', async (statement) => {
    expect(await scene.logins.meter.attempt(statement)).toBe(REFUSED.permission);
  });

  test('lowers no counter, with whatever names before ours, and writes no day that is never purged', async () => {
    const { meter } = scene.logins;
    const calls = () => scene.cell.sql('select org_id::int, calls::int from credit_rollout.usage_days');
    expect(await meter.attempt(record('2', 7))).toBe('done');
    for (const lower of [record('2', 6), record('2', 9, `'infinity'::date`), record('2', 9, `'2999-01-01'::date`)])
      expect(await meter.attempt(...HOSTILE_NAMES, lower)).toBe('done');
    expect(await meter.attempt(record('2', -1))).toBe(REFUSED.check);
    expect(await calls()).toEqual([{ org_id: 2, calls: 7 }]);
  });

  test('writes no number and no kind by which others fail', async () => {
    const { meter } = scene.logins;
    const send = (kinds: string, refused = 0, day = 1): string =>
      `select * from credit_rollout.record_usage('{7}', array[current_date - ${day}], '{credits}', '{1}', '{1}', '{0}',
         '{0}', '{${refused}}', '{0}', '{0}', array['${kinds}']::jsonb[])`;
    for (const counters of ['1', '{}', '{"calls": 1}', '{"calls": "x", "credits": 1}', '{"calls": -1, "credits": 1}'])
      expect(await meter.attempt(send(`{"list": ${counters}}`))).toBe(REFUSED.check);
    for (const counters of [
      '{"calls": 1.0, "credits": 1}',
      '[{"calls": 1, "credits": 1}]',
      '{"calls": 1e30, "credits": 1}',
    ])
      expect(await meter.attempt(send(`{"list": ${counters}}`))).toBe(REFUSED.check);
    for (const kinds of ['[]', '1', 'null']) expect(await meter.attempt(send(kinds))).toBe(REFUSED.check);
    // each is short enough, both together are not
    const many = (name: string): string =>
      JSON.stringify(Object.fromEntries(Array.from({ length: 400 }, (_, n) => [name + n, { calls: 1, credits: 1 }])));
    expect(await meter.attempt(send(many('one')), send(many('other')))).toBe(REFUSED.check);
    expect(await meter.attempt(send('{}', 1e18))).toBe(REFUSED.check);
    for (const day of [1, 2])
      expect(await meter.attempt(send('{"v 1.5": {"calls": 2, "credits": 3}}', 1e17, day))).toBe('done');
    expect(await scene.logins.reader.attempt('select * from credit_rollout.usage_peaks')).toBe('done');
    await scene.cell.sql('delete from credit_rollout.usage_days where org_id = 7');
  });

  test('gives an org no more back than it used', async () => {
    const { meter } = scene.logins;
    const send = (calls: number, credits: number, callsBack: number | null, back: number): string =>
      `select * from credit_rollout.record_usage('{7}', array[current_date], '{credits}', '{${calls}}', '{${credits}}',
         array[${callsBack}]::bigint[], '{${back}}', '{0}', '{0}', '{0}', array['{}']::jsonb[])`;
    const found = () =>
      scene.cell.sql(
        'select calls_given_back::int, credits_given_back::int from credit_rollout.usage_days where org_id = 7',
      );
    expect(await meter.attempt(send(2, 480_001, 3, 600_000))).toBe('done');
    expect(await found()).toEqual([{ calls_given_back: 2, credits_given_back: 480_001 }]);
    // what came too early is recorded with the usage that it belongs to
    expect(await meter.attempt(send(3, 600_001, 3, 600_000), send(2, 1, 2, 1))).toBe('done');
    expect(await found()).toEqual([{ calls_given_back: 3, credits_given_back: 600_000 }]);
    expect(await meter.attempt(send(3, 600_001, null, 0))).toBe('23502');
    await scene.cell.sql('delete from credit_rollout.usage_days where org_id = 7');
  });

  test('no other login writes or reads it: usage is for those who may see orgs', async () => {
    for (const login of ALL.filter((one) => one !== 'meter'))
      expect(await scene.logins[login].attempt(record('3', 1))).toBe(REFUSED.permission);
    for (const login of ['fencer', 'operator', 'product', 'stranger'] as const)
      for (const table of ['usage_days', 'usage_alerts', 'usage_peaks', 'exceptions'])
        expect(await scene.logins[login].attempt(`select * from credit_rollout.${table}`)).toBe(REFUSED.permission);
  });
});

describe('an exception', () => {
  test('is asked for by the product under its own login, once at a time, and changed by nobody', async () => {
    const { product, override } = scene.logins;
    const ask = `select credit_rollout.ask_exception(4, 'we import on Mondays', 90000, '2027-01-31')`;
    expect(await product.attempt(ask)).toBe('done');
    expect(await product.attempt(ask)).toBe('23505');
    expect(await product.attempt(`select credit_rollout.ask_exception(5, e' \\n ')`)).toBe(REFUSED.check);
    expect(await scene.cell.sql('select asked_by, state from credit_rollout.exceptions')).toEqual([
      { asked_by: product.name, state: 'open' },
    ]);
    expect(await product.attempt(`select credit_rollout.ask_exception(987654, 'for nobody')`)).toBe('23503');
    const update = (set: string): string => `update credit_rollout.exceptions set ${set} where org_id = 4`;
    for (const set of [`text = 'x'`, 'org_id = 5', 'wanted = 1', 'asked_by = current_user', 'answered_at = now()'])
      expect(await override.attempt(update(set))).toBe(REFUSED.permission);
    expect(await override.attempt('delete from credit_rollout.exceptions')).toBe(REFUSED.permission);
    expect(await override.attempt(update(`state = 'granted', answered_by = 'eve'`))).toBe(REFUSED.restriction);
  });

  test('is granted by no override that is not applied, or not of its org, and never decided again', async () => {
    const { override } = scene.logins;
    const proposed = (org: number): string =>
      `insert into credit_rollout.overrides (org_id, floor, reason, author) values (${org}, 200000, 'x', 'eve')`;
    for (const org of [4, 6]) expect(await override.attempt(proposed(org))).toBe('done');
    const link = (org: number, state: string): string =>
      `update credit_rollout.exceptions set state = '${state}', answered_by = 'eve', override_id = (
        select o.override_id from credit_rollout.overrides o where o.org_id = ${org}) where org_id = 4`;
    for (const [org, state] of [
      [4, 'granted'],
      [6, 'granted'],
      [6, 'open'],
    ] as const)
      expect(await override.attempt(link(org, state))).toBe(REFUSED.restriction);
    const decline = (answer: string): string => `update credit_rollout.exceptions
      set state = 'declined', answer = '${answer}', answered_by = 'bob' where org_id = 4`;
    expect(await override.attempt(decline('not enough'))).toBe('done');
    expect(await override.attempt(decline('after all'))).toBe(REFUSED.restriction);
    expect(
      await scene.cell.sql(`select answer, answered_at is not null as dated from credit_rollout.exceptions`),
    ).toEqual([{ answer: 'not enough', dated: true }]);
  });

  test('is granted by no override of long ago, and names the login beside the name that it gives', async () => {
    const { product, override } = scene.logins;
    await scene.cell.sql(`set session_replication_role = replica;
      insert into credit_rollout.overrides (org_id, floor, reason, author, approver, state, decided_at, before, after)
      values (8, 200000, 'long ago', 'alice', 'bob', 'applied', '2026-01-01', '{}', '{}');
      set session_replication_role = origin`);
    expect(await product.attempt(`select credit_rollout.ask_exception(8, 'more')`)).toBe('done');
    const grant = `update credit_rollout.exceptions set state = 'granted', answered_by = 'bob', override_id = (
      select override_id from credit_rollout.overrides where org_id = 8) where org_id = 8`;
    expect(await override.attempt(grant)).toBe(REFUSED.restriction);
    expect(
      await override.attempt(
        `update credit_rollout.exceptions set state = 'declined', answer = 'no', answered_by = 'ceo' where org_id = 8`,
        `insert into credit_rollout.exceptions (org_id, text, asked_by) values (9, 'x', 'the customer')`,
      ),
    ).toBe('done');
    expect(
      await scene.cell.sql(`select asked_by, answered_by, login, answer_login from credit_rollout.exceptions
        where org_id in (8, 9) order by org_id`),
    ).toEqual([
      {
        asked_by: product.name,
        answered_by: `ceo (login ${override.name})`,
        login: product.name,
        answer_login: override.name,
      },
      {
        asked_by: `the customer (login ${override.name})`,
        answered_by: null,
        login: override.name,
        answer_login: null,
      },
    ]);
  });

  test('waits a moment only for somebody who asks for the same org', async () => {
    const client = await scene.logins.override.connect();
    try {
      await client.query(`begin; insert into credit_rollout.exceptions (org_id, text, asked_by) values (10, 'x', 'y')`);
      expect(await scene.logins.product.attempt(`select credit_rollout.ask_exception(10, 'more')`)).toBe(
        REFUSED.locked,
      );
    } finally {
      await client.end();
    }
  });
});

describe('what one person decides alone', () => {
  test('leaves the login and the time behind, whoever writes it, and nobody changes that', async () => {
    const { override } = scene.logins;
    const before = await scene.cell.sql(
      'select coalesce(max(decision_id), 0)::int as last from credit_rollout.decision_log',
    );
    for (const statement of [
      `update credit_rollout.enforcement set credits = 'on' where org_id is null`,
      `update credit_rollout.enforcement set credits = 'shadow' where org_id is null`,
      `update credit_rollout.enforcement set credits = 'shadow' where org_id is null`,
      `insert into credit_rollout.enforcement (org_id, credits) values (9, 'off')`,
      `insert into credit_rollout.protected_orgs (org_id, reason, protected_by) values (9, 'vip', 'ceo')`,
      'select credit_rollout.unprotect_org(9)',
    ])
      expect(await override.attempt(statement), statement).toBe('done');
    const logged = await scene.cell.sql(
      `select about, org_id::int, was ->> 'credits' as was, becomes ->> 'credits' as becomes, was is null as made,
         becomes is null as ended, login, decided_at > now() - interval '1 minute' as now
       from credit_rollout.decision_log where decision_id > $1 order by decision_id`,
      [before[0]?.last],
    );
    const one = { login: override.name, now: true, made: false, ended: false, org_id: null, about: 'enforcement' };
    const protection = { ...one, about: 'protected_orgs', org_id: 9, was: null, becomes: null };
    expect(logged).toEqual([
      { ...one, was: 'shadow', becomes: 'on' },
      { ...one, was: 'on', becomes: 'shadow' },
      { ...one, org_id: 9, was: null, becomes: 'off', made: true },
      { ...protection, made: true },
      { ...protection, ended: true },
    ]);
    for (const login of ALL)
      for (const change of [
        `update credit_rollout.decision_log set login = 'ceo'`,
        'delete from credit_rollout.decision_log',
        'truncate credit_rollout.decision_log',
        `insert into credit_rollout.decision_log (about, was) values ('enforcement', '{}')`,
      ])
        expect(await scene.logins[login].attempt(change)).toBe(REFUSED.permission);
  });
});
