// Kind 5. A worker's password is enough to write inside an open, approved run, and for nothing outside of it; inside, a
// floor falls only to what the rule gives in that moment, whatever the worker sets, sends or names.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { INSERTED_COLUMNS } from '../../src/stores/cell/batch/credit-terms.js';
import { hasLockWait } from '../support/cell.js';
import { waitFor } from '../support/wait.js';
import { type CellScene, HOSTILE_NAMES, openCellScene, REFUSED } from './cell-scene.js';

let scene: CellScene;
beforeAll(async () => {
  scene = await openCellScene();
});
afterAll(() => scene.drop());

const floors = (): Promise<readonly Record<string, unknown>[]> =>
  scene.cell.sql(`select org_id, floor, floor_edition, unpaid_since, version from credit_rollout.allotments
    order by org_id`);
const cause = (named: string): string => `select set_config('credit_rollout.cause', '${named}', false)`;
const LOWER = `update credit_rollout.allotments set floor = 1, grandfathered_credits = 0,
  total_credits = base_credits + variable_credits + additional_credits where org_id = 2`;
const TOUCH = 'update credit_rollout.allotments set computed_at = now() where org_id = 2';

describe('inside an open run a worker lowers no floor', () => {
  let before: readonly unknown[];
  beforeEach(async () => {
    await scene.open();
    before = await floors();
  });
  afterEach(async () => {
    expect(await floors()).toEqual(before);
    await scene.close();
  });

  test.each(['', 'manual edit', 'edition', 'lapse', 'override', 'undo', 'gone', 'late input', 'EDITION', 'lapse '])(
    'by naming the cause "%s"',
    async (named) => {
      expect(await scene.logins.worker.attempt(cause(named), LOWER)).toBe(REFUSED.restriction);
    },
  );

  test.each([
    ['clearing it', `floor = null, floor_edition = null`],
    ['recording another edition with it', `floor_edition = 'free'`],
    ['a time since which it were unpaid', `paid = false, unpaid_since = '2020-01-01'`],
    [
      'paying no more',
      `paid = false, unpaid_since = (now() at time zone (select zone from credit_rollout.cell))::date`,
    ],
    ['a time since which it were unpaid while it pays', `unpaid_since = '2020-01-01'`],
    ['a time in the future', `paid = false, unpaid_since = 'infinity'`],
  ])('by %s', async (_what, set) => {
    for (const named of ['edition', 'lapse', 'override'])
      expect(
        await scene.logins.worker.attempt(
          cause(named),
          `update credit_rollout.allotments set ${set}, grandfathered_credits = 0,
             total_credits = base_credits + variable_credits + additional_credits where org_id = 2`,
        ),
      ).toBe(REFUSED.restriction);
  });

  test('in two steps: unpaid since today, then unpaid since long ago', async () => {
    const step = (since: string): string =>
      `update credit_rollout.allotments set paid = false, unpaid_since = ${since} where org_id = 2`;
    expect(
      await scene.logins.worker.attempt('begin', cause('paid'), step('current_date'), step(`current_date - 400`)),
    ).toBe(REFUSED.restriction);
  });

  test.each([
    [
      'an upsert',
      `insert into credit_rollout.allotments (${INSERTED_COLUMNS})
      select ${INSERTED_COLUMNS} from credit_rollout.allotments a where org_id = 2
      on conflict (org_id) do update set floor = 1`,
    ],
    [
      'a merge',
      `merge into credit_rollout.allotments a using (select 2 as id) x on a.org_id = x.id
      when matched then update set floor = 1`,
    ],
    [
      'a cursor',
      `do $$ declare at cursor for select * from credit_rollout.allotments where org_id = 2 for update;
      seen record; begin open at; fetch at into seen;
      update credit_rollout.allotments set floor = 1 where current of at; end $$`,
    ],
    [
      'a statement inside another',
      `with lowered as (update credit_rollout.allotments set floor = 1 where org_id = 2
      returning org_id) select * from lowered`,
    ],
    [
      'the name of the partition that it is not',
      'update only credit_rollout.allotments set floor = 1 where org_id = 2',
    ],
  ])('by %s', async (_what, statement) => {
    expect(await scene.logins.worker.attempt(cause('edition'), statement)).toBe(REFUSED.restriction);
  });

  test('with its own types, tables, functions and operators before ours', async () => {
    expect(await scene.logins.worker.attempt(...HOSTILE_NAMES, cause('edition'), LOWER)).toBe(REFUSED.restriction);
  });

  test('with operators and functions in a public that everybody may write, as before PostgreSQL 15', async () => {
    const { worker } = scene.logins;
    await scene.cell.sql('grant create on schema public to public');
    const mine = [
      ...['text', 'bigint', 'timestamptz'].flatMap((type) => [
        `create function public.never(${type}, ${type}) returns boolean language sql as $$ select false $$`,
        ...['=', '<>', '<'].map(
          (name) => `create operator public.${name} (leftarg = ${type}, rightarg = ${type}, function = public.never)`,
        ),
      ]),
      `create function public.set_config(text, text, boolean) returns text language sql as $$ select 'edition'::text $$`,
      `create function public.current_setting(text, boolean) returns text language sql as $$ select 'edition'::text $$`,
      'set search_path = public, pg_catalog',
    ];
    expect(await worker.attempt('begin', ...mine, LOWER)).toBe(REFUSED.restriction);
    expect(await worker.attempt('begin', ...mine, cause('lapse'), LOWER)).toBe(REFUSED.restriction);
    await scene.cell.sql('revoke create on schema public from public');
  });

  test('by turning the guards off', async () => {
    for (const statement of [
      `set session_replication_role = 'replica'`,
      'alter table credit_rollout.allotments disable trigger user',
      'drop trigger allotments_record_change on credit_rollout.allotments',
      'alter table credit_rollout.allotments drop constraint allotments_promise_check',
      'create rule quiet as on update to credit_rollout.allotments do instead nothing',
      `create trigger zz_last before update on credit_rollout.allotments for each row
         execute function suppress_redundant_updates_trigger()`,
      'alter table credit_rollout.allotments add column mine int',
      'create unique index on credit_rollout.allotments (total_credits)',
      'create temp table heir () inherits (credit_rollout.allotments)',
    ])
      expect(await scene.logins.worker.attempt(statement)).toBe(REFUSED.permission);
  });

  test('by removing the row and writing it again', async () => {
    const { worker } = scene.logins;
    expect(await worker.attempt('delete from credit_rollout.allotments where org_id = 2')).toBe(REFUSED.permission);
    await scene.cell.sql(`update credit_rollout.runs set kind = 'reconcile'`);
    // a finding that it invents does not make an org gone that is there
    const found = `insert into credit_rollout.drift (run_id, org_id, cause, movement, outcome)
      values (${scene.runId}, 2, 'gone', 'gone', 'to_heal')`;
    expect(
      await worker.read(
        'begin',
        found,
        `select credit_rollout.retire_allotments(${scene.runId}, array[2]::credit_rollout.org_id[])`,
      ),
    ).toEqual([]);
  });
});

describe('a version or a history', () => {
  beforeEach(() => scene.open());
  afterEach(() => scene.close());

  test.each(['version = 1000000', 'org_id = 9999', `origin = 'signup'`, 'checksum = 1'])(
    'is no column that a worker may set: %s',
    async (set) => {
      const update = `update credit_rollout.allotments set ${set} where org_id = 3`;
      expect(await scene.logins.worker.attempt(update)).toBe(REFUSED.permission);
    },
  );

  test('is written by no login, in any way', async () => {
    const insert = `insert into credit_rollout.allotment_changes (org_id, operation, cause, version, before)
      values (2, 'update', 'x', 1, '{}')`;
    for (const login of [
      'worker',
      'planner',
      'reader',
      'fencer',
      'operator',
      'override',
      'product',
      'stranger',
    ] as const)
      for (const statement of [
        insert,
        `update credit_rollout.allotment_changes set cause = 'x'`,
        'delete from credit_rollout.allotment_changes',
        'truncate credit_rollout.allotment_changes',
        `copy credit_rollout.allotment_changes from program 'true'`,
        `select setval('credit_rollout.allotment_changes_change_id_seq', 1)`,
      ])
        expect(await scene.logins[login].attempt(statement)).toBe(REFUSED.permission);
  });
});

describe('outside of an open run a worker writes no allotment', () => {
  const INSERT = `insert into credit_rollout.allotments (${INSERTED_COLUMNS}) select ${INSERTED_COLUMNS}
    from (select (jsonb_populate_record(a, '{"org_id": 777}')).* from credit_rollout.allotments a where org_id = 2) x`;
  afterEach(async () => {
    await scene.cell.sql(
      `update credit_rollout.freezes set lifted_at = now(), lifted_by = 'x' where lifted_at is null`,
    );
    await scene.close();
    expect(await scene.cell.sql('select from credit_rollout.allotments where org_id = 777')).toEqual([]);
  });

  test('that falls, under single writes', async () => {
    await scene.cell.sql(`update credit_rollout.fence set single_writes = true`);
    const { worker } = scene.logins;
    const unpaid = `paid = false, unpaid_since = (select (now() at time zone zone)::date from credit_rollout.cell)`;
    for (const set of [
      `${unpaid}, grandfathered_credits = 0, total_credits = base_credits + variable_credits + additional_credits`,
      `${unpaid}, grandfathered_credits = grandfathered_credits + 1, total_credits = total_credits + 1`,
      `grandfathered_credits = grandfathered_credits - 1, total_credits = total_credits - 1`,
    ])
      expect(await worker.attempt(`update credit_rollout.allotments set ${set} where org_id = 2`)).toMatch(
        /^(23001|23514)$/u,
      );
    await scene.cell.sql(`update credit_rollout.fence set single_writes = false`);
  });

  test('while the fence is closed', async () => {
    for (const statement of [TOUCH, INSERT]) expect(await scene.logins.worker.attempt(statement)).toBe(REFUSED.state);
  });

  test('after its run has ended, though the fence were still open', async () => {
    await scene.open();
    await scene.cell.sql(`update credit_rollout.runs set state = 'done', ended_at = now()`);
    expect(await scene.logins.worker.attempt(TOUCH)).toBe(REFUSED.state);
  });

  test('in a cell that is frozen, though its fence is open or the change feed is let through', async () => {
    await scene.open();
    expect(await scene.logins.fencer.attempt(`select credit_rollout.freeze_cell(null, 'stop')`)).toBe('done');
    expect(await scene.logins.worker.attempt(TOUCH)).toBe(REFUSED.state);
    await scene.cell.sql(`set session_replication_role = replica; update credit_rollout.fence set single_writes = true;
      set session_replication_role = origin`);
    expect(await scene.logins.worker.attempt(TOUCH)).toBe(REFUSED.state);
    expect(await scene.logins.worker.attempt(`select credit_rollout.lift_freeze('me', null)`)).toBe(REFUSED.permission);
  });

  test('by opening the fence itself', async () => {
    const { worker } = scene.logins;
    await scene.cell.sql(`update credit_rollout.runs set state = 'open', ended_at = null`);
    for (const set of [`state = 'open'`, `state = 'verifying'`, 'single_writes = true'])
      expect(await worker.attempt(`update credit_rollout.fence set ${set}`)).toBe(REFUSED.permission);
    expect(await worker.attempt(`update credit_rollout.fence set epoch = epoch + 1, state = 'open'`)).toBe(
      REFUSED.permission,
    );
  });

  test('with a snapshot from before the fence was closed', async () => {
    for (const level of ['repeatable read', 'serializable']) {
      await scene.open();
      const session = await scene.logins.worker.connect();
      await session.query(`begin isolation level ${level}`);
      await session.query('select from credit_rollout.fence');
      await scene.cell.sql(`update credit_rollout.fence set state = 'closed'`);
      const outcome = await session.query(TOUCH).then(
        () => 'done',
        (error) => error.code,
      );
      await session.end();
      expect(outcome).toBe(REFUSED.state);
    }
  });

  test('in a statement that began before the fence was closed', async () => {
    await scene.open();
    const closing = await scene.logins.fencer.connect();
    await closing.query('begin');
    await closing.query('select pg_advisory_xact_lock(1129467724, 0)');
    const writing = scene.logins.worker.attempt(TOUCH);
    await waitFor('the write to wait for the fence or to end', async () => {
      const ended = await Promise.race([writing, undefined]);
      return ended !== undefined || hasLockWait(scene.cell);
    });
    await closing.query(`update credit_rollout.fence set state = 'closed'`);
    await closing.query('commit');
    await closing.end();
    expect(await writing).toBe(REFUSED.state);
  });

  test('with its own fence, runs and functions before ours', async () => {
    expect(await scene.logins.worker.attempt(...HOSTILE_NAMES, TOUCH.replace('now()', 'pg_catalog.now()'))).toBe(
      REFUSED.state,
    );
  });

  test('as a role that it says it is', async () => {
    const { worker } = scene.logins;
    for (const statement of [
      'set role postgres',
      'set session authorization postgres',
      `set role "${scene.logins.fencer.name}"`,
    ])
      expect(await worker.attempt(statement)).toBe(REFUSED.permission);
    expect(await worker.attempt('set role none', TOUCH)).toBe(REFUSED.state);
  });
});
