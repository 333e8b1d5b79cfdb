// What a freshly initialised database has of ours: relations with their columns, types and comments. Reads only.

/** Runs one statement and returns its rows. */
export type ReadSql = (text: string, params?: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>;

export interface SchemaColumn {
  readonly name: string;
  readonly type: string;
  /** `comment on column`; null: none. */
  readonly comment: string | null;
}

export interface Relation {
  /** With its schema, such as `credit_rollout.fence`. */
  readonly name: string;
  readonly columns: readonly SchemaColumn[];
}

const COLUMNS = `
select n.nspname || '.' || c.relname as relation, a.attname as name, col_description(c.oid, a.attnum) as comment,
  replace(replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'),
    'credit_rollout.org_id', 'org_id') as type
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm') order by 1, a.attnum`;

const FUNCTIONS = `
select p.proname as name, min(obj_description(p.oid, 'pg_proc')) as comment
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = $1 group by 1 order by 1`;

/** Tables and views of a schema by name, each with its columns in order. */
export async function readRelations(sql: ReadSql, schema: string): Promise<readonly Relation[]> {
  const rows = await sql(COLUMNS, [schema]);
  const names = [...new Set(rows.map(({ relation }) => String(relation)))];
  return names.map((name) => ({
    name,
    columns: rows.filter(({ relation }) => relation === name).map(toColumn),
  }));
}

/** Functions of a schema by name, with the text of `comment on function`. */
export async function readFunctions(
  sql: ReadSql,
  schema: string,
): Promise<readonly { readonly name: string; readonly comment: string | null }[]> {
  return (await sql(FUNCTIONS, [schema])).map(({ name, comment }) => ({
    name: String(name),
    comment: typeof comment === 'string' ? comment : null,
  }));
}

const toColumn = ({ name, type, comment }: Record<string, unknown>): SchemaColumn => ({
  name: String(name),
  type: String(type),
  comment: typeof comment === 'string' ? comment : null,
});
