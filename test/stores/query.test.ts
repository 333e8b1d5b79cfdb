// What every statement of the stores goes through, on a real server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPostgres } from '../../src/platform/postgres.js';
import {
  execute,
  findRow,
  inlineValues,
  runVerbatim,
  selectRow,
  selectRows,
  toCamelCase,
} from '../../src/stores/query.js';
import { adminUrl } from '../support/postgres.js';

let db: ReturnType<typeof openPostgres>;
beforeAll(() => {
  db = openPostgres({ url: adminUrl(), applicationName: 'query-test', max: 1 });
});
afterAll(() => db.destroy());

const inside = <T>(fn: (tx: Parameters<typeof selectRows>[0]) => Promise<T>): Promise<T> => db.transaction(fn);

describe('named parameters', () => {
  test('may be beside casts, more than once, in any order', async () => {
    const sql = `select :second::text as second, :first::bigint + 1 as first_one, :second::text || '!' as "again"`;
    const row = await inside((tx) => selectRow(tx, sql, { first: 2n ** 62n, second: 'b' }));
    expect(row).toEqual({ second: 'b', firstOne: String(2n ** 62n + 1n), again: 'b!' });
  });

  test('may be lists, null, booleans and numbers', async () => {
    const sql = `select :ids::text[] as ids, :nothing::text as nothing, :flag::boolean as flag, :n::int as n`;
    const row = await inside((tx) => selectRow(tx, sql, { ids: ['a', "b'"], nothing: null, flag: true, n: 3 }));
    expect(row).toEqual({ ids: ['a', "b'"], nothing: null, flag: true, n: 3 });
  });

  test('colons of texts, times and slices are none', async () => {
    const sql = `select to_char(time '12:30', 'HH24:MI') as at, (array[1, 2, 3])[2:3] as some, :x::int as x`;
    expect(await inside((tx) => selectRow(tx, sql, { x: 1 }))).toEqual({ at: '12:30', some: [2, 3], x: 1 });
  });

  test.each([
    ['a name without a value', 'select :run_id::bigint', {}, 'parameters differ from the statement: :run_id'],
    ['a value without a name', 'select 1', { run_id: 1 }, 'parameters differ from the statement: run_id'],
    ['a misspelt name', 'select :run::bigint', { run_id: 1 }, 'parameters differ from the statement: run_id, :run'],
    ['the name of a type', 'select :text::text', { text: 'a' }, 'parameters named like a type of the statement: text'],
  ] as const)('%s is rejected before anything is sent', async (_, sql, values, message) => {
    await expect(inside((tx) => selectRows(tx, sql, values))).rejects.toThrow(message);
  });
});

describe('a text that somebody else wrote', () => {
  test('goes as it is, whatever it holds', async () => {
    const sql = `select '? :name' as "a :name?"`;
    expect(await inside((tx) => runVerbatim(tx, sql))).toEqual([{ 'a :name?': '? :name' }]);
  });

  test('of several statements gives no rows', async () => {
    expect(await inside((tx) => runVerbatim(tx, 'select 1 as one; select 2 as two'))).toEqual([]);
  });
});

describe('a statement as text', () => {
  const sql = 'select :one::text as one, :two::bigint as two, :none::text as none';

  test('has its values in it, quoted', async () => {
    const text = await inside(async (tx) => inlineValues(tx, sql, { one: "it's :two?", two: 2n ** 62n, none: null }));
    expect(text).toBe(`select 'it''s :two?'::text as one, '${2n ** 62n}'::bigint as two, NULL::text as none`);
  });

  test('has every parameter replaced', async () => {
    await expect(inside(async (tx) => inlineValues(tx, sql, { one: 'a', two: 1 }))).rejects.toThrow(': :none');
  });
});

describe('rows', () => {
  test('of a JSON list come in camelCase too', () => {
    expect(toCamelCase([{ org_id: '1', to: { org_id: 2 } }])).toEqual([{ orgId: '1', to: { org_id: 2 } }]);
    expect(toCamelCase([])).toEqual([]);
  });

  test('come in camelCase, those of JSON as they are', async () => {
    const sql = `select 1 as batch_no, '{"batch_no": 1}'::jsonb as some_json union all select 2, null order by 1`;
    expect(await inside((tx) => selectRows(tx, sql))).toEqual([
      { batchNo: 1, someJson: { batch_no: 1 } },
      { batchNo: 2, someJson: null },
    ]);
  });

  test('are counted when they are not read', async () => {
    const counts = await inside(async (tx) => [
      await execute(tx, 'create temporary table kept (n int) on commit drop; insert into kept values (0)'),
      await execute(tx, 'insert into kept select generate_series(1, :last::int)', { last: 3 }),
      await execute(tx, 'update kept set n = n where n > :over::int', { over: 1 }),
    ]);
    expect(counts.slice(1)).toEqual([3, 2]);
  });

  test('none is undefined, or an error where there is always one', async () => {
    expect(await inside((tx) => findRow(tx, 'select 1 as one where false'))).toBeUndefined();
    await expect(inside((tx) => selectRow(tx, 'select 1 as one where false'))).rejects.toThrow('gave no row');
  });
});
