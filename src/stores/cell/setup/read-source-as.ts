// How `doctor` reads the source as a role of ours or of the product. The code of a view runs there, and `SET ROLE` does
// not restrict it: `RESET ROLE` leads back to the login. The login of `init` could give away everything, so it reads
// through a function that belongs to the role; inside such a function nobody changes roles. All of it is undone.
import type { Knex } from 'knex';
import {
  execute,
  inlineValues,
  runForeignQuery,
  runVerbatim,
  type SqlValues,
  selectRow,
  selectRows,
  toCamelCase,
  undone,
} from '../../query.js';
import { type CellDatabase, cellOwnerName, cellSourceRoleName } from '../cell-database.js';

type Row = Readonly<Record<string, unknown>>;

/** What is asked as the role. Values come as JSON has them: cast to text what must be exact. */
export interface SourceReader {
  rows<R extends object>(sql: string, values?: SqlValues): Promise<readonly R[]>;
  /** A query of somebody else, which reads only. */
  foreign(sql: string, limit: number): Promise<readonly Row[]>;
}

/** SQL: true where this login is a superuser, gives roles, or owns what is ours. */
const STRONG = `select r.rolsuper or r.rolcreaterole or exists (
    select from pg_roles o where o.rolname in (:owner, :source) and pg_has_role(r.oid, o.oid, 'member')) as strong
  from pg_roles r where r.rolname = session_user`;

const limitsSql = (statementMs: number): string => `
set local statement_timeout = ${Math.trunc(statementMs)};
set local max_parallel_workers_per_gather = 0;
set local jit = off`;

/** Runs `fn` as `role`, and keeps nothing of what was done meanwhile. `role`: its name on the server. */
export async function readSourceAs<T>(
  cell: CellDatabase,
  role: string,
  fn: (reader: SourceReader) => Promise<T>,
  { statementMs = 2_000 }: { readonly statementMs?: number } = {},
): Promise<T> {
  return cell.asOwner(async (tx) => {
    const { strong } = await selectRow<{ readonly strong: boolean }>(tx, STRONG, {
      owner: cellOwnerName(cell.dataCenter),
      source: cellSourceRoleName(cell.dataCenter),
    });
    return undone(tx, async () => {
      const { quoted } = await selectRow<{ readonly quoted: string }>(tx, 'select quote_ident(:role) as quoted', {
        role,
      });
      if (strong) {
        await runVerbatim(tx, `${askAsSql(quoted)};${limitsSql(statementMs)}`);
        return fn(askByFunction(tx));
      }
      await runVerbatim(tx, `set local role ${quoted};${limitsSql(statementMs)}`);
      return fn(askDirectly(tx));
    });
  });
}

// whoever gets a function must be allowed to create in its schema, for this moment
const askAsSql = (role: string): string => `
create function credit_rollout.ask_as(query text, most integer) returns setof json language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  asked refcursor; found_row record;
begin
  open asked for execute query;
  for number in 1..most loop
    fetch asked into found_row;
    exit when not found;
    return next to_json(found_row);
  end loop;
end $$;
grant usage, create on schema credit_rollout to ${role};
alter function credit_rollout.ask_as(text, integer) owner to ${role};
revoke create on schema credit_rollout from ${role}`;

const MAX_ROWS = 1_000;

function askByFunction(tx: Knex.Transaction): SourceReader {
  const ask = async (query: string, most: number): Promise<readonly Row[]> => {
    const rows = await selectRows<{ readonly value: Row }>(
      tx,
      'select a.value from credit_rollout.ask_as(:query::text, :most::integer) a (value)',
      { query, most },
    );
    return rows.map(({ value }) => value);
  };
  return {
    rows: async <R extends object>(sql: string, values: SqlValues = {}) =>
      toCamelCase<R>(await ask(inlineValues(tx, sql, values), MAX_ROWS)),
    foreign: async (sql, limit) => {
      await readOnly(tx);
      return ask(sql, limit);
    },
  };
}

const askDirectly = (tx: Knex.Transaction): SourceReader => ({
  rows: (sql, values) => selectRows(tx, sql, values),
  foreign: async (sql, limit) => {
    await readOnly(tx);
    return runForeignQuery(tx, sql, limit);
  },
});

async function readOnly(tx: Knex.Transaction): Promise<void> {
  await execute(tx, 'set transaction read only');
  // the first snapshot: from here on nothing can make the transaction write
  await execute(tx, 'select');
}
