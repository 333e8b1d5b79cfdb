// Writes what the rule decides: plain INSERT where a range holds nothing yet, insert-and-raise elsewhere. Calls the rule, never restates it.
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, withinRange, withinStored } from './key-range.js';

export interface WriteCounts {
  readonly inserted: number;
  readonly raised: number;
  /** Sum over what was written, as decimal text. */
  readonly totalCredits: string;
}

const TERMS = `org_id, edition, paid, agents, light_agents, negotiated_limit, base_credits, variable_credits, additional_credits,
  legacy_limit, floor, floor_edition, unpaid_since, grandfathered_credits, total_credits, concurrency_limit, winner, rate_card`;
const ROW = TERMS.replace(/(\w+)/gu, 'd.$1');
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

/** First decisions of a range that holds no allotment. A sign-up that slips in raises 23505: then use `raiseAllotments`. */
export async function insertAllotments(tx: CellTransaction, range: RangeOfRun): Promise<number> {
  const { rowCount } = await tx.raw(
    `insert into credit_rollout.allotments (${TERMS}, origin, run_id)
     select ${ROW}, 'migrated', ?::bigint from credit_rollout.decided_first(${RANGE}) d where d.reason is null`,
    [String(range.runId), ...bounds(range), range.cardHash],
  );
  return rowCount ?? 0;
}

/**
 * Reads back what a run has in a range, beside how many orgs the source has there. Cheaper than RETURNING, and the sum is
 * of what is stored. `distinct` only where the source cannot prove that ids are unique.
 */
export async function readWritten(
  tx: CellTransaction,
  range: RangeOfRun,
  unique: boolean,
): Promise<{ readonly orgs: number; readonly written: number; readonly totalCredits: string }> {
  const within = withinRange(range);
  const stored = withinStored(range);
  const { rows } = await tx.raw(
    `select count(*)::int as written, coalesce(sum(total_credits), 0)::text as "totalCredits",
       (select count(${unique ? '*' : 'distinct org_id'})::int from credit_rollout.source_orgs where ${within.sql}) as orgs
     from credit_rollout.allotments where ${stored.sql} and run_id = ?::bigint`,
    [...within.bindings, ...stored.bindings, String(range.runId)],
  );
  return rows[0];
}

const UPDATES = `${TERMS.replace('org_id, ', '')}, run_id`
  .split(',')
  .map((column) => `${column.trim()} = excluded.${column.trim()}`)
  .join(', ');

/** Inserts what is missing and raises what rose; falls stay as they are and are counted by `countDecisions`. */
export async function raiseAllotments(tx: CellTransaction, range: RangeOfRun): Promise<WriteCounts> {
  await tx.raw(
    `select set_config('credit_rollout.cause', 'apply', true), set_config('credit_rollout.run_id', ?, true)`,
    [String(range.runId)],
  );
  const { rows } = await tx.raw(
    `with written as (
       insert into credit_rollout.allotments as a (${TERMS}, origin, run_id)
       select ${ROW}, 'migrated', ?::bigint from credit_rollout.decided(${RANGE}) d
       where d.reason is null and d.movement in ('first', 'raise') order by d.org_id
       on conflict (org_id) do update set ${UPDATES}, computed_at = clock_timestamp()
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
