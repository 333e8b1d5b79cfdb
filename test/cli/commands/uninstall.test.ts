// `uninstall` and `remove`: what they show, refuse and leave, in a cell beside another one of the same server, and what
// `init` does with a data center that comes later or comes back.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listRoleNames } from '../../../src/stores/cell/setup/roles.js';
import { listGrantsOfOthers } from '../../../src/stores/cell/setup/uninstall.js';
import { letOwnerRead } from '../../support/cell.js';
import { createFleet, type Fleet, uniqueId } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { adminUrl, createTestDatabase, runAsAdmin } from '../../support/postgres.js';
import { waitFor } from '../../support/wait.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let crowd: TestPeople;
const idOf = (n: number): string => fleet.cell(n).dataCenter.id;

/** `without`: the configuration does not name it; `lost`: its URL leads nowhere. */
interface Written {
  readonly without?: string;
  readonly lost?: string;
  readonly sections?: string;
}

async function run(control: string, args: readonly string[], written: Written = {}): Promise<RanCommand> {
  const path = join(folder, 'rollout.yaml');
  const dataCenters = fleet.cells
    .filter(({ dataCenter: { id } }) => id !== written.without)
    .map(({ dataCenter: { id, zone }, url }) => {
      const database = id === written.lost ? 'postgres://nobody@127.0.0.1:1/nothing' : url;
      return `  - { id: ${id}, zone: ${zone}, database: "${database}", source: public.orgs }`;
    });
  const card = resolve('src/sample/rate-card.yaml');
  const lines = [
    `controlDatabase: "${control}"`,
    `rateCard: ${card}`,
    written.sections ?? '',
    'dataCenters:',
    ...dataCenters,
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  return runCommand(...args, '--config', path);
}
const owner = (...args: readonly string[]): Promise<RanCommand> => run(fleet.controlUrl, args);
/** Every relation of the product, its rights and its triggers; without what was granted to us. */
const theirs = (n: number): Promise<readonly Record<string, unknown>[]> =>
  fleet.cell(n).sql(
    `select c.oid::regclass::text as name, c.relkind, (select array_agg(a::text order by a::text) from unnest(c.relacl) a
        where a::text not like 'credit_rollout_%') as rights,
       (select array_agg(t.tgname order by t.tgname) from pg_trigger t where t.tgrelid = c.oid
          and t.tgname not like 'credit_rollout%') as triggers
     from pg_class c where c.relnamespace = 'public'::regnamespace order by 1`,
  );
const rolesOf = async (n: number): Promise<number> => {
  const rows = await fleet.control('select rolname from pg_roles where rolname = any ($1)', [listRoleNames(idOf(n))]);
  return rows.length;
};
const init = async (n: number): Promise<void> => {
  await letOwnerRead(fleet.cell(n).sql, idOf(n));
  const { code, err } = await owner('init', '--dc', idOf(n), '--grant', app, '--change-feed');
  expect({ code, err }).toMatchObject({ code: 0 });
};
const app = uniqueId('shop_');
const SIGN_UPS = expect.objectContaining({ found: expect.stringContaining('1 sign-up of the last 24 hours') });
const dropRole = (name: string): Promise<unknown> => runAsAdmin(adminUrl(), `drop role if exists "${name}"`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-uninstall-'));
  const cells = ['a', 'b'].map((letter) => ({ dataCenter: uniqueId(letter), init: 'left' as const }));
  fleet = await createFleet({ cells, orgs: 20 });
  crowd = await createPeople(fleet, 'alice');
  await fleet.control(`create role ${app} login password 'secret'`);
  for (const n of [0, 1]) await init(n);
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
  await dropRole(app);
  await rm(folder, { recursive: true });
});

test('shows the SQL and what reads us, and refuses while something does', async () => {
  const { sql } = fleet.cell(0);
  await sql('create view public.credits as select org_id, capacity from credit_rollout.org_capacity');
  await sql('create table public.copies (id credit_rollout.org_id)');
  await sql(`create function public.price() returns bigint language plpgsql as
    $$ begin return (select max(total_credits) from "credit_rollout" . allotments); end $$`);
  await sql(`create function public.plain() returns int language sql as $$ select 1 -- credit_rollouts.x $$`);
  await sql(`insert into credit_rollout.sign_ups values (1, 'legacy', now())`);
  const hour = `now() - interval '1 hour'`;
  await fleet.cell(0).rewritePast(`update credit_rollout.gate
    set configured_at = ${hour}, configured_local = 'then', armed_at = ${hour}, effective_at = ${hour}`);
  const dry = await owner('uninstall', '--dc', idOf(0));
  expect(dry.code).toBe(6);
  for (const sqlOfOurs of [
    'drop trigger credit_rollout_',
    'drop schema credit_rollout cascade;',
    'drop owned by "credit_rollout_',
    'drop role "credit_rollout_',
  ])
    expect(dry.out).toContain(sqlOfOurs);
  for (const found of [
    'view public.credits depends on our schema',
    'column id of table public.copies depends on our schema',
    'the text of the function public.price() names our schema',
    '1 sign-up of the last 24 hours',
    'its cut-over has happened',
  ])
    expect(dry.out).toContain(`✖ ${found}`);
  expect(dry.out).not.toContain('plain()');
  expect(dry.out).toContain(`uninstall --dc ${idOf(0)} --sign-ups-stopped`);
  const stopped = await owner('uninstall', '--dc', idOf(0), '--sign-ups-stopped', '--json');
  expect(JSON.parse(stopped.out)).toMatchObject({ grants: [], refusals: expect.not.arrayContaining([SIGN_UPS]) });
  expect(dry.out).toContain('Nothing was changed.');
  const refused = await owner('uninstall', '--dc', idOf(0), '--execute', '--reason', 'gone');
  expect(refused).toMatchObject({ code: 6, err: expect.stringContaining('removal_refused') });
  expect(refused.err).toContain('view public.credits');
  await sql('drop view public.credits; drop table public.copies; drop function public.price(); drop function plain()');
  await fleet
    .cell(0)
    .rewritePast(`delete from credit_rollout.sign_ups; update credit_rollout.gate set configured_at = null,
    configured_local = null, armed_at = null, effective_at = null`);
});

test('names the grants that only the owner of a table of the product can take back', async () => {
  const { cell } = fleet.cell(0);
  const grants = await cell.asOwner(async (tx) => {
    await tx.raw(`set local session authorization "${app}"`);
    return listGrantsOfOthers(tx, listRoleNames(idOf(0)));
  });
  expect(grants).toEqual([`revoke all on table public.orgs from credit_rollout_${idOf(0)}_owner`]);
  expect(await cell.asOwner((tx) => listGrantsOfOthers(tx, listRoleNames(idOf(0))))).toEqual([]);
});

test('refuses while a session of the product reads us, and a login that is no owner', async () => {
  const url = new URL(fleet.cell(0).url);
  url.username = app;
  url.password = 'secret';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query('select count(*) from credit_rollout.org_capacity');
  const dry = await owner('uninstall', '--dc', idOf(0));
  expect(dry.out).toMatch(new RegExp(`✖ a session of ${app} \\(pid \\d+\\) read ours at`, 'u'));
  expect(dry.out).not.toContain('select count');
  await client.end();
  await waitFor('the end of the session', async () => (await owner('uninstall', '--dc', idOf(0))).code === 0, {
    forMs: 20_000,
  });
  const person = await run(crowd.people[0]?.controlUrl ?? '', ['uninstall', '--dc', idOf(0)]);
  expect(person).toMatchObject({ code: 7, err: expect.stringContaining('not_permitted') });
  expect((await owner('uninstall', '--dc', idOf(0), '--execute')).err).toContain('--reason');
});

test('leaves nothing in the cell, roles included, and touches neither the product nor the cell beside it', async () => {
  const before = await theirs(0);
  const beside = await fleet
    .cell(1)
    .sql('select count(*) as n from pg_class where relnamespace = $1::regnamespace', ['credit_rollout']);
  const done = await owner('uninstall', '--dc', idOf(0), '--execute', '--reason', 'the region closes', '--json');
  expect(done).toMatchObject({ code: 0 });
  expect(JSON.parse(done.out)).toMatchObject({ executed: true, data_center: idOf(0), left: [] });
  const { sql } = fleet.cell(0);
  expect(await sql(`select nspname from pg_namespace where nspname like 'credit_rollout%'`)).toEqual([]);
  expect(await rolesOf(0)).toBe(0);
  expect(await theirs(0)).toEqual(before);
  expect(
    await sql(
      `select from pg_class where relacl::text like '%credit_rollout_%' and relnamespace = 'public'::regnamespace`,
    ),
  ).toEqual([]);
  expect(await fleet.control('select from pg_roles where rolname = $1', [app])).toHaveLength(1);
  expect(await rolesOf(1)).toBe(listRoleNames(idOf(1)).length);
  expect(
    await fleet
      .cell(1)
      .sql('select count(*) as n from pg_class where relnamespace = $1::regnamespace', ['credit_rollout']),
  ).toEqual(beside);
  const { findings } = JSON.parse((await owner('doctor', '--dc', idOf(1), '--json')).out);
  expect(
    findings.filter(
      ({ subject, level, check }: Record<string, unknown>) =>
        subject === idOf(1) && level === 'error' && check !== 'synchronous_commit',
    ),
  ).toEqual([]);
  expect(
    await fleet.control(
      `select action, reason from credit_rollout_control.audit where data_center = $1
      and action in ('uninstall', 'remove_data_center') order by seq`,
      [idOf(0)],
    ),
  ).toEqual([
    { action: 'remove_data_center', reason: 'the region closes' },
    { action: 'uninstall', reason: 'the region closes' },
  ]);
  expect(await fleet.control('select from credit_rollout_control.seal_keys where data_center = $1', [idOf(0)])).toEqual(
    [],
  );
  const again = await owner('uninstall', '--dc', idOf(0));
  expect(again).toMatchObject({ code: 8, out: expect.stringContaining('has nothing of ours') });
  expect((await owner('plan', '--dc', idOf(0))).err).toMatch(/has left the fleet.*init --dc/su);
  const status = JSON.parse((await owner('status', '--json')).out);
  expect(status.data_centers.map((row: Record<string, unknown>) => row.data_center)).toEqual([idOf(1)]);
});

test('begins anew where init adds it again, and keeps roles that another database uses', async () => {
  await init(0);
  const [row] = await fleet.control(
    'select stage, run_id, removed_at, quiet from credit_rollout_control.data_centers where id = $1',
    [idOf(0)],
  );
  expect(row).toEqual({ stage: 'pending', run_id: null, removed_at: null, quiet: false });
  const other = await createTestDatabase('other', { server: adminUrl() });
  const client = new pg.Client({ connectionString: other.url });
  await client.connect();
  const role = `credit_rollout_${idOf(0)}_worker`;
  await client.query(`create table mine (); grant select on mine to "${role}"`);
  const done = await owner('uninstall', '--dc', idOf(0), '--execute', '--reason', 'again');
  expect(done).toMatchObject({ code: 0, out: expect.stringContaining(`kept: role ${role}`) });
  expect(await rolesOf(0)).toBe(1);
  expect((await client.query(`select has_table_privilege($1, 'mine', 'select') as may`, [role])).rows).toEqual([
    { may: true },
  ]);
  await client.query(`drop owned by "${role}"; drop role "${role}"`);
  await client.end();
  await other.drop();
});

describe('remove', () => {
  const rowOf = async (n: number): Promise<Readonly<Record<string, unknown>> | undefined> =>
    (
      await fleet.control(
        `select stage, removed_at is null as in_fleet, quiet, cutover_local from credit_rollout_control.data_centers
         where id = $1`,
        [idOf(n)],
      )
    )[0];

  test('refuses while a rollout is requested, and where the cell cannot be asked', async () => {
    const dc = ['remove', '--dc', idOf(1)];
    await fleet.control(`set local session_replication_role = replica; update credit_rollout_control.data_centers
      set requested_at = now(), requested_by = 'alice' where id = '${idOf(1)}'`);
    const dry = await owner(...dc);
    expect(dry).toMatchObject({ code: 6, out: expect.stringContaining('✖ a rollout of it is under way or requested') });
    await fleet.control(`set local session_replication_role = replica; update credit_rollout_control.data_centers
      set requested_at = null, requested_by = null where id = '${idOf(1)}'`);
    expect(await owner(...dc)).toMatchObject({ code: 0, out: expect.stringContaining('would leave the fleet') });
    const without = { without: idOf(1) };
    const unnamed = await run(fleet.controlUrl, dc, without);
    expect(unnamed.out).toContain('✖ its cell cannot be asked (unknown_data_center)');
    const { findings } = JSON.parse((await run(fleet.controlUrl, ['doctor', '--json'], without)).out);
    expect(findings).toContainEqual(
      expect.objectContaining({ check: 'data centers', level: 'warning', found: expect.stringContaining(idOf(1)) }),
    );
    const lost = await owner(...dc, '--cell-lost', '--execute', '--reason', 'x');
    expect(lost).toMatchObject({ code: 6, err: expect.stringContaining('its cell answers') });
  });

  test('frees the slot where a cell was lost in the middle of its rollout', async () => {
    await fleet.control(`set local session_replication_role = replica; update credit_rollout_control.data_centers
      set stage = 'migrating', quiet = false where id = '${idOf(1)}'`);
    const lost = { lost: idOf(1) };
    const dc = ['remove', '--dc', idOf(1)];
    const asked = await run(fleet.controlUrl, [...dc, '--execute', '--reason', 'flood'], lost);
    expect(asked).toMatchObject({ code: 6, err: expect.stringContaining('--cell-lost') });
    const done = await run(fleet.controlUrl, [...dc, '--cell-lost', '--execute', '--reason', 'flood'], lost);
    expect(done).toMatchObject({ code: 0, out: expect.stringContaining('has left the fleet') });
    expect(await rowOf(1)).toMatchObject({ stage: 'aborted', in_fleet: false });
    const gone = await run(fleet.controlUrl, [...dc, '--json'], lost);
    expect(gone).toMatchObject({ code: 1, out: expect.stringContaining('unknown_data_center') });
  });

  test('is undone by init, which gives a data center that comes later the instants of the policy', async () => {
    await fleet.control(`set local session_replication_role = replica;
      update credit_rollout_control.rollout set pinned_at = now() - interval '1 day';
      update credit_rollout_control.policy set value = '"2098-10-30"' where name = 'signups.cutover'`);
    await init(1);
    expect(await rowOf(0)).toMatchObject({ in_fleet: false });
    const pinned = '2098-10-30T00:00:00 UTC';
    expect(await rowOf(1)).toMatchObject({ stage: 'aborted', in_fleet: true, quiet: false, cutover_local: pinned });
    const plain = await owner('init');
    expect(plain).toMatchObject({ code: 0, out: expect.stringContaining(`· ${idOf(0)}: has left the fleet`) });
    expect(await rolesOf(0)).toBe(0);
    await init(0);
    expect(await rowOf(0)).toMatchObject({ in_fleet: true, stage: 'pending', cutover_local: pinned });
    const added = await fleet.control(
      `select data_center from credit_rollout_control.audit where action = 'add_data_center' order by seq`,
    );
    expect(added.map((row) => row.data_center)).toEqual([0, 1, 0].map(idOf));
    const done = await owner('remove', '--dc', idOf(0), '--execute', '--reason', 'later');
    expect(done).toMatchObject({ code: 0 });
    expect(await rowOf(0)).toMatchObject({ in_fleet: false, cutover_local: pinned });
  });
});
