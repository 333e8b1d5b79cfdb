// What a second review with the documented logins found, each as it was done: the counts of a plan, an override that
// its approver withdraws after writing, writes past a fence, nights opened twice, and whose plan it is.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installChangeFeed, removeChangeFeed } from '../../src/engine/setup/triggers.js';
import { systemClock } from '../../src/kernel/clock.js';
import { cellSourceRoleName } from '../../src/stores/cell/cell-database.js';
import { type ControlScene, openControlScene, underItsEpoch } from './control-scene.js';
import { openSealScene, type SealScene } from './seal-scene.js';

const REFUSED = '42501';
const RESTRICTED = '23001';
let scene: SealScene;
beforeAll(async () => {
  scene = await openSealScene();
});
afterAll(() => scene.drop());

const numberOf = async (): Promise<string> =>
  String((await scene.cell.sql(`select nextval('credit_rollout.plan_ids') as n`))[0]?.n);
const editions = () => `'{${[...scene.cell.card.editions.keys()].join(',')}}'`;
const plan = (id: string, bounds = '{null,null}', first = 1) => `select credit_rollout.plan_key_ranges(${id}, ${first},
  '${bounds}', '${scene.cell.card.hash}', ${editions()}, '{1e9,1e9,1e9}')`;
const unreadable = (id: string, lower: string, upper = 'null', no = 2) =>
  `select credit_rollout.add_unreadable_range(${id}, ${no}, ${lower}, ${upper}, '${scene.cell.card.hash}')`;
const finish = (id: string) => `select credit_rollout.finish_plan(${id}, '${scene.cell.card.hash}', 'mallory', now(),
  '{}', '{}', '{"counts": {}}', '{}')`;
const measured = async (id: string) =>
  (await scene.cell.sql(`select measured from credit_rollout.plans where plan_id = ${id}`))[0]?.measured;

describe('a plan', () => {
  test('is counted exactly, whatever the planner’s session rounds floats to', async () => {
    const [one, other] = [await numberOf(), await numberOf()];
    const { planner } = scene.logins;
    await scene.cell.sql('update public.orgs set agents = agents + 777 where org_id = 4');
    expect(await planner.attempt(plan(one), finish(one))).toBe('done');
    expect(await planner.attempt('set extra_float_digits = -15', plan(other), finish(other))).toBe('done');
    expect(await measured(other)).toEqual(await measured(one));
    expect(await measured(one)).toMatchObject({ maxRaiseFactor: expect.any(Number) });
    await scene.cell.sql('update public.orgs set agents = agents - 777 where org_id = 4');
  });

  test('leaves no org out as unreadable that can be read', async () => {
    const { planner } = scene.logins;
    const id = await numberOf();
    expect(await planner.attempt(plan(id, '{null,2}'))).toBe('done');
    for (const hidden of [unreadable(id, '2'), unreadable(id, '2', '3'), unreadable(id, '900')])
      expect(await planner.attempt(hidden)).toBe(RESTRICTED);
  });

  test('that was asked for is made by workers, not by whoever may plan', async () => {
    const id = await numberOf();
    await scene.cell.sql(`insert into credit_rollout.plan_requests (plan_id, card_hash, range_size, author)
      values (${id}, '${scene.cell.card.hash}', 10, 'alice')`);
    for (const statement of [plan(id), unreadable(id, '1'), finish(id)])
      expect(await scene.logins.planner.attempt(statement)).toBe(REFUSED);
  });

  test('is not finished while something is added to it', async () => {
    const id = await numberOf();
    const { planner } = scene.logins;
    expect(await planner.attempt(plan(id, '{null,null}', 7))).toBe('done');
    const session = await planner.connect();
    await session.query('begin');
    await session.query(plan(id, '{null,3}', 50));
    expect(await planner.attempt('set lock_timeout = 100', finish(id))).toBe('55P03');
    await session.query('rollback');
    await session.end();
    expect(await planner.attempt(finish(id))).toBe('done');
  });
});

test('the triggers of the change feed run a cast of the product’s types without the rights of our owner', async () => {
  const { cell, logins } = scene;
  const { product } = logins;
  await installChangeFeed(cell.cell, { dataCenter: cell.dataCenter, clock: systemClock, feed: 'wanted' });
  await cell.sql(`grant create on schema public to ${product.name}; alter table public.orgs owner to ${product.name}`);
  const [row] = await product.read(
    'begin',
    'create type public.any_id as (n bigint)',
    `create function public.to_bigint(public.any_id) returns bigint language plpgsql as $$
      begin perform set_config('shop.ran_as', current_user, true); return ($1).n; end $$`,
    'create cast (public.any_id as bigint) with function public.to_bigint(public.any_id) as assignment',
    'alter table public.orgs rename org_id to number',
    'alter table public.orgs add org_id public.any_id',
    `insert into public.orgs (number, org_id, edition) values (700, row(700), 'standard')`,
    `select current_setting('shop.ran_as', true) as who`,
  );
  expect(row?.who).toBe(cellSourceRoleName(cell.dataCenter.id));
  await cell.sql(`alter table public.orgs owner to current_user; revoke create on schema public from ${product.name}`);
  await removeChangeFeed(cell.cell, systemClock);
});

test('an override that was begun is not withdrawn, whatever was written for its org', async () => {
  const { override } = scene.logins;
  const [row] = await override.read(`insert into credit_rollout.overrides (org_id, floor, reason, author)
    values (5, 80000, 'a contract', 'alice') returning override_id as id`);
  const id = String(row?.id);
  const [digest] = await override.read(`select credit_rollout.digest_override(${id}) as digest`);
  const document = await scene.seal('override', {
    number: Number(id),
    digest: digest?.digest,
    author: 'alice',
    approver: 'bob',
  });
  const before = await scene.cell.sql('select total_credits from credit_rollout.allotments where org_id = 5');
  const terms = `'{"base_credits": 900000000000000, "variable_credits": 0, "grandfathered_credits": 0,
    "total_credits": 900000000000000, "floor": 80000, "winner": "credits", "concurrency_limit": 9999}'`;
  expect(
    await override.attempt(
      'begin',
      `select credit_rollout.begin_override('${document}')`,
      `select credit_rollout.write_override(${id},
        (select to_jsonb(a) || ${terms} from credit_rollout.allotments a where a.org_id = 5))`,
      `update credit_rollout.overrides set state = 'withdrawn', decided_at = now() where override_id = ${id}`,
      'commit',
    ),
  ).toBe(RESTRICTED);
  expect(await scene.cell.sql('select total_credits from credit_rollout.allotments where org_id = 5')).toEqual(before);
});

describe('a worker', () => {
  test('writes no sign-up that waits while single writes are not allowed, or the cell is frozen', async () => {
    const { sql } = scene.cell;
    await sql('insert into credit_rollout.pending_sign_ups (org_id) values (3)');
    const write = 'select tried from credit_rollout.write_sign_ups()';
    await sql(`update credit_rollout.fence set state = 'closed', single_writes = false`);
    expect(await scene.logins.worker.read(write)).toEqual([{ tried: 0 }]);
    await sql('update credit_rollout.fence set single_writes = true');
    await sql(`insert into credit_rollout.freezes (frozen_by, reason) values ('x', 'stop')`);
    expect(await scene.logins.worker.read(write)).toEqual([{ tried: 0 }]);
    await sql(`update credit_rollout.freezes set lifted_at = now(), lifted_by = 'x', lift_reason = 'go'
      where lifted_at is null`);
    expect(await scene.logins.worker.read(write)).toEqual([{ tried: 1 }]);
    await sql('update credit_rollout.fence set single_writes = false');
  });

  test('retires no org while the cell is frozen', async () => {
    const { sql } = scene.cell;
    await sql(`insert into credit_rollout.freezes (frozen_by, reason) values ('x', 'stop')`);
    expect(
      await sql('select credit_rollout.repairs_open(run_id, false) as open from credit_rollout.runs'),
    ).not.toContainEqual({
      open: true,
    });
    await sql(`update credit_rollout.freezes set lifted_at = now(), lifted_by = 'x', lift_reason = 'go'
      where lifted_at is null`);
  });
});

test('a fencer does not choose when a run ended', async () => {
  const document = await scene.seal('maintenance');
  expect(await scene.outcomeOf('maintenance', document)).toBe('done');
  expect(
    await scene.logins.fencer.attempt(
      `update credit_rollout.runs set state = 'done', ended_at = '2020-01-01' where state = 'open'`,
    ),
  ).toBe('done');
  expect(await scene.cell.sql(`select from credit_rollout.runs where ended_at < now() - interval '1 hour'`)).toEqual(
    [],
  );
});

describe('a rollout', () => {
  let control: ControlScene;
  beforeAll(async () => {
    control = await openControlScene();
  });
  afterAll(() => control.drop());

  test('is not approved by who asked for it, though a scheduler registered the plan first', async () => {
    const n = 700;
    const planId = control.planOf(n);
    const { both, scheduler } = control.logins;
    await control.past(`update credit_rollout_control.data_centers set requested_at = now(),
      requested_by = '${both.name}' where id = '${control.dataCenters[0]}'`);
    expect(await scheduler.attempt(control.register(n))).toBe('done');
    await both.attempt(
      `insert into credit_rollout_control.approvals (plan_id, kind, reason) values ('${planId}', 'person', 'mine')`,
    );
    await scheduler.attempt(
      underItsEpoch(
        n,
        `insert into credit_rollout_control.runs (run_id, data_center, kind, card_hash, plan_id)
         values (${n}, '${control.dataCenters[0]}', 'migrate', 'card', '${planId}')`,
      ),
    );
    await scheduler.attempt(`update credit_rollout_control.approvals set used_at = now(), used_by_run = ${n}
      where plan_id = '${planId}'`);
    expect(
      await control.fleet.control('select from credit_rollout_control.approvals where used_at is not null'),
    ).toEqual([]);
  });
});
