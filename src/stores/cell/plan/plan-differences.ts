// What differs between two plans of a cell in one key range. Reads plans only; the orgs that it names are for the
// person who asks.
import { selectRow, toCamelCase } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import type { KeyRange } from '../key-range.js';
import type { PlanPair, SharedRates } from './compared-plans.js';
import type { OrgImage } from './plan-outcome.js';

/**
 * Why an org gets another outcome: the inputs that changed; else `floor`, or `rates`: the same inputs under another
 * card. `undecidable`, `decidable`: only the newer, or only the older plan cannot decide it. A plan does not store
 * floors: the cause is `floor` where inputs and rates cannot be it.
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

/** An org that changed, with what each plan has of it. */
export interface DifferentOrg {
  readonly orgId: string;
  readonly causes: readonly DifferenceCause[];
  /** Up or down, in credits a day, as decimal text. */
  readonly size: string;
  readonly from: OrgImage;
  readonly to: OrgImage;
}

export interface ComparedPlanRange {
  readonly groups: readonly DifferenceGroup[];
  /** The largest changes first. */
  readonly largest: readonly DifferentOrg[];
}

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

// the rows of one plan inside the bounds; `a` is the older plan, `b` the newer one
const ROWS = (planId: string): string => `(
  select q.* from credit_rollout.plan_ranges r
  cross join lateral credit_rollout.planned(r.plan_id, r.range_no) q, bounds
  where r.plan_id = ${planId} and (bounds.upper_id is null or r.lower_id is null or r.lower_id < bounds.upper_id)
    and (bounds.lower_id is null or r.upper_id is null or r.upper_id > bounds.lower_id)
    and (bounds.lower_id is null or q.org_id >= bounds.lower_id)
    and (bounds.upper_id is null or q.org_id < bounds.upper_id))`;

const SEEN = (row: string): string => `(${COLUMNS.map((column) => `${row}.${column}`).join(', ')})`;
const BOTH = COLUMNS.map((column) => `a.${column} as a_${column}, b.${column} as b_${column}`).join(',\n    ');

const CHANGED = (column: string, name = column): string =>
  `case when a_${column} is distinct from b_${column} then '${name}' end`;

// the inputs that changed; of an undecidable org a plan stores neither edition nor payment nor total
const CHANGED_INPUTS = `array_remove(array[
      case when a_total_credits is not null and b_total_credits is null then 'undecidable'
        when a_total_credits is null and b_total_credits is not null then 'decidable' end,
      case when a_edition <> b_edition then 'edition' end,
      case when a_paid <> b_paid and a_total_credits is not null and b_total_credits is not null then 'paid' end,
      ${CHANGED('agents')}, ${CHANGED('light_agents')}, ${CHANGED('additional_credits')},
      ${CHANGED('negotiated_limit', 'legacy_limit')}], null)`;

const IMAGE = (row: string): string =>
  `jsonb_build_object('edition', ${row}_edition, 'paid', ${row}_paid, 'agents', ${row}_agents::text,
    'light_agents', ${row}_light_agents::text, 'additional_credits', ${row}_additional_credits::text,
    'legacy_limit', ${row}_negotiated_limit::text, 'total_credits', ${row}_total_credits::text,
    'winner', ${row}_winner)`;

const COMPARE = `
with bounds as (
  select :lower_id::credit_rollout.org_id as lower_id, :upper_id::credit_rollout.org_id as upper_id),
compared as (
  select coalesce(a.org_id, b.org_id) as org_id,
    ${BOTH},
    case when a.org_id is null then 'appeared' when b.org_id is null then 'vanished'
      when ${SEEN('a')} is distinct from ${SEEN('b')} then 'changed' else 'moved' end as kind
  from ${ROWS(':from::bigint')} a full join ${ROWS(':to::bigint')} b on b.org_id = a.org_id
  where a.org_id is null or b.org_id is null or ${SEEN('a')} is distinct from ${SEEN('b')}
    or a.movement is distinct from b.movement),
inputs as (
  select *, case when kind <> 'changed' then '{}' else ${CHANGED_INPUTS} end as inputs,
    abs(coalesce(b_total_credits, 0) - coalesce(a_total_credits, 0)) as size
  from compared),
explained as materialized (
  select *, case when kind <> 'changed' or inputs <> '{}' then inputs
    when b_paid and (b_edition = any (:same_rates::text[])
        or b_edition = any (:same_promise::text[]) and a_winner = 'legacy' and b_winner = 'legacy')
      then array['floor'] else array['rates'] end as causes
  from inputs)
select
  (select coalesce(json_agg(g), '[]') from (
    select kind, causes, count(*) as orgs, coalesce(sum(a_total_credits), 0)::text as before,
      coalesce(sum(b_total_credits), 0)::text as after
    from explained group by kind, causes) g) as groups,
  (select coalesce(json_agg(l), '[]') from (
    select org_id::text, causes, size::text, ${IMAGE('a')} as "from", ${IMAGE('b')} as "to"
    from explained where kind = 'changed' and size > :larger_than::bigint
    order by explained.size desc, explained.org_id limit :limit) l) as largest`;

export interface RangeComparison {
  readonly shared: SharedRates;
  /** Only larger changes are listed, at most `limit` of them. */
  readonly largerThan: bigint;
  readonly limit: number;
}

/** What differs in one key range. */
export async function comparePlanRange(
  tx: CellTransaction,
  pair: PlanPair,
  { lowerId, upperId }: KeyRange,
  { shared, largerThan, limit }: RangeComparison,
): Promise<ComparedPlanRange> {
  const { groups, largest } = await selectRow<{
    readonly groups: readonly DifferenceGroup[];
    readonly largest: readonly Readonly<Record<string, unknown>>[];
  }>(tx, COMPARE, {
    lower_id: lowerId,
    upper_id: upperId,
    from: pair.from,
    to: pair.to,
    same_rates: shared.rates,
    same_promise: shared.promise,
    larger_than: largerThan,
    limit,
  });
  return { groups, largest: toCamelCase<DifferentOrg>(largest) };
}
