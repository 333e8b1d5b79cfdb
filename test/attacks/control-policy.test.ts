// Kind 4. The policy that judges a rollout is chosen by two people, and no statement of a login puts another in its
// place: not in the policy, nor in a request.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { setPolicy } from '../support/policy.js';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';

const DENIED = '42501';
const RESTRICTED = '23001';
const CHECKED = '23514';
const schema = 'credit_rollout_control';
let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());
beforeEach(async () => {
  await past(`update ${schema}.policy_changes set state = 'withdrawn' where state = 'proposed';
    update ${schema}.rollout set pinned_at = null, card_hash = null, epoch = 0;
    update ${schema}.data_centers set stage = 'pending', requested_at = null, requested_by = null, plan = null,
      plan_id = null, epoch = null`);
  await setPolicy(scene.fleet, {
    'rollout.approval': 'required',
    'rollout.bake': 'PT12H',
    'rollout.bakeQuery': 'select false',
    'rollout.checks': [{ name: 'lag', limit: 'PT1S' }],
    'rollout.canaryWait': 'PT10M',
    'rollout.windows': [{ from: '22:00', to: '05:00', days: ['mon'] }],
    'rollout.guardRails.orgsTouched': 10,
    'rollout.notBefore': null,
    'signups.cutover': null,
  });
});

const past = (text: string): Promise<unknown> => scene.past(text);
const dc = (): string => scene.dataCenters[0];
const rows = (text: string): Promise<readonly Record<string, unknown>[]> => scene.fleet.control(text);
const propose = (name = 'rollout.approval', value = '"auto"'): string =>
  `insert into ${schema}.policy_changes (name, to_value, reason) values ('${name}', '${value}', 'because')`;
const apply = `update ${schema}.policy_changes set state = 'applied' where state = 'proposed'`;
const readSetting = async (name: string): Promise<unknown> =>
  (await rows(`select value from ${schema}.policy where name = '${name}'`))[0]?.value;

describe('the policy', () => {
  test.each([
    `update credit_rollout_control.policy set value = '"auto"' where name = 'rollout.approval'`,
    `insert into credit_rollout_control.policy (name, value, set_by, set_at) values ('rollout.x', '1', 'me', now())`,
    `delete from credit_rollout_control.policy where name = 'rollout.bake'`,
    'truncate credit_rollout_control.policy cascade',
    'alter table credit_rollout_control.policy disable trigger all',
    'select credit_rollout_control.apply_policy_change()',
    'drop trigger policy_changes_check_approver on credit_rollout_control.policy_changes',
    'update credit_rollout_control.rollout set embedded = true',
  ])('is not written by any login: %s', async (statement) => {
    for (const login of Object.values(scene.logins)) expect(await login.attempt(statement)).toBe(DENIED);
  });

  test('changes when a second person with the role approves, and says who and when', async () => {
    expect(await scene.logins.operator.attempt(propose())).toBe('done');
    expect(await scene.logins.approver.attempt(apply)).toBe('done');
    expect(
      await rows(`select p.value, p.set_by, c.author, c.approver, c.alone, p.set_at > c.proposed_at as later
        from ${schema}.policy p join ${schema}.policy_changes c using (change_id) where p.name = 'rollout.approval'`),
    ).toEqual([
      {
        value: 'auto',
        set_by: scene.logins.approver.name,
        author: scene.logins.operator.name,
        approver: scene.logins.approver.name,
        alone: false,
        later: true,
      },
    ]);
  });

  test('does not change by the approval of who proposed it, under any name', async () => {
    const { both } = scene.logins;
    expect(await both.attempt(propose())).toBe('done');
    expect(await both.attempt(apply)).toBe(CHECKED);
    const renamed = `select set_config('credit_rollout_control.person', 'a second person', false)`;
    expect(await both.attempt(renamed, apply)).toBe(CHECKED);
    expect(await readSetting('rollout.approval')).toBe('required');
  });

  test('does not change by an operator, a scheduler or a viewer alone', async () => {
    const { operator, operator2, scheduler, viewer, approver } = scene.logins;
    for (const login of [scheduler, viewer, approver]) expect(await login.attempt(propose())).toBe(DENIED);
    expect(await operator.attempt(propose())).toBe('done');
    for (const login of [operator, operator2, scheduler, viewer]) expect(await login.attempt(apply)).toBe(DENIED);
    expect(await readSetting('rollout.approval')).toBe('required');
  });

  test.each([
    ['author', `'somebody'`],
    ['approver', `'somebody'`],
    ['state', `'applied'`],
    ['alone', 'true'],
    ['from_value', `'"auto"'`],
    ['proposed_at', `'2020-01-01'`],
  ])('takes no %s that a proposer chose', async (column, value) => {
    const chosen = `insert into ${schema}.policy_changes (name, to_value, reason, ${column})
      values ('rollout.approval', '"auto"', 'x', ${value})`;
    for (const login of Object.values(scene.logins)) expect(await login.attempt(chosen)).toBe(DENIED);
  });

  test('is not changed by a proposal that another one took the place of, nor twice by the same', async () => {
    const { operator, approver } = scene.logins;
    expect(await operator.attempt(propose())).toBe('done');
    expect(await operator.attempt(propose('rollout.approval', '"auto"'))).toBe('23505');
    await setPolicy(scene.fleet, { 'rollout.approval': 'none at all' });
    expect(await approver.attempt(apply)).toBe(CHECKED);
    await setPolicy(scene.fleet, { 'rollout.approval': 'required' });
    expect(await approver.attempt(apply)).toBe('done');
    await setPolicy(scene.fleet, { 'rollout.approval': 'required' });
    expect(await approver.attempt(apply.replace('proposed', 'applied'))).toBe(RESTRICTED);
    expect(await readSetting('rollout.approval')).toBe('required');
  });

  test('does not change what the first apply has pinned', async () => {
    const { operator, approver } = scene.logins;
    expect(await operator.attempt(propose('signups.cutover', '"2098-10-30"'))).toBe('done');
    await past(`update ${schema}.rollout set pinned_at = now()`);
    expect(await approver.attempt(apply)).toBe(CHECKED);
    expect(await operator.attempt(propose('rollout.notBefore', '"2020-01-01"'))).toBe(CHECKED);
  });

  test('has the caps of the nights, which no scheduler writes', async () => {
    const { scheduler, operator } = scene.logins;
    for (const login of [scheduler, operator])
      expect(await login.attempt(`update ${schema}.rollout set reconcile = '{"maxLapsed": 1000000}'`)).toBe(DENIED);
  });

  test('keeps plans for as long as it says, whatever a scheduler asks for', async () => {
    expect(await scene.logins.scheduler.attempt(`select ${schema}.purge_plans(1, '{}')`)).toBe('22023');
    expect(await scene.logins.scheduler.attempt(`select ${schema}.purge_plans(30, '{}')`)).toBe('done');
  });
});

describe('a request', () => {
  const LOOSE = `{"cardHash": "card", "batchSize": 100, "lanes": 1, "approval": "auto", "guardRails": {}, "bakeMs": 0,
    "windows": [], "canaryWaitMs": 0, "bakeQuery": "select true", "checks": []}`;
  const STRICT = {
    ...{ cardHash: 'card', batchSize: 100, lanes: 1, approval: 'required', bakeMs: 43_200_000, canaryWaitMs: 600_000 },
    checks: [{ name: 'lag', limit: 'PT1S' }],
    ...{ bakeQuery: 'select false', windows: [{ from: '22:00', to: '05:00', days: ['mon'] }] },
    guardRails: { orgsTouched: 10, quarantinedShare: 0.01 },
  };
  const set = (assignments: string): string => `update ${schema}.data_centers set ${assignments} where id = '${dc()}'`;
  const request = (plan = LOOSE): string => set(`requested_at = now(), plan = '${plan}'`);
  const planOf = async (): Promise<unknown> =>
    (await rows(`select plan from ${schema}.data_centers where id = '${dc()}'`))[0]?.plan;

  test('of a private copy of the configuration gets the policy in force', async () => {
    expect(await scene.logins.operator.attempt(request())).toBe('done');
    expect(await planOf()).toEqual(STRICT);
  });

  test('that brings the settings of an earlier one gets those in force now', async () => {
    await past(set(`plan = '${LOOSE}'`));
    expect(await scene.logins.operator.attempt(set('requested_at = now()'))).toBe('done');
    expect(await planOf()).toEqual(STRICT);
  });

  test.each([
    `plan = '{}'`,
    'plan = null',
    `plan = jsonb_set(plan, '{approval}', '"auto"')`,
    `plan = jsonb_set(plan, '{guardRails}', '{}')`,
    `plan = plan - 'bakeQuery'`,
    `plan = jsonb_set(plan, '{windows}', '[]'), requested_at = requested_at`,
    `requested_at = now() + interval '1 s', plan = '{}'`,
    `requested_at = '2020-01-01'`,
    `plan_id = 'another-1'`,
  ])('does not change while it waits: %s', async (assignments) => {
    const { operator, operator2, both } = scene.logins;
    expect(await operator.attempt(request())).toBe('done');
    for (const login of [operator, operator2, both]) expect(await login.attempt(set(assignments))).toBe(RESTRICTED);
    expect(await planOf()).toEqual(STRICT);
  });

  test('is an operator’s: not a scheduler’s, an approver’s or a viewer’s', async () => {
    await past(set(`plan = '${LOOSE}'`));
    for (const login of [scene.logins.scheduler, scene.logins.approver, scene.logins.viewer])
      expect(await login.attempt(set('requested_at = now()'))).toBe(DENIED);
  });

  test('is not made without settings, nor in the middle of a bake to shorten it', async () => {
    expect(await scene.logins.operator.attempt(set('requested_at = now()'))).toBe(RESTRICTED);
    await past(set(`stage = 'baking', plan = '${JSON.stringify(STRICT)}'`));
    expect(await scene.logins.operator.attempt(request())).toBe(RESTRICTED);
    expect(await planOf()).toEqual(STRICT);
  });
});

describe('falls beyond the limits of a night', () => {
  const ask = (falls = 'true') => `insert into ${schema}.reconcile_requests (data_center, reason, allow_falls)
    values ('${dc()}', 'trials ended', ${falls})`;
  const decide = (state: string) => `update ${schema}.reconcile_requests set state = '${state}'
    where ended_at is null and run_id is null`;
  const open = (run: number) =>
    underItsEpoch(
      run,
      `insert into ${schema}.runs (run_id, data_center, kind, card_hash, epoch)
       values (${run}, '${dc()}', 'reconcile', 'card', ${run})`,
    );
  const take = (run: number) => `update ${schema}.reconcile_requests set run_id = ${run} where ended_at is null`;
  const sealed = async (run: number): Promise<unknown> =>
    (await scene.logins.scheduler.read(`select ${schema}.seal_maintenance(${run}) as seal`))[0]?.seal;
  beforeEach(() =>
    past(`delete from ${schema}.reconcile_requests;
      update ${schema}.runs set state = 'done', ended_at = now() where state = 'open'`),
  );

  test('are not accepted by one person alone, nor by a scheduler', async () => {
    const { both, operator, operator2, scheduler } = scene.logins;
    expect(await both.attempt(ask())).toBe('done');
    // what waits for a second person begins no night
    expect(await scheduler.attempt(open(800))).toBe(RESTRICTED);
    await past(`insert into ${schema}.due_work (data_center, kind, local_date, due_at, due_local, state)
      values ('${dc()}', 'reconcile', current_date, now(), 'now', 'due')`);
    expect(await scheduler.attempt(open(800))).toBe('done');
    // one after the other: no refusal is due to the one before
    await scheduler.attempt(take(800));
    expect(await sealed(800)).toBeNull();
    expect(await both.attempt(decide('approved'))).toBe(CHECKED);
    for (const login of [operator, operator2]) expect(await login.attempt(decide('approved'))).toBe(DENIED);
    expect(await scheduler.attempt(decide('approved'))).toBe(DENIED);
    expect(await operator.attempt(`update ${schema}.reconcile_requests set allow_falls = true`)).toBe(DENIED);
    await scheduler.attempt(take(800));
    expect(await sealed(800)).toBeNull();
  });

  test('are accepted once a second person approved them, and not after 72 hours', async () => {
    const { approver, operator, scheduler } = scene.logins;
    for (const [run, stale, accepted] of [
      [810, '', true],
      [811, `decided_at = decided_at - interval '73 hours'`, false],
    ] as const) {
      expect(await operator.attempt(ask())).toBe('done');
      expect(await approver.attempt(decide('approved'))).toBe('done');
      if (stale !== '') await past(`update ${schema}.reconcile_requests set ${stale} where run_id is null`);
      expect(await scheduler.attempt(open(run), take(run))).toBe('done');
      expect(await sealed(run)).toMatchObject({ of: 'reconcile', allow_falls: accepted });
      expect(
        await scheduler.attempt(
          `update ${schema}.reconcile_requests set ended_at = now() where run_id = ${run}`,
          `update ${schema}.runs set state = 'done', ended_at = now() where run_id = ${run}`,
        ),
      ).toBe('done');
    }
    expect(await operator.attempt(ask())).toBe('done');
    await past(`update ${schema}.reconcile_requests set requested_at = requested_at - interval '73 hours'`);
    expect(await approver.attempt(decide('approved'))).toBe(CHECKED);
    expect(await operator.attempt(decide('withdrawn'))).toBe('done');
    expect(await approver.attempt(`update ${schema}.reconcile_requests set state = 'approved'`)).toBe(RESTRICTED);
  });

  test('that were taken by a run before this version keep the limits', async () => {
    await past(`${open(820)}; insert into ${schema}.reconcile_requests (data_center, requested_by, allow_falls, run_id)
      values ('${dc()}', 'alice', true, 820)`);
    expect(await sealed(820)).toMatchObject({ allow_falls: false });
  });
});
