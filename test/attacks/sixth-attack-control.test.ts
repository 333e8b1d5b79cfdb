// What a sixth review with the documented logins found in control: locks that a commit keeps, logins that were made
// again, and requests that stand beside each other.
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { waitFor } from '../support/wait.js';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';

const schema = 'credit_rollout_control';
const RESTRICTED = '23001';
const CHECKED = '23514';
let scene: ControlScene;
beforeAll(async () => {
  scene = await openControlScene();
});
afterAll(() => scene.drop());
beforeEach(() =>
  scene.past(`delete from ${schema}.policy_changes; delete from ${schema}.reconcile_requests;
    delete from ${schema}.approvals; delete from ${schema}.plans; delete from ${schema}.runs;
    update ${schema}.rollout set epoch = 5, leapt_at = null;
    update ${schema}.data_centers set stage = 'done', requested_at = null, requested_by = null, requested_login = null,
      plan_id = null, run_id = null, plan = null`),
);

const dc = (): string => scene.dataCenters[0];
const rows = (text: string): Promise<readonly Record<string, unknown>[]> => scene.fleet.control(text);
const note = `insert into ${schema}.audit (action, details) values ('x', '{}')`;
const PROPOSE = `insert into ${schema}.policy_changes (name, to_value, reason) values ('reconcile.maxLapsed', '999', 'x')`;
const DECIDE = `update ${schema}.policy_changes set state = 'applied'`;
const DELAYS = [
  ['a cursor that outlives it', 'declare c cursor with hold for select 1'],
  ['a temporary table that empties itself', 'create temp table emptied (x int) on commit delete rows'],
  ['a temporary table that goes', 'create temp table gone (x int) on commit drop'],
] as const;

describe('a commit that can be delayed', () => {
  test.each(DELAYS)('by %s enters nothing in the audit, whose head everybody needs', async (_how, delay) => {
    for (const login of ['operator', 'approver', 'scheduler'] as const)
      expect(await scene.logins[login].attempt('begin', delay, note, 'commit')).toBe(RESTRICTED);
    expect(await scene.logins.operator.attempt(note)).toBe('done');
  });

  test.each(DELAYS)('by %s decides nothing', async (_how, delay) => {
    expect(await scene.logins.operator.attempt(PROPOSE)).toBe('done');
    expect(await scene.logins.approver.attempt('begin', delay, DECIDE, 'commit')).toBe(RESTRICTED);
  });
});

test('a decision that waits for the head of the audit is checked after that', async () => {
  expect(await scene.logins.operator.attempt(PROPOSE)).toBe('done');
  const { both } = scene.logins;
  const holder = new pg.Client({ connectionString: scene.fleet.controlUrl });
  const decider = await both.connect();
  try {
    await holder.connect();
    await holder.query(`begin; select from ${schema}.audit_head for update`);
    await decider.query(`begin; ${DECIDE}; ${note}`);
    const committed = decider.query('commit').then(
      () => 'done',
      (error) => error.constraint,
    );
    await waitFor('the commit waits', async () => {
      const waiting = await rows(`select from pg_stat_activity
        where usename = '${both.name}' and wait_event_type = 'Lock' and datname = current_database()`);
      return waiting.length > 0;
    });
    await rows(`revoke ${schema}_approver from "${both.name}"`);
    await holder.query('rollback');
    expect(await committed).toBe('approvals_approver_left');
  } finally {
    await Promise.all([holder.end(), decider.end()]);
    await rows(`grant ${schema}_approver to "${both.name}"`);
  }
});

describe('a login that was made again and has a new name', () => {
  const under = async (work: (attempt: (text: string) => Promise<unknown>) => Promise<void>): Promise<void> => {
    const { both } = scene.logins;
    await rows(`alter role "${both.name}" rename to renamed_again`);
    try {
      await work((text) => rows(`set local session authorization renamed_again; ${text}`));
    } finally {
      await rows(`alter role renamed_again rename to "${both.name}"; alter role "${both.name}" password 'secret'`);
    }
  };

  test('decides nothing that it proposed, and neither does another', async () => {
    const falls = `insert into ${schema}.reconcile_requests (data_center, reason, allow_falls) values ('${dc()}', 'x', true)`;
    const accept = `update ${schema}.reconcile_requests set state = 'approved'`;
    for (const [propose, decide, table] of [
      [PROPOSE, DECIDE, 'policy_changes'],
      [falls, accept, 'reconcile_requests'],
    ] as const) {
      expect(await scene.logins.both.attempt(propose)).toBe('done');
      await scene.past(`update ${schema}.${table} set author_login = 4000000000`);
      await under(async (attempt) => {
        await expect(attempt(decide)).rejects.toMatchObject({ code: CHECKED });
      });
      expect(await scene.logins.approver.attempt(decide)).toBe(CHECKED);
    }
  });

  test('has no plan used that a scheduler registered for its request', async () => {
    const { both, scheduler } = scene.logins;
    await scene.past(`update ${schema}.data_centers set requested_by = '${both.name}', requested_login = 4000000000,
      requested_at = now(), run_id = 9, plan_id = '${scene.planOf(2)}', plan = '{}' where id = '${dc()}'`);
    expect(await scheduler.attempt(scene.register(1))).toBe('done');
    await under(async (attempt) => {
      await attempt(
        `insert into ${schema}.approvals (kind, plan_id, reason) values ('person', '${scene.planOf(1)}', 'x')`,
      );
      expect(
        await scheduler.attempt(
          underItsEpoch(
            9,
            `insert into ${schema}.runs (run_id, data_center, kind, card_hash, plan_id)
             values (9, '${dc()}', 'migrate', 'card', '${scene.planOf(1)}')`,
          ),
          `update ${schema}.approvals set used_at = now(), used_by_run = 9`,
        ),
      ).toBe(CHECKED);
    });
  });
});

test('a request beside a proposal to accept falls stops no night', async () => {
  const both = `insert into ${schema}.reconcile_requests (data_center, reason, allow_falls)
    values ('${dc()}', 'y', true), ('${dc()}', 'x', false)`;
  expect(await scene.logins.operator.attempt(both)).toBe('done');
  const run = `insert into ${schema}.runs (run_id, data_center, kind, card_hash, epoch, requested_by)
    values (9, '${dc()}', 'reconcile', 'card', 9, '${scene.logins.operator.name}')`;
  expect(await scene.logins.scheduler.attempt(underItsEpoch(9, run))).toBe('done');
});
