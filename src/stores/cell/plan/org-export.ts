// Every org of a cell with what the rule gives for it, as CSV by COPY, range by range. The rows go to the person who
// asked, never to a log or to control. Reads only; never holds more than one range.
import { Readable } from 'node:stream';
import { to as copyTo } from 'pg-copy-streams';
import { FORMULA, LEADING_CONTROL, NEGATIVE_NUMBER } from '../../../kernel/csv.js';
import { isRowFailure } from '../../postgres-failure.js';
import { execute, inlineValues, type SqlValues, selectRow } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import type { KeyRange } from '../key-range.js';
import { findSourceRangeEnd } from '../source-ranges.js';
import { listUnreadable } from '../unreadable.js';

/**
 * Few, so that the buffers of a range are freed soon: those that live longer pile up until a full garbage collection.
 */
const RANGE_ORGS = 2_000;
/** A slow disk at the other end may leave the transaction idle between two ranges for so long. */
const IDLE_MS = 60_000;
const MAX = '9223372036854775807';

/** The type of the cell's ids: only text can be mistaken for a formula. */
type IdKind = 'text' | 'other';

interface ExportColumn {
  readonly name: string;
  readonly sql: string;
}

const input = (name: string): ExportColumn => ({ name, sql: `d.${name}` });
/** The terms of an undecidable org mean nothing: they stay empty. */
const term = (name: string): ExportColumn => ({ name, sql: `case when d.reason is null then d.${name} end` });

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** What a spreadsheet would run as a formula gets an apostrophe in front. */
const inert = (text: string): string =>
  `case when ${text} !~ ${literal(`${FORMULA}|${LEADING_CONTROL}`)} or ${text} ~ ${literal(NEGATIVE_NUMBER)}
    then ${text}
    else regexp_replace(regexp_replace(${text}, ${literal(FORMULA)}, ${literal(String.raw`\1'\2\3`)}, 'g'),
      ${literal(LEADING_CONTROL)}, ${literal(String.raw`'\1`)}) end`;

// the allotment, else the legacy number and purchases; numeric, since that sum may leave bigint
const BEFORE = `case
    when d.prior_total is not null then d.prior_total
    when d.reason is null or d.reason = 'overflow' and d.legacy_limit <= ${MAX} - d.additional_credits
      then d.legacy_limit::numeric + d.additional_credits
  end`;

const columnsFor = (ids: IdKind): readonly ExportColumn[] => [
  { name: 'org_id', sql: ids === 'text' ? inert('d.org_id::text') : 'd.org_id::text' },
  { name: 'edition', sql: inert('d.edition') },
  { name: 'paid', sql: 'd.paid::text' },
  input('agents'),
  input('light_agents'),
  input('negotiated_limit'),
  input('additional_credits'),
  term('base_credits'),
  term('variable_credits'),
  term('grandfathered_credits'),
  term('legacy_limit'),
  term('floor'),
  term('total_credits'),
  { name: 'before_credits', sql: BEFORE },
  { name: 'change_credits', sql: `case when d.reason is null then d.total_credits - ${BEFORE} end` },
  term('winner'),
  term('movement'),
  input('reason'),
];

/** The columns of the export, in order. */
export const EXPORT_COLUMNS: readonly string[] = columnsFor('text').map(({ name }) => name);

/**
 * CSV of every org, with a line of titles, in the order of ids; one line per id. It reads inside `tx`, which stays open
 * until the stream has closed and should be REPEATABLE READ; run nothing else on it meanwhile. An org that cannot be
 * read has the reason `unreadable` and no inputs. The stream fails with the database's own error.
 */
export async function streamOrgs(tx: CellTransaction, cardHash: string): Promise<Readable> {
  await execute(tx, `set local idle_in_transaction_session_timeout = ${IDLE_MS}`);
  const scope = { cardHash, ids: await readIdKind(tx) };
  return Readable.from(listChunks(tx, scope), { objectMode: false });
}

interface Scope {
  readonly cardHash: string;
  readonly ids: IdKind;
}

async function readIdKind(tx: CellTransaction): Promise<IdKind> {
  const { isText } = await selectRow<{ readonly isText: boolean }>(
    tx,
    `select b.typcategory = 'S' as is_text from pg_type d join pg_type b on b.oid = d.typbasetype
     where d.oid = 'credit_rollout.org_id'::regtype`,
  );
  return isText ? 'text' : 'other';
}

async function* listChunks(tx: CellTransaction, scope: Scope): AsyncGenerator<Buffer> {
  yield Buffer.from(`${EXPORT_COLUMNS.join(',')}\n`);
  let lowerId: string | null = null;
  do {
    const from: string | null = lowerId;
    const upperId: string | null = await findSourceRangeEnd(tx, from, { size: RANGE_ORGS, mode: 'careful' });
    // the whole range is in memory before anything of it is passed on: a reader that stops leaves no COPY half read
    yield* await readRange(tx, scope, { lowerId: from, upperId });
    lowerId = upperId;
  } while (lowerId !== null);
}

// A savepoint, so that an org that cannot be read ends only its own range. Not knex's: each of its nested transactions
// holds on to the one before and to what that returned, which would be the whole list.
async function readRange(tx: CellTransaction, scope: Scope, range: KeyRange): Promise<readonly Buffer[]> {
  await execute(tx, 'savepoint org_export');
  try {
    const chunks = await copyRange(tx, scope, range);
    await execute(tx, 'release savepoint org_export');
    return chunks;
  } catch (error) {
    if (!isRowFailure(error)) throw error;
    await execute(tx, 'rollback to savepoint org_export');
    const unreadable = await listUnreadable(tx, range);
    if (unreadable.length === 0) throw error;
    return readAround(tx, scope, range, unreadable);
  }
}

/** The parts between the ids that cannot be read, and a line for each of these, in order. */
async function readAround(
  tx: CellTransaction,
  scope: Scope,
  range: KeyRange,
  unreadable: readonly string[],
): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = [];
  let lowerId: string | null = range.lowerId;
  for (const id of unreadable) {
    chunks.push(...(await readRange(tx, scope, { lowerId, upperId: id })), ...(await copyUnreadable(tx, scope, id)));
    lowerId = await findSourceRangeEnd(tx, id, { size: 1, mode: 'careful' });
    if (lowerId === null) return chunks;
  }
  return [...chunks, ...(await readRange(tx, scope, { lowerId, upperId: range.upperId }))];
}

// ORDER BY more than the id: which line of a duplicate is shown must not depend on chance
const copyRange = (tx: CellTransaction, { cardHash, ids }: Scope, range: KeyRange): Promise<readonly Buffer[]> =>
  copy(
    tx,
    `select distinct on (d.org_id) ${columnsFor(ids)
      .map(({ sql }) => sql)
      .join(', ')}
     from credit_rollout.decided(:lower_id::credit_rollout.org_id, :upper_id::credit_rollout.org_id, null, :card_hash) d
     order by d.org_id, d.edition, d.paid, d.agents, d.light_agents, d.additional_credits, d.negotiated_limit`,
    { lower_id: range.lowerId, upper_id: range.upperId, card_hash: cardHash },
  );

const copyUnreadable = (tx: CellTransaction, { ids }: Scope, id: string): Promise<readonly Buffer[]> =>
  copy(
    tx,
    `select ${columnsFor(ids)
      .map(({ name, sql }) => (name === 'org_id' ? sql : name === 'reason' ? `'unreadable'` : 'null'))
      .join(', ')} from (select :id::credit_rollout.org_id as org_id) d`,
    { id },
  );

interface CopyConnection {
  query(copy: ReturnType<typeof copyTo>): Readable;
}

async function copy(tx: CellTransaction, query: string, values: SqlValues): Promise<readonly Buffer[]> {
  const sql = inlineValues(tx, `copy (${query}) to stdout (format csv, encoding 'UTF8')`, values);
  const connection: CopyConnection = await tx.client.acquireConnection();
  const chunks: Buffer[] = [];
  for await (const chunk of connection.query(copyTo(sql))) chunks.push(chunk);
  return chunks;
}
