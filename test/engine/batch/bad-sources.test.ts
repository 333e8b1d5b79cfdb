// Sources that cannot be used are rejected before anything changes: by name, columns, rows and privileges.
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { initCell } from '../../../src/engine/setup/init-cell.js';
import { addSignUpTrigger, installChangeFeed } from '../../../src/engine/setup/triggers.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { cellOwnerName } from '../../../src/stores/cell/cell-database.js';
import { parseSourceName } from '../../../src/stores/cell/setup/source.js';
import { applyAll, createTestCell, letOwnerRead, type TestCell } from '../../support/cell.js';
import { explained } from '../../support/explained.js';
import { createFleet, uniqueId } from '../../support/fleet.js';
import { openTestCell } from '../../support/open-context.js';
import { dropAll, dropped, makeCell } from './bad-input-scene.js';

afterEach(dropAll);

const initWith = (cell: TestCell, source: string): Promise<unknown> =>
  initCell(cell.cell, { dataCenter: { ...cell.dataCenter, source }, card: cell.card, lapseGraceDays: 30 });
const ours = async (cell: TestCell): Promise<boolean> =>
  (await cell.sql(`select to_regnamespace('credit_rollout') is not null as found`))[0]?.found === true;

/** A login that is no superuser and owns its database, with what a test grants it. */
async function makeLogin(cell: TestCell, ...grants: readonly string[]): Promise<{ url: string; name: string }> {
  const name = uniqueId('login_');
  await cell.sql(
    `create role ${name} login createrole password 'x'; grant create on database ${pg.escapeIdentifier(cell.database)} to ${name}`,
  );
  for (const grant of grants) await cell.sql(grant.replaceAll('LOGIN', name));
  const url = new URL(cell.url);
  url.username = name;
  url.password = 'x';
  dropped.push(async () => {
    const admin = new pg.Client({ connectionString: cell.url });
    await admin.connect();
    await admin.query(`drop owned by ${name} cascade`).catch(() => undefined);
    await admin.end();
  });
  return { url: url.href, name };
}

describe('the name of a source', () => {
  let named: TestCell;
  beforeAll(async () => {
    named = await createTestCell({ init: 'left', orgs: [{}] });
  });
  afterAll(() => named.drop());

  test.each([
    ['nowhere.orgs', 'source_not_found'],
    ['public.Orgs', 'source_not_found'],
    ['public.orgs_pkey', 'source_not_found'],
    ['"public"."orgs "', 'source_not_found'],
    ['public.оrgs', 'source_not_found'],
    [`public.${'o'.repeat(64)}`, 'source_not_found'],
    ['public.orgs; drop table public.orgs', 'invalid_source_name'],
    ['public.orgs as o', 'source_not_found'],
    ['public."orgs"" o"', 'source_not_found'],
    ['orgs', 'invalid_source_name'],
    ['a.b.c', 'invalid_source_name'],
    ['', 'invalid_source_name'],
    ['(select 1)', 'invalid_source_name'],
    ['pg_catalog.pg_class', 'invalid_source_name'],
    ['"pg_catalog"."pg_authid"', 'invalid_source_name'],
    ['pg_toast.x', 'invalid_source_name'],
    ['information_schema.tables', 'invalid_source_name'],
    ['credit_rollout.allotments', 'invalid_source_name'],
    ['public.or\u0000gs', 'invalid_source_name'],
  ])('%j is rejected (%s), and nothing is made', async (source, code) => {
    await expect(initWith(named, source)).rejects.toMatchObject({ code });
    expect(await ours(named)).toBe(false);
    expect(await named.sql('select count(*)::int as orgs from public.orgs')).toEqual([{ orgs: 1 }]);
  });

  test('parses into its two exact parts', () => {
    expect(parseSourceName('"A.b"."c""d"')).toEqual({ schema: 'A.b', name: 'c"d' });
  });
});

describe('a source', () => {
  test.each([
    ['alter table public.orgs drop column agents', 'source_column_missing', 'agents'],
    ['alter table public.orgs rename column paid to "Paid"', 'source_column_missing', 'paid'],
    ['alter table public.orgs drop column light_agents', 'source_column_missing', 'light_agents'],
    ['alter table public.orgs alter column agents type numeric', 'source_column_type', 'numeric'],
    ['alter table public.orgs alter column paid type text', 'source_column_type', 'text'],
    [
      'alter table public.orgs alter column created_at type timestamp',
      'source_column_type',
      'timestamp without time zone',
    ],
    ['alter table public.orgs alter column org_id type numeric', 'source_column_type', 'numeric'],
    ['alter table public.orgs alter column legacy_limit type float8', 'source_column_type', 'double precision'],
  ])('after %j is rejected with what was found', async (change, code, found) => {
    const cell = await makeCell({ init: 'left' });
    await cell.sql(change);
    await expect(initWith(cell, 'public.orgs')).rejects.toMatchObject({
      code,
      message: expect.stringContaining(found),
    });
    expect(await ours(cell)).toBe(false);
  });

  test('with rows without an id is rejected with their count', async () => {
    const cell = await makeCell({
      init: 'left',
      key: 'none',
      orgs: [{}, { org_id: null }, { org_id: null }, { org_id: null }],
    });
    await expect(cell.init()).rejects.toMatchObject({
      code: 'source_null_ids',
      message: expect.stringContaining('3 rows'),
    });
    expect(await ours(cell)).toBe(false);
  });

  test('under row-level security that holds for our login is rejected, not read with holes', async () => {
    const cell = await makeCell({ init: 'left', orgs: [{}, {}] });
    const login = await makeLogin(
      cell,
      'grant select on public.orgs to LOGIN',
      'alter table public.orgs enable row level security',
      'create policy half on public.orgs using (org_id = 1)',
      'grant execute on function pg_control_system() to LOGIN',
    );
    const own = openTestCell(login.url, cell.dataCenter.id);
    dropped.push(() => own.close());
    const init = () => explained(initCell(own, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30 }));
    await expect(init()).rejects.toMatchObject({ code: 'not_permitted' });
    await letOwnerRead(cell.sql, cell.dataCenter.id);
    await expect(init()).rejects.toMatchObject({ code: 'source_row_security', exitCode: 7 });
    expect(await ours(cell)).toBe(false);
  });

  test('that the owner of our schema may not read is rejected with the GRANT', async () => {
    const cell = await makeCell({ init: 'left', orgs: [{}] });
    const login = await makeLogin(cell, 'grant execute on function pg_control_system() to LOGIN');
    const own = openTestCell(login.url, cell.dataCenter.id);
    dropped.push(() => own.close());
    await expect(
      initCell(own, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30 }),
    ).rejects.toMatchObject({
      code: 'not_permitted',
      exitCode: 7,
      next: expect.stringContaining(`GRANT SELECT ON public.orgs TO ${cellOwnerName(cell.dataCenter.id)}`),
    });
    expect(await ours(cell)).toBe(false);
  });

  test('is used by a login that owns nothing of the product, with a GRANT and no more', async () => {
    const cell = await makeCell({ init: 'left', orgs: [{}, {}, {}] });
    const login = await makeLogin(cell, 'grant execute on function pg_control_system() to LOGIN');
    const own = openTestCell(login.url, cell.dataCenter.id);
    dropped.push(() => own.close());
    const init = () => initCell(own, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30 });
    await expect(init()).rejects.toMatchObject({ code: 'not_permitted' });
    await letOwnerRead(cell.sql, cell.dataCenter.id);
    await init();
    await applyAll({ ...cell, cell: own, context: { ...cell.context, cells: { get: () => own } } });
    expect(await cell.sql('select count(*)::int as rows from credit_rollout.allotments')).toEqual([{ rows: 3 }]);
  });

  test('that is not what init read is rejected by an apply, and nothing is asked for', async () => {
    const fleet = await createFleet({ orgs: 10 });
    dropped.push(fleet.drop);
    // from now on nothing proves that an id occurs once
    await fleet.cell(0).sql('alter table public.orgs drop constraint orgs_pkey');
    await expect(fleet.apply(fleet.cell(0))).rejects.toMatchObject({ code: 'source_changed' });
    expect(await fleet.control('select requested_at from credit_rollout_control.data_centers')).toEqual([
      { requested_at: null },
    ]);
    await fleet.cell(0).init();
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
  });

  test('may have a name that a driver would take for parameters', async () => {
    const cell = await makeCell({ init: 'left', orgs: [{}, {}] });
    const name = '"who? :are"."the ?? :orgs"';
    await cell.sql(`create schema "who? :are"; alter table public.orgs rename to "the ?? :orgs"`);
    await cell.sql('alter table public."the ?? :orgs" set schema "who? :are"');
    await expect(initWith(cell, name)).rejects.toMatchObject({ code: 'not_permitted' });
    const owner = cellOwnerName(cell.dataCenter.id);
    await cell.sql(`grant usage on schema "who? :are" to ${owner}; grant select on ${name} to ${owner}`);
    await expect(initWith(cell, name)).resolves.toMatchObject({ attached: true, source: name });
    const dataCenter = { ...cell.dataCenter, source: name };
    const trigger = { dataCenter, clock: systemClock };
    await expect(addSignUpTrigger(cell.cell, { ...trigger, trigger: 'wanted' })).resolves.toBe(true);
    await expect(installChangeFeed(cell.cell, { ...trigger, feed: 'wanted' })).resolves.toBe(true);
    expect(await cell.sql('select count(*)::int as orgs from credit_rollout.source_orgs')).toEqual([{ orgs: 2 }]);
  });

  test('may get a column that is not in the contract', async () => {
    const fleet = await createFleet({ orgs: 10 });
    dropped.push(fleet.drop);
    await fleet.cell(0).sql('alter table public.orgs add column more text');
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
  });
});
