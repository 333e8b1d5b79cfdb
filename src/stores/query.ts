// Every statement of the stores goes through here: named parameters, typed rows in camelCase. Decides nothing.
import type { Knex } from 'knex';
import { createReplacement, hasBeyondAscii } from './storable-text.js';

/** What a parameter may be. A bigint travels as text: cast it in the statement (`:run_id::bigint`). */
export type SqlValue = string | number | bigint | boolean | Date | null | readonly (string | number | bigint | null)[];

/** By the names that the statement has as `:name`. */
export type SqlValues = Readonly<Record<string, SqlValue>>;

/**
 * The rows of a statement, its columns in camelCase. `Row` says what the statement selects, as the driver gives it:
 * int8 and numeric as text, dates as `YYYY-MM-DD`. A `?` is a binding to knex: write `\\?`. Throws on a name without a
 * value, and on a value whose name the statement does not have: programmer errors.
 */
export async function selectRows<Row extends object>(
  tx: Knex.Transaction,
  sql: string,
  values: SqlValues = {},
): Promise<readonly Row[]> {
  const { rows } = await send(tx, sql, values);
  return toCamelCase<Row>(rows);
}

/** The first row, or undefined when there is none. */
export async function findRow<Row extends object>(
  tx: Knex.Transaction,
  sql: string,
  values: SqlValues = {},
): Promise<Row | undefined> {
  const [row] = await selectRows<Row>(tx, sql, values);
  return row;
}

/** The one row of a statement that always gives one, such as an aggregate. */
export async function selectRow<Row extends object>(
  tx: Knex.Transaction,
  sql: string,
  values: SqlValues = {},
): Promise<Row> {
  const row = await findRow<Row>(tx, sql, values);
  if (row === undefined) throw new Error(`a statement gave no row: ${sql.slice(0, 120)}`);
  return row;
}

/**
 * What `fn` gives, and nothing of what was done meanwhile, by code of somebody else too: a cursor WITH HOLD or a
 * deferred trigger that it left would run at the commit, with the rights of this login.
 */
export async function undone<T>(tx: Knex.Transaction, fn: () => Promise<T>): Promise<T> {
  await execute(tx, 'savepoint foreign_code');
  const found = await fn();
  await execute(tx, 'rollback to savepoint foreign_code; release savepoint foreign_code');
  return found;
}

/** The row of a statement inside which code of somebody else runs, which is undone. */
export const selectRowAndUndo = <Row extends object>(
  tx: Knex.Transaction,
  sql: string,
  values: SqlValues = {},
): Promise<Row> => undone(tx, () => selectRow<Row>(tx, sql, values));

/** Runs a statement that is not read; how many rows it touched. Without values it may be several, in one round trip. */
export async function execute(tx: Knex.Transaction, sql: string, values: SqlValues = {}): Promise<number> {
  const { rowCount } = await send(tx, sql, values);
  return rowCount ?? 0;
}

/**
 * Runs a text that holds names or a query of somebody else: neither a `?` nor a `:name` in it is a parameter. The rows
 * are as the driver gives them; none where the text has several statements.
 */
export async function runVerbatim(tx: Knex.Transaction, sql: string): Promise<Sent['rows']> {
  const { rows } = (await tx.raw(sql.replaceAll('?', '\\?'))) as unknown as Partial<Sent>;
  return rows ?? [];
}

/**
 * Runs a query of somebody else: one SELECT, VALUES or TABLE, and nothing else. The extended protocol rejects a second
 * statement (42601), and a cursor everything that is not a query. Needs a transaction that reads only; at most `limit`
 * rows.
 */
export async function runForeignQuery(tx: Knex.Transaction, sql: string, limit: number): Promise<Sent['rows']> {
  const declared = `declare credit_rollout_query no scroll cursor for ${sql}`;
  await tx.raw(declared.replaceAll('?', '\\?')).options({ queryMode: 'extended' });
  const { rows } = await send(tx, `fetch ${Math.trunc(limit)} from credit_rollout_query`, {});
  return rows;
}

/** A statement as text, its values quoted by the driver: for COPY, which takes no parameters. */
export function inlineValues(tx: Knex.Transaction, sql: string, values: SqlValues): string {
  assertNamed(sql, values);
  return tx.raw(sql, bind(values)).toQuery();
}

interface Sent {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly rowCount: number | null;
}

async function send(tx: Knex.Transaction, sql: string, values: SqlValues): Promise<Sent> {
  assertNamed(sql, values);
  // without values the text goes as it is, also as several statements
  if (Object.keys(values).length === 0) return (await tx.raw(sql)) as unknown as Sent;
  return (await tx.raw(sql, bind(await toStorable(tx, values)))) as unknown as Sent;
}

async function toStorable(tx: Knex.Transaction, values: SqlValues): Promise<SqlValues> {
  const texts = Object.values(values);
  if (!hasBeyondAscii(texts)) return values;
  const replace = await createReplacement(tx.client.config, (sql) => runVerbatim(tx, sql), texts);
  const replaced = (value: SqlValue): SqlValue =>
    typeof value === 'string'
      ? replace(value)
      : Array.isArray(value)
        ? value.map((one) => (typeof one === 'string' ? replace(one) : one))
        : value;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, replaced(value)]));
}

type Bound = Exclude<SqlValue, bigint>;

const bind = (values: SqlValues): Readonly<Record<string, Bound>> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  );

// one colon, and not the second of a cast; knex would also take a `:name` inside quotes for a parameter
const NAMES = /(?<![:\w]):([a-z]\w*)/gu;
const CASTS = /::(\w+)/gu;

interface Names {
  readonly used: ReadonlySet<string>;
  /** The types of its casts. */
  readonly casts: ReadonlySet<string>;
}

// nearly all statements are constants; a statement with names inlined must not stay for ever
const MAX_KEPT = 2_000;
const namesOf = keepResults(
  (sql: string): Names => ({
    used: new Set(Array.from(sql.matchAll(NAMES), ([, name]) => name ?? '')),
    casts: new Set(Array.from(sql.matchAll(CASTS), ([, type]) => type ?? '')),
  }),
);

function keepResults<T>(compute: (text: string) => T): (text: string) => T {
  const kept = new Map<string, T>();
  return (text) => {
    const known = kept.get(text);
    if (known !== undefined) return known;
    if (kept.size >= MAX_KEPT) kept.clear();
    const computed = compute(text);
    kept.set(text, computed);
    return computed;
  };
}

function assertNamed(sql: string, values: SqlValues): void {
  const { used, casts } = namesOf(sql);
  const unknown = Object.keys(values).filter((name) => !used.has(name));
  const missing = [...used].filter((name) => values[name] === undefined);
  // knex would take the type of a cast for the parameter
  const types = Object.keys(values).filter((name) => casts.has(name));
  if (types.length > 0) throw new Error(`parameters named like a type of the statement: ${types.join(', ')}`);
  if (unknown.length + missing.length === 0) return;
  throw new Error(
    `parameters differ from the statement: ${[...unknown, ...missing.map((name) => `:${name}`)].join(', ')}`,
  );
}

/** Rows with their names in camelCase, also those of a JSON list that a statement built; all have the same names. */
export function toCamelCase<Row extends object>(rows: Sent['rows']): readonly Row[] {
  const [first] = rows;
  if (first === undefined) return [];
  const columns = Object.keys(first).map((column) => [column, camelCase(column)] as const);
  if (columns.every(([column, name]) => column === name)) return rows as readonly unknown[] as readonly Row[];
  return rows.map((row) => Object.fromEntries(columns.map(([column, name]) => [name, row[column]])) as Row);
}

const camelCase = keepResults((column) => column.replace(/_([a-z0-9])/gu, (_, letter: string) => letter.toUpperCase()));
