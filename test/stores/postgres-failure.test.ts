// What of an error of a server is believed: names that the server itself found, never those that code in a database
// gives. On every version of PostgreSQL that the suites run on.
import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorCodeOf, explainFailure } from '../../src/engine/database-errors.js';
import type { RolloutError } from '../../src/kernel/rollout-error.js';
import { classifyFailure, RAISED_NAMES, withSubject } from '../../src/stores/postgres-failure.js';
import { projectPath } from '../docs/read-document.js';
import { adminUrl, createTestDatabase, runAsAdmin, type TestDatabase } from '../support/postgres.js';

const ROLE = 'residency_nobody';
let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase('failures');
  await runAsAdmin(adminUrl(), `do $$ begin create role ${ROLE}; exception when duplicate_object then null; end $$`);
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`create schema credit_rollout;
    create domain public.small as int constraint small_check check (value < 9);
    create function credit_rollout.reads() returns bigint language plpgsql as 'begin return (select count(*) from credit_rollout.nothing); end';
    create table public.parents (id int constraint parents_key primary key);
    create table public.rows (id int constraint rows_key unique, must int not null, parent int constraint rows_parent references public.parents,
      n int constraint rows_n_check check (n > 0), span int4range, constraint rows_span exclude using gist (span with &&));
    create table credit_rollout.ours (n int constraint ours_check check (n > 0));
    insert into public.rows values (1, 1, null, 1, '[1,5)');
    create view public.looks as select n from public.rows;
    alter table public.rows enable row level security;
    create function public.secret() returns int language sql as 'select 1';
    revoke execute on function public.secret() from public;
    grant insert, select on public.parents to ${ROLE}`);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

const failureOf = (sql: string): Promise<unknown> =>
  client.query(sql).then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => error,
  );

const explainInCell = async (error: unknown): Promise<unknown> => {
  const inCell = withSubject({ title: 'Data center "eu"', kind: 'cell' }, () => Promise.reject(error));
  return explainFailure(await inCell.catch((thrown) => thrown));
};

describe('classifyFailure', () => {
  test.each([
    ['a check', 'insert into public.rows (must, n) values (1, 0)', 'rows_n_check'],
    ['a missing value', 'insert into public.rows (n) values (1)', 'rows'],
    ['a unique key', 'insert into public.rows (id, must) values (1, 1)', 'rows_key'],
    [
      'a unique key that is built',
      'insert into public.parents values (3); create table t as select 1 as a union all select 1; create unique index t_key on t (a)',
      't_key',
    ],
    ['a parent that is not there', 'insert into public.rows (must, parent) values (1, 7)', 'rows_parent'],
    ['an exclusion', `insert into public.rows (must, span) values (1, '[2,3)')`, 'rows_span'],
    ['a domain', 'select 10::public.small', 'small_check'],
    ['a domain that reads a text', `select '10'::public.small`, 'small_check'],
  ])('believes the server about %s', async (_what, sql, name) => {
    expect(classifyFailure(await failureOf(sql))).toMatchObject({ object: name, ours: undefined });
  });

  test('gives a name of our schema out of the cell', async () => {
    const failure = await failureOf('insert into credit_rollout.ours values (0)');
    expect(classifyFailure(failure)).toMatchObject({ object: 'ours_check', ours: 'ours_check' });
  });

  test('believes no code that raises the same, and no code that Postgres does not have', async () => {
    const raise = (code: string): string =>
      `do $$ begin raise exception 'jane' using errcode = '${code}', constraint = 'jane', table = 'jane', schema = 'credit_rollout'; end $$`;
    for (const code of ['23514', '23505', '23502', '23503', 'P0001'])
      expect(classifyFailure(await failureOf(raise(code)))).toMatchObject({
        sqlstate: code,
        object: undefined,
        ours: undefined,
      });
    const unknown = await failureOf(raise('JANE1'));
    expect(classifyFailure(unknown)).toMatchObject({ kind: 'other', sqlstate: undefined });
    expect(errorCodeOf(unknown)).toBe('other');
  });

  const raise = (code: string): string =>
    `do $$ begin raise exception 'relation "credit_rollout.orgs" does not exist' using errcode = '${code}'; end $$`;

  test.each([
    ['a relation', 'select * from credit_rollout.nothing'],
    ['a relation of control', 'select * from credit_rollout_control.nothing'],
    ['a relation that a function of ours reads', 'select credit_rollout.reads()'],
    ['a function', 'select credit_rollout.nothing(1)'],
    ['a schema', 'select credit_rollout_control.nothing()'],
    ['a role', 'set local role "credit_rollout_eu_worker"'],
  ])('knows that %s of ours is missing', async (_what, sql) => {
    expect(classifyFailure(await failureOf(sql))).toMatchObject({ kind: 'missing', raised: false });
    // as knex has it: the statement stands before the text
    const error = Object.assign((await failureOf(sql)) as Error, {});
    error.message = `select 'public.x - y' - ${error.message}`;
    expect(classifyFailure(error).kind).toBe('missing');
  });

  test.each([
    ['a relation of the product', 'select * from public.nothing'],
    ['one whose name ends as ours', 'select * from public."credit_rollout"'],
    ['a function of the product', 'select public.nothing(1)'],
    ['a schema of the product', 'select nowhere.nothing()'],
    ['a role of the product', 'set local role "sales"'],
    ['a value', `set local work_mem = 'credit_rollout.'`],
    ['what is raised as that', raise('42P01')],
    ['a schema that is raised', raise('3F000')],
    ['a function that is raised', raise('42883')],
    ['a role that is raised', raise('22023')],
  ])('does not take for ours: %s', async (_what, sql) => {
    const error = (await failureOf(sql)) as Error;
    expect(classifyFailure(error).kind).not.toBe('missing');
    error.message = `select * from credit_rollout.cell - ${error.message}`;
    expect(classifyFailure(error).kind).not.toBe('missing');
  });

  test('tells what code of the product raises from what the server and our own functions do', async () => {
    expect(classifyFailure(await failureOf(raise('40001')))).toMatchObject({ kind: 'retry', raised: true });
    const ours = `do $$ begin raise exception 'x' using constraint = 'seal_wrong'; end $$`;
    expect(classifyFailure(await failureOf(ours))).toMatchObject({ raised: false, ours: 'seal_wrong' });
    expect(classifyFailure(await failureOf('select 1 / 0'))).toMatchObject({ raised: false });
  });

  test.each([
    ['credit_rollout.raises', false],
    ['public.raises', true],
    ['public."credit_rollout.raises"', true],
    ['"PL/pgSQL function credit_rollout".raises', true],
  ])('knows whose function %s is, whatever it raises', async (name, raised) => {
    await client.query('begin; create schema "PL/pgSQL function credit_rollout"');
    await client.query(`create function ${name}(state text) returns int language plpgsql as
      $$ begin raise exception 'x' using errcode = state; end $$; savepoint before`);
    for (const [state, code] of [
      ['55P03', 'cell_busy'],
      ['55006', 'database_failed'],
    ]) {
      const error = await failureOf(`select ${name}('${state}')`);
      await client.query('rollback to before');
      expect(classifyFailure(error)).toMatchObject({ sqlstate: state, raised });
      expect(await explainInCell(error)).toMatchObject({ code: raised ? 'source_failed' : code });
    }
    await client.query('rollback');
  });

  test('knows every name that our own functions raise', () => {
    const files = readdirSync(projectPath('migrations'), { recursive: true, encoding: 'utf8' });
    const text = files
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(projectPath(`migrations/${name}`), 'utf8'))
      .join('\n');
    const raised = Array.from(text.matchAll(/\b(?:constraint|table) = '(\w+)'/gu), ([, name = '']) => name);
    expect([...new Set(raised)].toSorted()).toEqual([...RAISED_NAMES].toSorted());
  });
});

describe('explainFailure', () => {
  test.each([
    ['a table', 'select * from public.rows', 'permission denied for table rows'],
    ['a function', 'select public.secret()', 'permission denied for function secret'],
  ])('names what is missing: %s', async (_what, sql, named) => {
    await client.query(`begin; set local role ${ROLE}`);
    const error = await failureOf(sql);
    await client.query('rollback');
    expect(explainFailure(error)).toMatchObject({ code: 'not_permitted', message: expect.stringContaining(named) });
  });

  test('shows the GRANT where a login lacks a role of ours, and no role that is none', async () => {
    const asking = (name: string) => `begin; create role ${name}; set local session authorization ${ROLE};
      set local role ${name}`;
    const errors: unknown[] = [];
    for (const name of ['credit_rollout_nobody_planner', 'somebody_elses_role']) {
      errors.push(explainFailure(await failureOf(asking(name))));
      await client.query('rollback');
    }
    expect(errors).toMatchObject([
      {
        code: 'not_permitted',
        message: expect.stringContaining('this login is not a member of credit_rollout_nobody_planner'),
        next: expect.stringContaining('GRANT credit_rollout_nobody_planner TO "the login"'),
      },
      { code: 'not_permitted', message: expect.not.stringContaining('somebody_elses_role') },
    ]);
  });

  test.each([
    ['control', 'docs/reference/roles.md#roles-of-the-control-database'],
    ['cell', 'docs/reference/roles.md. For a source run:'],
  ] as const)('where no GRANT is shown, says where a login gets its roles: %s', async (kind, way) => {
    await client.query(`begin; set local role ${ROLE}`);
    const failed = withSubject({ title: 'It', kind }, () => client.query('select * from public.rows'));
    const explained = explainFailure(await failed.catch((error) => error));
    await client.query('rollback');
    expect(explained).toMatchObject({ code: 'not_permitted' });
    expect(JSON.stringify((explained as RolloutError).next)).toContain(way);
  });

  test('names row-level security', async () => {
    await client.query(
      `begin; grant select on public.rows to ${ROLE}; set local role ${ROLE}; set local row_security = off`,
    );
    const error = await failureOf('select * from public.rows');
    await client.query('rollback');
    expect(explainFailure(error)).toMatchObject({ code: 'source_row_security' });
  });

  test('names what depends on a view, and nothing that only says so', async () => {
    expect(explainFailure(await failureOf('drop table public.rows'))).toMatchObject({
      code: 'views_in_use',
      message: expect.stringContaining('view looks depends on a view of ours'),
    });
  });

  test.each([
    ['42501', 'permission denied for table jane'],
    ['42501', 'row-level security of jane'],
    ['2BP01', 'cannot drop jane'],
    ['42P01', 'relation "jane" does not exist'],
    ['53100', 'jane'],
  ])('takes no word of a text that code raised as %s', async (code, text) => {
    const error = await failureOf(
      `do $$ begin raise exception '${text}' using errcode = '${code}', detail = 'view jane depends on jane', constraint = 'jane'; end $$`,
    );
    expect(await explainInCell(error)).toMatchObject({
      code: 'source_failed',
      message: expect.not.stringContaining('jane'),
    });
  });
});
