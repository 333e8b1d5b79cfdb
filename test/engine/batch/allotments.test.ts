// What the cell's own tables reject, whoever writes: a floor that falls, a history that changes, a role that reaches
// too far.
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CELL_ROLES, cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { applyAll, createTestCell, type TestCell } from '../../support/cell.js';
import { fillCell } from '../../support/fleet.js';
import { expectInvariants } from '../../support/invariants.js';

let cell: TestCell;

beforeAll(async () => {
  cell = await createTestCell();
  await fillCell(cell, 300);
  await applyAll(cell, { batchSize: 100 });
});
afterAll(() => cell.drop());

/** The SQLSTATE that a statement ends with in a transaction of its own, rolled back; undefined: it went through. */
async function rejectionOf(statement: string, role?: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: cell.url });
  await client.connect();
  try {
    await client.query(`begin${role === undefined ? '' : `; set local role ${pg.escapeIdentifier(role)}`}`);
    await client.query(statement);
    return undefined;
  } catch (error) {
    return String((error as { code?: unknown }).code);
  } finally {
    await client.query('rollback');
    await client.end();
  }
}

describe('allotments', () => {
  // org 2 is standard, paid and has a floor
  test.each([
    ['lowers a floor', 'update credit_rollout.allotments set floor = floor - 1 where org_id = 2'],
    ['clears a floor', 'update credit_rollout.allotments set floor = null, floor_edition = null where org_id = 2'],
    ['moves a row to another org', 'update credit_rollout.allotments set org_id = 99999 where org_id = 2'],
  ])('rejects manual SQL that %s', async (_what, statement) => {
    expect(await rejectionOf(statement)).toBe('23001');
  });

  test.each([
    [
      'falls below its floor',
      'update credit_rollout.allotments set grandfathered_credits = -1, total_credits = base_credits + variable_credits - 1 + additional_credits, base_credits = 0 where org_id = 2',
    ],
    [
      'has a total that is no sum',
      'update credit_rollout.allotments set total_credits = total_credits + 1 where org_id = 2',
    ],
    ['has an unknown winner', `update credit_rollout.allotments set winner = 'nobody' where org_id = 2`],
    ['has a floor without its edition', 'update credit_rollout.allotments set floor_edition = null where org_id = 2'],
  ])('rejects a row that %s', async (_what, statement) => {
    expect(await rejectionOf(statement)).toBe('23514');
  });

  test.each([
    ['allotments', 'truncate credit_rollout.allotments'],
    ['allotments, by cascade', 'truncate credit_rollout.allotments cascade'],
    ['allotment_changes', 'truncate credit_rollout.allotment_changes'],
    ['rates', 'truncate credit_rollout.rates'],
  ])('rejects to truncate %s', async (_what, statement) => {
    expect(await rejectionOf(statement)).toBe('23001');
  });

  test.each([
    ['update', 'update credit_rollout.allotment_changes set cause = cause'],
    ['delete', 'delete from credit_rollout.allotment_changes'],
    ['rates update', 'update credit_rollout.rates set base = base + 1'],
    ['rate card delete', 'delete from credit_rollout.rate_cards'],
  ])('keeps history append-only: %s', async (_what, statement) => {
    expect(await rejectionOf(statement)).toBe('23001');
  });

  test('records every manual edit and delete with its before-image, and counts versions', async () => {
    await cell.sql(
      'update credit_rollout.allotments set additional_credits = additional_credits + 7, total_credits = total_credits + 7 where org_id = 3',
    );
    await cell.sql(
      'update credit_rollout.allotments set additional_credits = additional_credits + 1, total_credits = total_credits + 1 where org_id = 3',
    );
    await cell.sql('delete from credit_rollout.allotments where org_id = 4');
    expect(await cell.sql('select version from credit_rollout.allotments where org_id = 3')).toEqual([{ version: 3 }]);
    expect(
      await cell.sql(
        `select org_id, operation, cause, version, (before ->> 'version')::int as was, run_id from credit_rollout.allotment_changes order by change_id`,
      ),
    ).toEqual([
      { org_id: '3', operation: 'update', cause: 'manual edit', version: 1, was: 1, run_id: null },
      { org_id: '3', operation: 'update', cause: 'manual edit', version: 2, was: 2, run_id: null },
      { org_id: '4', operation: 'delete', cause: 'manual edit', version: 1, was: 1, run_id: null },
    ]);
    await applyAll(cell, { batchSize: 100 });
    await expectInvariants({ cells: [{ id: cell.dataCenter.id, sql: cell.sql }], except: ['I22'] });
  });

  test('lets a floor fall with a named cause to what the rule gives, and to nothing else', async () => {
    const worker = cellRoleName(cell.dataCenter.id, 'worker');
    const fall = (cause: string, floor: string, as?: string): Promise<string | undefined> =>
      rejectionOf(
        `select set_config('credit_rollout.cause', '${cause}', true);
        update credit_rollout.allotments a set edition = d.edition, base_credits = d.base_credits,
          variable_credits = d.variable_credits, legacy_limit = d.legacy_limit, floor = ${floor},
          floor_edition = d.floor_edition, grandfathered_credits = d.grandfathered_credits,
          total_credits = d.total_credits, winner = d.winner, concurrency_limit = d.concurrency_limit
        from credit_rollout.decided(null, null, array[2]::credit_rollout.org_id[], null) d where a.org_id = 2`,
        as,
      );
    await cell.sql(`update public.orgs set edition = 'free' where org_id = 2`);
    await cell.sql('update credit_rollout.fence set single_writes = true');
    for (const cause of ['override', 'undo', 'because', 'manual edit'])
      for (const as of [undefined, worker]) expect(await fall(cause, 'd.floor', as)).toBe('23001');
    for (const floor of ['d.floor - 1', 'null']) expect(await fall('edition', floor, worker)).toBe('23001');
    expect(await fall('edition', 'd.floor', worker)).toBe(undefined);
    await cell.sql('update credit_rollout.fence set single_writes = false');
  });

  test('the epoch of a fence never goes back', async () => {
    expect(await rejectionOf('update credit_rollout.fence set epoch = epoch - 1')).toBe('23001');
  });
});

describe('the role worker', () => {
  const as = (statement: string): Promise<string | undefined> =>
    rejectionOf(statement, cellRoleName(cell.dataCenter.id, 'worker'));

  test.each([
    'update public.orgs set agents = 1',
    'delete from public.orgs',
    'insert into public.orgs (org_id) values (-5)',
    'select from public.orgs for share',
    'truncate public.orgs',
    'lock table public.orgs in share mode',
    'delete from credit_rollout.allotments',
    'truncate credit_rollout.allotments',
    'delete from credit_rollout.batches',
    `insert into credit_rollout.batches (run_id, batch_no) values (1, 9999)`,
    'update credit_rollout.fence set epoch = epoch + 1',
    'update credit_rollout.fence set run_id = 7',
    `update credit_rollout.runs set state = 'done'`,
    'insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes) select 77, kind, card_hash, 1, 1 from credit_rollout.runs limit 1',
    'update credit_rollout.cell set active_card = null',
    'insert into credit_rollout.rate_cards select * from credit_rollout.rate_cards limit 0',
    'update credit_rollout.gate set latched_at = now()',
    'insert into credit_rollout.sign_ups select * from credit_rollout.sign_ups limit 0',
    'delete from credit_rollout.quarantine',
    'insert into credit_rollout.allotment_changes (org_id, operation, cause, version, before) select 1, $$update$$, $$x$$, 1, $${}$$',
    'update credit_rollout.allotment_changes set cause = cause',
    'delete from credit_rollout.allotment_changes',
    'truncate credit_rollout.allotment_changes',
    'alter table credit_rollout.allotments disable trigger all',
    `set session_replication_role = 'replica'`,
    'drop table credit_rollout.allotments',
    `copy credit_rollout.allotments to program 'true'`,
    'create table credit_rollout.mine ()',
  ])('may not: %s', async (statement) => {
    expect(await as(statement)).toBe('42501');
  });

  test('may read what was stored before, which the canary is held against', async () => {
    expect(await as('select * from credit_rollout.allotment_changes')).toBe(undefined);
  });
});

describe('the role fencer', () => {
  test.each([
    'select from credit_rollout.source_orgs',
    'select from credit_rollout.allotments',
    'select from public.orgs',
    'select from credit_rollout.decided',
    'select from credit_rollout.allotment_changes',
    'select lower_id from credit_rollout.batches',
    'select upper_id from credit_rollout.batches',
    'select org_id from credit_rollout.quarantine',
    'select inputs from credit_rollout.quarantine',
    'update credit_rollout.batches set lower_id = null',
    'insert into credit_rollout.allotments select * from credit_rollout.allotments limit 0',
    `select credit_rollout.split_batch(1, 1)`,
  ])('may not: %s', async (statement) => {
    expect(await rejectionOf(statement, cellRoleName(cell.dataCenter.id, 'fencer'))).toBe('42501');
  });
});

describe('the roles planner and reader', () => {
  test.each(['planner', 'reader'] as const)('%s writes nothing', async (role) => {
    for (const table of ['allotments', 'batches', 'quarantine', 'fence', 'runs', 'allotment_changes', 'cell'])
      for (const statement of [
        `delete from credit_rollout.${table}`,
        `insert into credit_rollout.${table} default values`,
      ])
        expect([statement, await rejectionOf(statement, cellRoleName(cell.dataCenter.id, role))]).toEqual([
          statement,
          '42501',
        ]);
  });

  test('no role can log in, create or own anything', async () => {
    const names = CELL_ROLES.map((role) => cellRoleName(cell.dataCenter.id, role));
    expect(
      await cell.sql(
        `select rolname from pg_roles where rolname = any ($1) and (rolcanlogin or rolsuper or rolcreaterole or rolcreatedb or rolbypassrls)`,
        [names],
      ),
    ).toEqual([]);
    expect(
      await cell.sql(
        `select relname from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname = any ($1)`,
        [names],
      ),
    ).toEqual([]);
  });
});
