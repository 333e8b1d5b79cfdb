// Two plans of a cell that are compared: how many orgs they list, in which key ranges, and which rates their cards share.
// Reads plans and cards only.
import type { CellTransaction } from '../cell-database.js';
import type { KeyRange } from '../key-range.js';

/** Two plans, the older one first as a rule. */
export interface PlanPair {
  readonly from: bigint;
  readonly to: bigint;
}

/** Neither plan may vanish half way; a range is compared in memory. Before any query. */
export async function startComparing(tx: CellTransaction): Promise<void> {
  await tx.raw(`set transaction isolation level repeatable read, read only; set local work_mem = '32MB'`);
}

/** How many orgs a plan lists: those that could not even be read are left aside. */
export async function countListedOrgs(tx: CellTransaction, planId: bigint): Promise<number> {
  const { rows } = await tx.raw(
    'select coalesce(sum(cardinality(org_ids)), 0)::float8 as orgs from credit_rollout.plan_groups where plan_id = ?::bigint',
    [String(planId)],
  );
  return rows[0].orgs;
}

// Along the plan with the longer ranges: each range of the other one is then read about once.
const RANGES = `
with coarser as (
  select plan_id from credit_rollout.plan_ranges where plan_id in (?::bigint, ?::bigint) group by plan_id order by count(*), plan_id limit 1),
placed as (
  select r.range_no, r.lower_id, (sum(r.orgs) over (order by r.range_no) - r.orgs) / ?::int as part
  from credit_rollout.plan_ranges r join coarser using (plan_id)),
first as (select *, lag(part) over (order by range_no) as previous from placed)
select lower_id::text as "lowerId", lead(lower_id) over (order by range_no)::text as "upperId"
from first where previous is null or previous <> part order by range_no`;

/** Ranges of about `size` orgs that cover every id together, in order. */
export async function listComparedRanges(
  tx: CellTransaction,
  pair: PlanPair,
  size: number,
): Promise<readonly KeyRange[]> {
  return (await tx.raw(RANGES, [String(pair.from), String(pair.to), size])).rows;
}

/** Editions that two cards treat alike. */
export interface SharedRates {
  /** Both halves are the same: there only the floor makes another total. */
  readonly rates: readonly string[];
  /** The legacy half is the same: where it wins in both plans, another total is another floor. */
  readonly promise: readonly string[];
}

export async function readSharedRates(
  tx: CellTransaction,
  cards: { readonly from: string; readonly to: string },
): Promise<SharedRates> {
  const { rows } = await tx.raw(
    `select o.edition, (o.base, o.per_agent) = (n.base, n.per_agent) as rates
     from credit_rollout.rates o join credit_rollout.rates n on n.edition = o.edition and n.card_hash = ?
       join credit_rollout.rate_cards oc on oc.card_hash = o.card_hash join credit_rollout.rate_cards nc on nc.card_hash = n.card_hash
     where o.card_hash = ? and oc.light_agents_count_as_users = nc.light_agents_count_as_users
       and (o.legacy_flat, o.legacy_per_user, o.legacy_min, o.legacy_max)
         is not distinct from (n.legacy_flat, n.legacy_per_user, n.legacy_min, n.legacy_max)`,
    [cards.to, cards.from],
  );
  const alike: readonly { readonly edition: string; readonly rates: boolean }[] = rows;
  return {
    rates: alike.filter(({ rates }) => rates).map(({ edition }) => edition),
    promise: alike.map(({ edition }) => edition),
  };
}
