// What no reader could bear: texts without an end in rows that every process reads. Each attack as it was done.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CellLogins, createCellLogins } from './cell-logins.js';
import { type ControlScene, openControlScene } from './control-scene.js';

const CHECKED = '23514';
const control = 'credit_rollout_control';
let scene: ControlScene;
let cell: CellLogins;
beforeAll(async () => {
  scene = await openControlScene();
  cell = await createCellLogins(scene.fleet.cell(0));
  await scene.fleet.cell(0).insertOrgs({});
});
afterAll(async () => {
  await cell.drop();
  await scene.drop();
});

describe('a text', () => {
  const long = `repeat('x', 2000000)`;
  test.each([
    [
      'the reason of a request',
      'operator',
      (): string => `update ${control}.data_centers set requested_at = now(), request_reason = ${long},
        plan = '{"batchSize": 100, "lanes": 2, "cardHash": "card"}' where id = '${scene.dataCenters[1]}'`,
    ],
    [
      'the plan of a request',
      'operator',
      (): string => `update ${control}.data_centers set requested_at = now(), request_reason = 'x',
        plan = jsonb_build_object('batchSize', 100, 'lanes', 2, 'cardHash', ${long})`,
    ],
    [
      'the reason of an entry',
      'operator',
      (): string => `insert into ${control}.audit (actor, action, reason) values ('x', 'x', ${long})`,
    ],
    [
      'the action of an entry',
      'operator',
      (): string => `insert into ${control}.audit (actor, action) values ('x', repeat('x', 301))`,
    ],
    [
      'the limit of a hold',
      'scheduler',
      (): string => `insert into ${control}.holds (data_center, code, since, value, limit_value, release, needs_person, position)
        values ('${scene.dataCenters[0]}', 'paused', now(), '1', ${long}, 'x', false, 0)`,
    ],
    [
      'a name of settings that differ',
      'scheduler',
      (): string => `insert into ${control}.schedulers (scheduler_id, seen_at, started_at, differs)
        values ('x', now(), now(), array[${long}])`,
    ],
  ] as const)('that is too long is refused: %s of control', async (_what, login, insert) => {
    expect(await scene.logins[login].attempt(insert())).toBe(CHECKED);
  });

  test.each([
    ['why it is frozen', 'fencer', `select credit_rollout.freeze_cell('x', ${long})`],
    [
      'why an org is protected',
      'override',
      `insert into credit_rollout.protected_orgs (org_id, reason) values (1, ${long})`,
    ],
    ['what an org asks for', 'override', `insert into credit_rollout.exceptions (org_id, text) values (1, ${long})`],
    [
      'who asked for a plan',
      'fencer',
      `insert into credit_rollout.plan_requests (plan_id, card_hash, author) values (77, 'card', ${long})`,
    ],
    [
      'what a worker is called',
      'worker',
      `insert into credit_rollout.workers (worker_id, seen_at, started_at)
      values (${long}, now(), now())`,
    ],
  ] as const)('that is too long is refused: %s, in a cell', async (_what, login, statement) => {
    expect(await cell[login].attempt(statement)).toMatch(/^(23514|54000)$/u);
  });

  test('that was stored before there was a limit lets its row change', async () => {
    await scene.past(`update ${control}.rollout set card_name = ${long}`);
    const { fleet } = scene;
    await fleet.control(`update ${control}.rollout set embedded = embedded`);
    await expect(fleet.control(`update ${control}.rollout set card_name = card_name || 'x'`)).rejects.toThrow(
      'card_name has at most 300 characters',
    );
    await scene.past(`update ${control}.rollout set card_name = null`);
  });
});

describe('every text and document that a login may write', () => {
  // thousands of rows are written at once: their texts are codes that are checked, or copies
  const MANY = ['allotments', 'pending_sign_ups', 'plan_groups', 'plan_parts', 'quarantine', 'stale_orgs'];
  const unlimited = (schema: string): string => `
    select distinct c.relname || '.' || a.attname as "column", c.relname as "table" from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type y on y.oid = a.atttypid
    cross join lateral (select x.grantee, x.privilege_type from aclexplode(c.relacl) x
      union all select x.grantee, x.privilege_type from aclexplode(a.attacl) x) g
    where c.relnamespace = '${schema}'::regnamespace and c.relkind = 'r' and g.grantee <> c.relowner
      and g.privilege_type in ('INSERT', 'UPDATE')
      and coalesce(nullif(y.typbasetype, 0), y.oid)
        in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'jsonb'::regtype, 'json'::regtype,
          'text[]'::regtype)
      and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = c.relname || '_zz_texts'
        and t.tgenabled = 'O' and pg_get_triggerdef(t.oid) ~ ('length\\(\\(?new\\.' || quote_ident(a.attname) || '\\M'))
    order by 1`;

  test('has a limit in control', async () => {
    expect(await scene.fleet.control(unlimited('credit_rollout_control'))).toEqual([]);
  });

  test('has a limit in a cell, where few rows are written', async () => {
    const found = await scene.fleet.cell(0).sql(unlimited('credit_rollout'));
    expect([...new Set(found.map(({ table }) => table))].sort()).toEqual([...MANY].sort());
  });
});
