// Two plans of a cell against each other, one key range at a time, from their columns. Reads plans only; the orgs that it
// names are for the person who asks.
import type { CellTransaction } from './cell-database.js';
import type { KeyRange } from './key-range.js';
import type { OrgImage } from './plan-outcome.js';

/**
 * Why an org comes out otherwise: the inputs that changed; else `floor`, or `rates`: the same inputs under another card.
 * `undecidable`, `decidable`: only the newer, or only the older plan cannot decide it. A plan does not keep floors: `floor`
 * is what is left where the rates cannot be the reason.
 */
export const DIFFERENCE_CAUSES = [
  'undecidable',
  'decidable',
  'edition',
  'paid',
  'agents',
  'light_agents',
  'additional_credits',
  'legacy_limit',
  'floor',
  'rates',
] as const;
export type DifferenceCause = (typeof DIFFERENCE_CAUSES)[number];

/** `moved`: the same inputs and outcome, but only one of the plans writes it, as after an apply between them. */
export type DifferenceKind = 'appeared' | 'vanished' | 'changed' | 'moved';

/** Orgs that differ alike. Sums of planned totals in credits a day, as decimal text; an undecidable org counts 0. */
export interface DifferenceGroup {
  readonly kind: DifferenceKind;
  /** Empty unless `changed`. */
  readonly causes: readonly DifferenceCause[];
  readonly orgs: number;
  readonly before: string;
  readonly after: string;
}

/** An org that changed, with what both plans say of it. */
export interface DifferentOrg {
  readonly orgId: string;
  readonly causes: readonly DifferenceCause[];
  /** Up or down, in credits a day, as decimal text. */
  readonly size: string;
  readonly from: OrgImage;
  readonly to: OrgImage;
}

export interface ComparedRange {
  readonly groups: readonly DifferenceGroup[];
  /** The largest changes first. */
  readonly largest: readonly DifferentOrg[];
}

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

const ROWS = `(
  select q.* from credit_rollout.plan_ranges r cross join lateral credit_rollout.planned(r.plan_id, r.range_no) q, bounds
  where r.plan_id = ?::bigint and (bounds.upper_id is null or r.lower_id is null or r.lower_id < bounds.upper_id)
    and (bounds.lower_id is null or r.upper_id is null or r.upper_id > bounds.lower_id)
    and (bounds.lower_id is null or q.org_id >= bounds.lower_id) and (bounds.upper_id is null or q.org_id < bounds.upper_id))`;

const SEEN = (row: string): string => `(${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents,
  ${row}.additional_credits, ${row}.negotiated_limit, ${row}.total_credits, ${row}.winner)`;

const IMAGE = (row: string): string =>
  `jsonb_build_object('edition', ${row}_edition, 'paid', ${row}_paid, 'agents', ${row}_agents::text,
    'light_agents', ${row}_light_agents::text, 'additional_credits', ${row}_additional_credits::text,
    'legacy_limit', ${row}_negotiated_limit::text, 'total_credits', ${row}_total_credits::text, 'winner', ${row}_winner)`;

const COLUMNS = [
  'edition',
  'paid',
  'agents',
  'light_agents',
  'additional_credits',
  'negotiated_limit',
  'total_credits',
  'winner',
] as const;
const both = COLUMNS.map((column) => `a.${column} as a_${column}, b.${column} as b_${column}`).join(', ');
const changed = (column: string, name = column): string =>
  `case when a_${column} is distinct from b_${column} then '${name}' end`;

// of an undecidable org a plan keeps neither edition nor payment nor total
const COMPARE = `
with bounds as (select ?::credit_rollout.org_id as lower_id, ?::credit_rollout.org_id as upper_id),
compared as (
  select coalesce(a.org_id, b.org_id) as org_id, ${both},
    case when a.org_id is null then 'appeared' when b.org_id is null then 'vanished'
      when ${SEEN('a')} is distinct from ${SEEN('b')} then 'changed' else 'moved' end as kind
  from ${ROWS} a full join ${ROWS} b on b.org_id = a.org_id
  where a.org_id is null or b.org_id is null or ${SEEN('a')} is distinct from ${SEEN('b')} or a.movement is distinct from b.movement
), inputs as (
  select *, case when kind <> 'changed' then '{}' else array_remove(array[
      case when a_total_credits is not null and b_total_credits is null then 'undecidable'
           when a_total_credits is null and b_total_credits is not null then 'decidable' end,
      case when a_edition <> b_edition then 'edition' end,
      case when a_paid <> b_paid and a_total_credits is not null and b_total_credits is not null then 'paid' end, ${changed('agents')}, ${changed('light_agents')},
      ${changed('additional_credits')}, ${changed('negotiated_limit', 'legacy_limit')}], null) end as inputs,
    abs(coalesce(b_total_credits, 0) - coalesce(a_total_credits, 0)) as size
  from compared
), explained as materialized (
  select *, case when kind <> 'changed' or inputs <> '{}' then inputs
    when b_paid and (b_edition = any (?::text[]) or b_edition = any (?::text[]) and a_winner = 'legacy' and b_winner = 'legacy')
      then array['floor'] else array['rates'] end as causes
  from inputs)
select
  (select coalesce(json_agg(g), '[]') from (
    select kind, causes, count(*) as orgs, coalesce(sum(a_total_credits), 0)::text as before,
      coalesce(sum(b_total_credits), 0)::text as after
    from explained group by kind, causes) g) as groups,
  (select coalesce(json_agg(l), '[]') from (
    select org_id::text as "orgId", causes, size::text, ${IMAGE('a')} as "from", ${IMAGE('b')} as "to"
    from explained where kind = 'changed' and size > ?::bigint order by explained.size desc, explained.org_id limit ?) l) as largest`;

export interface RangeComparison {
  readonly shared: SharedRates;
  /** Only larger changes are listed, at most `most` of them. */
  readonly largerThan: bigint;
  readonly most: number;
}

/** What differs in one key range. */
export async function compareRange(
  tx: CellTransaction,
  pair: PlanPair,
  { lowerId, upperId }: KeyRange,
  { shared, largerThan, most }: RangeComparison,
): Promise<ComparedRange> {
  const { rows } = await tx.raw(COMPARE, [
    lowerId,
    upperId,
    String(pair.from),
    String(pair.to),
    [...shared.rates],
    [...shared.promise],
    String(largerThan),
    most,
  ]);
  return rows[0];
}
