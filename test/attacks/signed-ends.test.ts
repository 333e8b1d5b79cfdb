// What is decided has a form that everybody reads, and who ends a decision is named: each attack as it was done.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { POLICY_SETTINGS, showSetting, sourceSetting, zoneSetting } from '../../src/domain/config/policy.js';
import { type CellLogins, createCellLogins } from './cell-logins.js';
import { type ControlScene, openControlScene } from './control-scene.js';

const CHECKED = '23514';
const schema = 'credit_rollout_control';
let scene: ControlScene;
let cell: CellLogins;
beforeAll(async () => {
  scene = await openControlScene();
  cell = await createCellLogins(scene.fleet.cell(0));
});
afterAll(async () => {
  await cell.drop();
  await scene.drop();
});
beforeEach(() => scene.past(`delete from ${schema}.policy_changes`));

const literal = (value: unknown): string => `'${JSON.stringify(value).replaceAll("'", "''")}'`;
const propose = (name: string, value: unknown): string =>
  `insert into ${schema}.policy_changes (name, to_value, reason) values ('${name}', ${literal(value)}, 'tidy')`;
const fits = async (name: string, value: unknown): Promise<unknown> =>
  (await scene.fleet.control(`select ${schema}.fits_setting('${name}', ${literal(value)}) as fits`))[0]?.fits;

describe('a setting', () => {
  test.each([
    ['rollout.windows', [{ from: { x: 1 }, deny: 5 }]],
    ['rollout.windows', [{ from: '22:00', to: '05:00', dates: ['2026-02-30'] }]],
    ['rollout.bake', { a: [] }],
    ['rollout.bake', 'PT9999999H'],
    ['rollout.guardRails.maxRaiseFactor', 'NaN'],
    ['rollout.guardRails.orgsTouched', 'abc'],
    ['rollout.notBefore', '2026-13-45'],
    ['reconcile.at', '25:00'],
    ['rollout.checks', [{ name: 'lag', limit: 'soon' }]],
    ['rollout.bakeQuery', `select true /* closed */ ${' '.repeat(12_000)} or (select 1=1)`],
    ['rollout.bakeQuery', `select true ${'\n'.repeat(21)} or true`],
    ['rollout.bakeQuery', 'x'.repeat(2_001)],
    ['rollout.checks', [{ name: 'own', query: `select true${'\u3000'.repeat(30)}or true` }]],
  ])('has no value that a reader cannot read, or not whole: %s (%#)', async (name, value) => {
    expect(await scene.logins.operator.attempt(propose(name, value))).toBe(CHECKED);
  });

  test('of another type, as an earlier version stored it, is shown as it is', () => {
    for (const value of [{ a: [] }, [{ from: { x: 1 } }], true])
      expect(showSetting(value as never)).toBe(JSON.stringify(value));
  });

  test('has each value that a program gives it', async () => {
    const inForce = await scene.fleet.control(`select name, value from ${schema}.policy`);
    expect(inForce.map(({ name }) => name)).toEqual(expect.arrayContaining([...POLICY_SETTINGS]));
    for (const { name, value } of inForce) expect([name, await fits(String(name), value)]).toEqual([name, true]);
    const dc = scene.dataCenters[0];
    const others = {
      'rollout.windows': [
        { from: '22:00', to: '05:00', days: ['mon'] },
        { from: '09:00', to: '17:00', deny: true },
      ],
      'rollout.checks': [
        { name: 'lag', limit: 'PT1S' },
        { name: 'own', query: 'select 1', limit: 2, holds: ['bake'] },
      ],
      'rollout.bakeQuery': 'select not exists (\n  select from incidents where open\n)',
      'rollout.notBefore': '2026-10-06T22:00',
      'rollout.guardRails.quarantinedShare': 0.01,
      'rollout.guardRails.totalChangePercent': 2.5,
      'reconcile.maxChanged': 5,
      [zoneSetting(dc)]: 'Asia/Kolkata',
      [sourceSetting(dc)]: 'public.orgs',
    };
    for (const [name, value] of Object.entries(others)) expect([name, await fits(name, value)]).toEqual([name, true]);
  });
});

describe('an end of a decision', () => {
  test('names who withdrew a proposal', async () => {
    const { operator, operator2 } = scene.logins;
    expect(await operator.attempt(propose('rollout.bake', 'PT12H'))).toBe('done');
    expect(await operator2.attempt(`update ${schema}.policy_changes set state = 'withdrawn'`)).toBe('done');
    expect(await scene.fleet.control(`select withdrawn_by from ${schema}.policy_changes`)).toEqual([
      { withdrawn_by: operator2.name },
    ]);
  });

  test('names who voided an approval, and gives no reason of ours that is not so', async () => {
    const { operator, approver } = scene.logins;
    expect(await operator.attempt(scene.register(4))).toBe('done');
    expect(
      await approver.attempt(
        `insert into ${schema}.approvals (plan_id, kind, reason) values ('${scene.planOf(4)}', 'person', 'seen')`,
      ),
    ).toBe('done');
    const end = (why: string): string =>
      `update ${schema}.approvals set voided_at = now(), void_reason = '${why}' where plan_id = '${scene.planOf(4)}'`;
    for (const why of ['its approver may no longer approve', 'it expired'])
      expect(await operator.attempt(end(why))).toBe(CHECKED);
    expect(await operator.attempt(end('not now'))).toBe('done');
    expect(await scene.fleet.control(`select voided_by, void_reason from ${schema}.approvals`)).toEqual([
      { voided_by: operator.name, void_reason: 'not now' },
    ]);
  });
});

describe('a name that a login claims', () => {
  test('does not hide the login, however long it is or whatever it looks like', async () => {
    const claimed = `'alice (login alice), planned maintenance' || repeat(' .', 3000)`;
    await cell.fencer.read(`select credit_rollout.freeze_cell(${claimed}, null)`);
    const [row] = await scene.fleet.cell(0).sql('select frozen_by from credit_rollout.freezes');
    expect(row?.frozen_by).toMatch(/^alice login alice, planned maintenance[ .]* \(login attacking_fencer_\w+\)$/u);
    expect(String(row?.frozen_by).length).toBeLessThan(130);
  });
});
