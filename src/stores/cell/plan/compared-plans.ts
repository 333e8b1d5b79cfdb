// What a comparison of two plans of a cell needs beside their differences: how many orgs each lists, the key ranges to
// compare, and the rates that their cards have in common. Reads plans and cards only.
import { execute, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import type { KeyRange } from '../key-range.js';

/** Two plans, the older one first as a rule. */
export interface PlanPair {
  readonly from: bigint;
  readonly to: bigint;
}

/** One snapshot, so that neither plan is deleted half way; memory enough to compare a range in it. Before any query. */
export async function startComparing(tx: CellTransaction): Promise<void> {
  await execute(tx, `set transaction isolation level repeatable read, read only; set local work_mem = '32MB'`);
}

/** How many orgs a plan lists, without those that could not even be read. */
export async function countListedOrgs(tx: CellTransaction, planId: bigint): Promise<number> {
  const { orgs } = await selectRow<{ readonly orgs: number }>(
    tx,
    `select coalesce(sum(cardinality(org_ids)), 0)::float8 as orgs
     from credit_rollout.plan_groups where plan_id = :plan_id::bigint`,
    { plan_id: planId },
  );
  return orgs;
}

// Cut at the ranges of the plan that has longer ones: each range of the other plan is then read about once.
const RANGES = `
with coarser as (
  select plan_id from credit_rollout.plan_ranges where plan_id in (:from::bigint, :to::bigint)
  group by plan_id order by count(*), plan_id limit 1),
placed as (
  select r.range_no, r.lower_id, (sum(r.orgs) over (order by r.range_no) - r.orgs) / :size::int as part
  from credit_rollout.plan_ranges r join coarser using (plan_id)),
first as (select *, lag(part) over (order by range_no) as previous from placed)
select lower_id::text, lead(lower_id) over (order by range_no)::text as upper_id
from first where previous is null or previous <> part order by range_no`;

/** Ranges of about `size` orgs that cover every id together, in order. */
export async function listComparedRanges(
  tx: CellTransaction,
  pair: PlanPair,
  size: number,
): Promise<readonly KeyRange[]> {
  return selectRows<KeyRange>(tx, RANGES, { from: pair.from, to: pair.to, size });
}

/** Editions that two cards treat alike. */
export interface SharedRates {
  /** Both halves are the same: only another floor can give another total. */
  readonly rates: readonly string[];
  /** The legacy half is the same: where it wins in both plans, another total means another floor. */
  readonly promise: readonly string[];
}

export async function readSharedRates(
  tx: CellTransaction,
  cards: { readonly from: string; readonly to: string },
): Promise<SharedRates> {
  const alike = await selectRows<{ readonly edition: string; readonly rates: boolean }>(
    tx,
    `select o.edition, (o.base, o.per_agent) = (n.base, n.per_agent) as rates
     from credit_rollout.rates o
       join credit_rollout.rates n on n.edition = o.edition and n.card_hash = :to
       join credit_rollout.rate_cards oc on oc.card_hash = o.card_hash
       join credit_rollout.rate_cards nc on nc.card_hash = n.card_hash
     where o.card_hash = :from and oc.light_agents_count_as_users = nc.light_agents_count_as_users
       and (o.legacy_flat, o.legacy_per_user, o.legacy_min, o.legacy_max)
         is not distinct from (n.legacy_flat, n.legacy_per_user, n.legacy_min, n.legacy_max)`,
    { from: cards.from, to: cards.to },
  );
  return {
    rates: alike.filter(({ rates }) => rates).map(({ edition }) => edition),
    promise: alike.map(({ edition }) => edition),
  };
}
