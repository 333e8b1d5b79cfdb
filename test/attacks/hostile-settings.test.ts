// Kind 8. The owner of a database, which is the product, may give it any setting, and schemas with functions of any
// name. Nothing of ours runs under such a search_path, and our statements mean the same under each setting.
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkQueue, initQueue } from '../../jobs/queue/connection.js';
import { initControl } from '../../src/engine/setup/init-control.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { readCellClock, readServerFacts, readSourceState } from '../../src/stores/cell/identity.js';
import { createControlDatabase } from '../../src/stores/control/control-database.js';
import { selectRow } from '../../src/stores/query.js';
import { makeConfig, problemsOf } from '../engine/doctor/doctor-scene.js';
import { createTestCell, type TestCell } from '../support/cell.js';
import { openTestCell } from '../support/open-context.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

/** What the server has, made again before it in the path; each call is recorded. */
const FUNCTIONS = [
  ['version()', 'text', 'version()'],
  ['current_database()', 'name', 'current_database()'],
  ['pg_is_in_recovery()', 'boolean', 'false'],
  ['to_regclass(text)', 'regclass', 'to_regclass($1)'],
  ['current_setting(text)', 'text', 'current_setting($1)'],
  ['clock_timestamp()', 'timestamptz', 'clock_timestamp()'],
  ['pg_advisory_xact_lock(integer, integer)', 'void', 'pg_advisory_xact_lock($1, $2)'],
  ['hashtext(text)', 'integer', 'hashtext($1)'],
] as const;

const HOSTILE = `
create schema evil;
create table evil.ran (what text);
grant usage on schema evil to public;
grant insert on evil.ran to public;
${FUNCTIONS.map(
  ([name, returns, otherwise]) => `create function evil.${name} returns ${returns} language sql volatile
    set search_path = pg_catalog as $$ insert into evil.ran values ('${name}'); select ${otherwise} $$`,
).join(';\n')};
create function evil.same(text, text) returns boolean language sql volatile set search_path = pg_catalog as $$
  insert into evil.ran values ('text = text'); select $1 = $2 $$;
create function evil.same(name, name) returns boolean language sql volatile set search_path = pg_catalog as $$
  insert into evil.ran values ('name = name'); select $1 = $2 $$;
create operator evil.= (leftarg = text, rightarg = text, function = evil.same);
create operator evil.= (leftarg = name, rightarg = name, function = evil.same)`;

async function setForDatabase({ url, name }: Pick<TestDatabase, 'url' | 'name'>, setting: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`alter database ${name} set ${setting}`);
  await client.end();
}

describe('a search_path of the database', () => {
  let cell: TestCell;
  let control: TestDatabase;
  let queue: TestDatabase;

  beforeAll(async () => {
    cell = await createTestCell({ init: 'left', orgs: [{}] });
    [control, queue] = await Promise.all([createTestDatabase('control'), createTestDatabase('queue')]);
    for (const { url, name } of [control, queue, { url: cell.url, name: cell.database }]) {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(HOSTILE);
      await client.end();
      await setForDatabase({ url, name }, 'search_path = evil, pg_catalog, public');
    }
  });
  afterAll(async () => {
    await Promise.all([control.drop(), queue.drop(), cell.drop()]);
  });

  async function listRun(url: string): Promise<readonly unknown[]> {
    const client = new pg.Client({ connectionString: url, options: '-c search_path=pg_catalog' });
    await client.connect();
    const { rows } = await client.query('select distinct what from evil.ran order by 1');
    await client.end();
    return rows.map(({ what }) => what);
  }

  test('runs nothing as the login of init', async () => {
    await cell.init();
    await cell.sql('truncate evil.ran');
    await cell.cell.asOwner(readServerFacts);
    const fresh = openTestCell(cell.url, cell.dataCenter.id);
    await fresh.inTransaction('reader', readSourceState);
    await fresh.close();
    expect(await listRun(cell.url)).toEqual([]);
  });

  test('runs nothing in control', async () => {
    const opened = createControlDatabase(openPostgres({ url: control.url, applicationName: 'test', max: 2 }));
    await initControl({ control: opened, actor: 'tester' }, makeConfig([cell]));
    await opened.close();
    expect(await listRun(control.url)).toEqual([]);
  });

  test('runs nothing in the queue', async () => {
    await initQueue(queue.url);
    await checkQueue(queue.url);
    expect(await listRun(queue.url)).toEqual([]);
  });
});

describe('another setting of the database', () => {
  let cell: TestCell;
  beforeAll(async () => {
    cell = await createTestCell({ orgs: [{}] });
    const settings = [
      "datestyle = 'German'",
      "timezone = 'Etc/GMT+12'",
      'quote_all_identifiers = on',
      "default_transaction_isolation = 'serializable'",
      'transform_null_equals = on',
      'array_nulls = off',
      'bytea_output = escape',
    ];
    for (const setting of settings) await setForDatabase({ url: cell.url, name: cell.database }, setting);
    await cell.cell.close();
  });
  afterAll(() => cell.drop());

  test('changes nothing that we read', async () => {
    const fresh = openTestCell(cell.url, cell.dataCenter.id);
    const read = await fresh.inTransaction('reader', async (tx) => ({
      now: await readCellClock(tx),
      state: await readSourceState(tx),
      ...(await selectRow(
        tx,
        `select current_setting('transaction_isolation') as isolation,
        current_setting('timezone') as zone, :ids::text[] as ids, :nothing::text = null as compared,
        '\\x01'::bytea as bytes`,
        { ids: ['a', null], nothing: null },
      )),
    }));
    await fresh.close();
    expect(Math.abs(read.now.getTime() - Date.now())).toBeLessThan(60_000);
    expect(read).toMatchObject({
      state: 'attached',
      isolation: 'read committed',
      zone: 'UTC',
      ids: ['a', null],
      compared: null,
      bytes: Buffer.from([1]),
    });
  });
});

describe('a schema by our name that somebody else made', () => {
  let cell: TestCell;
  let control: TestDatabase;
  const maker = 'schema_maker';
  beforeAll(async () => {
    cell = await createTestCell({ init: 'left', orgs: [{}] });
    control = await createTestDatabase('control');
    await cell.sql(`create role ${maker} login`).catch(() => undefined);
  });
  afterAll(async () => {
    await cell.sql('drop schema credit_rollout cascade');
    await Promise.all([cell.drop(), control.drop()]);
  });

  test('runs nothing in a connection, init or doctor', async () => {
    await cell.sql(`create schema credit_rollout authorization ${maker}; create table public.ran (who text);
      create function public.ran_as() returns text language sql as $$
        insert into public.ran values (session_user) returning who $$;
      create view credit_rollout.cell as select public.ran_as() as data_center, '' as system_identifier,
        '' as database_name;
      create view credit_rollout.migrations as select public.ran_as() as name`);
    await expect(cell.init()).rejects.toMatchObject({
      code: 'not_permitted',
      message: expect.stringContaining(`belongs to ${maker}`),
    });
    expect(await problemsOf(cell)).toMatchObject([
      { code: 'not_permitted', found: expect.stringContaining(`belongs to ${maker}`) },
    ]);
    expect(await cell.sql('select who from public.ran')).toEqual([]);
  });

  test('is not taken by control either', async () => {
    const opened = createControlDatabase(openPostgres({ url: control.url, applicationName: 'test', max: 2 }));
    const client = new pg.Client({ connectionString: control.url });
    await client.connect();
    await client.query(`create schema credit_rollout_control authorization ${maker}`);
    await client.end();
    await expect(initControl({ control: opened, actor: 'tester' }, makeConfig([cell]))).rejects.toMatchObject({
      code: 'not_permitted',
      message: expect.stringContaining(`belongs to ${maker}`),
    });
    await opened.close();
  });
});
