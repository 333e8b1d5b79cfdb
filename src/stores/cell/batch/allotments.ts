// Writes what the rule decides: plain INSERT where a range holds nothing yet, insert-and-raise elsewhere. Calls the rule, never restates it.
import type { CellTransaction } from '../cell-database.js';
import { rowHash } from '../hashes.js';
import { type KeyRange, withinRange, withinStored } from '../key-range.js';

export interface WriteCounts {
  readonly inserted: number;
  readonly raised: number;
  /** Sum over what was written, as decimal text. */
  readonly totalCredits: string;
}

/** What the rule gives and an allotment holds, in one order. */
export const CREDIT_TERMS = `org_id, edition, paid, agents, light_agents, negotiated_limit, base_credits, variable_credits, additional_credits,
  legacy_limit, floor, floor_edition, unpaid_since, grandfathered_credits, total_credits, concurrency_limit, winner, rate_card`;
const ROW = CREDIT_TERMS.replace(/(\w+)/gu, 'd.$1');
const RANGE = '?::credit_rollout.org_id, ?::credit_rollout.org_id, null, ?';
export interface RangeOfRun extends KeyRange {
  readonly runId: bigint;
  readonly cardHash: string;
}

const bounds = (range: KeyRange): readonly [string | null, string | null] => [range.lowerId, range.upperId];

/**
 * Whether any org of the range has an allotment; then the plain INSERT would collide. ORDER BY keeps it on the index, and
 * count() keeps the ORDER BY: for EXISTS Postgres may scan the table for a match, and reads all of it where there is none.
 */
export async function hasAllotments(tx: CellTransaction, range: KeyRange): Promise<boolean> {
  const within = withinRange(range);
  const { rows } = await tx.raw(
    `select count(*) > 0 as found from (select from credit_rollout.allotments where ${within.sql} order by org_id limit 1) first_one`,
    within.bindings,
  );
  return rows[0].found;
}

/** More than any canary has in a range. */
const MAX_OWN = 512;

/**
 * What a range holds already, when all of it was written by the run itself, which is its canary; undefined when anything
 * else stands there. By the index, as `hasAllotments`.
 */
export async function listOwnAllotments(
  tx: CellTransaction,
  range: KeyRange & { readonly runId: bigint },
): Promise<readonly string[] | undefined> {
  const within = withinRange(range);
  const { rows } = await tx.raw(
    `select org_id::text as id, run_id is not distinct from ?::bigint as own from credit_rollout.allotments where ${within.sql}
     order by org_id limit ${MAX_OWN}`,
    [String(range.runId), ...within.bindings],
  );
  const all: readonly { readonly id: string; readonly own: boolean }[] = rows;
  return all.length < MAX_OWN && all.every(({ own }) => own) ? all.map(({ id }) => id) : undefined;
}

/**
 * First decisions of a range that holds no allotment but of `own` orgs. A sign-up that slips in raises 23505: then use
 * `raiseAllotments`.
 */
export async function insertAllotments(
  tx: CellTransaction,
  range: RangeOfRun,
  own: readonly string[] = [],
): Promise<number> {
  const { rowCount } = await tx.raw(
    `insert into credit_rollout.allotments (${CREDIT_TERMS}, origin, run_id)
     select ${ROW}, 'migrated', ?::bigint from credit_rollout.decided_first(${RANGE}) d where d.reason is null
       ${own.length === 0 ? '' : 'and d.org_id <> all (?::credit_rollout.org_id[])'}`,
    [String(range.runId), ...bounds(range), range.cardHash, ...(own.length === 0 ? [] : [[...own]])],
  );
  return rowCount ?? 0;
}

export interface WrittenRange {
  readonly orgs: number;
  readonly written: number;
  /** Decimal text. */
  readonly totalCredits: string;
  /** Over what the run has in the range, as a plan's; null unless asked for. */
  readonly digest: string | null;
}

/**
 * Reads back what a run has in a range, beside how many orgs the source has there. Cheaper than RETURNING, and the sum is
 * of what is stored. `distinct` only where the source cannot prove that ids are unique.
 */
export async function readWrittenRange(
  tx: CellTransaction,
  range: RangeOfRun,
  { unique, pinned }: { readonly unique: boolean; readonly pinned: boolean },
): Promise<WrittenRange> {
  const within = withinRange(range);
  const stored = withinStored(range);
  const { rows } = await tx.raw(
    `select count(*)::int as written, coalesce(sum(total_credits), 0)::text as "totalCredits",
       ${pinned ? `coalesce(sum(${rowHash('allotments')}), 0)::text` : 'null'} as digest,
       (select count(${unique ? '*' : 'distinct org_id'})::int from credit_rollout.source_orgs where ${within.sql}) as orgs
     from credit_rollout.allotments where ${stored.sql} and run_id = ?::bigint`,
    [...within.bindings, ...stored.bindings, String(range.runId)],
  );
  return rows[0];
}

/** Sum over what a run has in a range beside these orgs, as decimal text. */
export async function sumWritten(
  tx: CellTransaction,
  range: KeyRange & { readonly runId: bigint },
  except: readonly string[],
): Promise<string> {
  const stored = withinStored(range);
  const { rows } = await tx.raw(
    `select coalesce(sum(total_credits), 0)::text as total from credit_rollout.allotments
     where ${stored.sql} and run_id = ?::bigint and org_id <> all (?::credit_rollout.org_id[])`,
    [...stored.bindings, String(range.runId), [...except]],
  );
  return rows[0].total;
}

export const CREDIT_UPDATES = `${CREDIT_TERMS.replace('org_id, ', '')}, run_id`
  .split(',')
  .map((column) => `${column.trim()} = excluded.${column.trim()}`)
  .join(', ');

/** Names the cause of what this transaction changes, for the before-images. */
export async function setCause(tx: CellTransaction, cause: string, runId: bigint): Promise<void> {
  await tx.raw(`select set_config('credit_rollout.cause', ?, true), set_config('credit_rollout.run_id', ?, true)`, [
    cause,
    String(runId),
  ]);
}

/** Inserts what is missing and raises what rose; falls stay as they are and are counted by `countDecisions`. */
export async function raiseAllotments(tx: CellTransaction, range: RangeOfRun): Promise<WriteCounts> {
  await setCause(tx, 'apply', range.runId);
  const { rows } = await tx.raw(
    `with written as (
       insert into credit_rollout.allotments as a (${CREDIT_TERMS}, origin, run_id)
       select ${ROW}, 'migrated', ?::bigint from credit_rollout.decided(${RANGE}) d
       where d.reason is null and d.movement in ('first', 'raise') order by d.org_id
       on conflict (org_id) do update set ${CREDIT_UPDATES}, computed_at = clock_timestamp()
         where excluded.total_credits >= a.total_credits and (a.floor is null or excluded.floor >= a.floor)
       returning total_credits, xmax = 0 as fresh)
     select count(*) filter (where fresh)::int as inserted, count(*) filter (where not fresh)::int as raised,
       coalesce(sum(total_credits), 0)::text as "totalCredits" from written`,
    [String(range.runId), ...bounds(range), range.cardHash],
  );
  return rows[0];
}

/** What the rule says of a range beside what was written: undecidable orgs, and falls left as they are. */
export async function countDecisions(
  tx: CellTransaction,
  range: RangeOfRun,
): Promise<{ orgs: number; quarantined: number; falls: number }> {
  const { rows } = await tx.raw(
    `select count(distinct d.org_id)::int as orgs, count(distinct d.org_id) filter (where d.reason is not null)::int as quarantined,
       count(*) filter (where d.reason is null and d.movement = 'fall')::int as falls
     from credit_rollout.decided(${RANGE}) d`,
    [...bounds(range), range.cardHash],
  );
  return rows[0];
}

/** Sets aside every undecidable org of a range with its reason and inputs; an allotment it may have stays untouched. */
export async function quarantineOrgs(
  tx: CellTransaction,
  range: RangeOfRun,
  rule: 'decided' | 'decided_first',
): Promise<number> {
  const { rowCount } = await tx.raw(
    `insert into credit_rollout.quarantine (run_id, org_id, reason, inputs)
     select distinct on (d.org_id) ?::bigint, d.org_id, d.reason, jsonb_build_object('edition', d.edition, 'paid', d.paid, 'agents', d.agents,
       'light_agents', d.light_agents, 'additional_credits', d.additional_credits, 'legacy_limit', d.negotiated_limit)
     from credit_rollout.${rule}(${RANGE}) d where d.reason is not null order by d.org_id
     on conflict (run_id, org_id) do nothing`,
    [String(range.runId), ...bounds(range), range.cardHash],
  );
  return rowCount ?? 0;
}

/** The last resort for a row whose columns cannot even be read (22xxx down to one org). */
export async function quarantineUnreadable(tx: CellTransaction, range: RangeOfRun): Promise<number> {
  const within = withinRange(range, 's.org_id');
  const { rowCount } = await tx.raw(
    `insert into credit_rollout.quarantine (run_id, org_id, reason, inputs)
     select distinct ?::bigint, s.org_id, 'unreadable', '{}'::jsonb from credit_rollout.source_orgs s where ${within.sql}
     on conflict (run_id, org_id) do nothing`,
    [String(range.runId), ...within.bindings],
  );
  return rowCount ?? 0;
}

// Locks on the rows of allotments, ascending so that two of them never wait for each other. What is read in the next statement
// is what is written on.

/** An override that is being approved is waited for. */
export async function lockAllotments(tx: CellTransaction, orgIds: readonly string[]): Promise<void> {
  await tx.raw(
    'select from credit_rollout.allotments where org_id = any (?::credit_rollout.org_id[]) order by org_id for update',
    [[...orgIds]],
  );
}
