// Reads one key range under the rule and keeps it as part of a plan: inputs and outcome of every org in columns, a digest,
// and the counts of the report, in one statement. Calls the rule, never restates it.
import type { PlannedOrg } from '../../domain/plan/plan-report.js';
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, withinRange } from './key-range.js';
import { branchOfRow } from './plan-branch.js';
import { rowHash } from './row-hash.js';

export const PLAN_MOVEMENTS = ['same', 'first', 'raise', 'fall'] as const;
export type PlanMovement = (typeof PLAN_MOVEMENTS)[number];

/** Lower ends of the histogram's bars, in percent of the capacity before; the first bar is open at the bottom. */
export const CHANGE_EDGES = [-50, -10, 0, 0, 10, 50, 100, 200, 500, 1_000] as const;
const LAST_FALLING_BAR = 2;

/** Orgs of one range that share branch, movement, reason and bar. Sums as decimal text. */
export interface PlanGroup {
  /** Place in the card's editions, from 1; 0: not decided. */
  readonly editionNo: number;
  readonly flags: number;
  readonly movement: PlanMovement;
  /** Why they are undecidable; null: decided. */
  readonly reason: string | null;
  readonly bar: number;
  readonly orgs: number;
  readonly before: string;
  readonly after: string;
  readonly planCredits: string;
  readonly grandfathered: string;
  readonly falling: number;
  readonly raiseFactor: number | null;
  readonly floorOverPlan: number | null;
  /** Paid orgs whose peak exceeds their total. */
  readonly short: number;
}

/** An org that the report names, and what it is listed for. */
export interface ListedOrg extends PlannedOrg {
  readonly list: 'raise' | 'floor' | 'short';
  readonly additional: string;
  readonly peak: string | null;
  /** What the list is ordered by, ascending. */
  readonly rank: number;
}

/** Over the orgs that are to be written: how many, their totals, their hashes. Decimal text. */
export interface PlanSums {
  readonly touched: string;
  readonly credits: string;
  readonly digest: string;
}

export interface PlannedRange {
  /** Zeros for a what-if. */
  readonly sums: PlanSums;
  readonly groups: readonly PlanGroup[];
  readonly listed: readonly ListedOrg[];
  readonly protectedTouched: number;
}

export interface RangeQuestion {
  /** Null: a what-if, nothing is stored. */
  readonly planId: bigint | null;
  readonly rangeNo: number;
  readonly cardHash: string;
  /** The card's editions; their places are what is stored. */
  readonly editions: readonly string[];
  /** `decided_first` where nothing stands in the range. */
  readonly rule: 'decided' | 'decided_first';
  /** The source proves that ids are unique. */
  readonly unique: boolean;
  /** The source has peak_credits. */
  readonly usage: boolean;
  /** Some org of the cell is protected. */
  readonly protects: boolean;
  /** Only orgs that rank below are listed. */
  readonly ranks: Readonly<Record<ListedOrg['list'], number>>;
}

const MAX = '9223372036854775807';

const MOVEMENT = `case when d.reason is not null then 3 when d.movement = 'first' then 1 when d.movement = 'raise' then 2
      when d.movement = 'fall' then 4 else 0 end`;

/** Capacity now. */
const BEFORE = `coalesce(r.prior_total,
      case when r.legacy_limit <= ${MAX} - r.additional_credits then r.legacy_limit + r.additional_credits else ${MAX} end)`;

// OFFSET 0: what the rule says is computed once, however often it is used. MATERIALIZED because several readers share it;
// fixed widths only, and what they group by packed into numbers, which hash fastest
const DECIDED = ({ rule, unique, usage, editions, planId }: RangeQuestion, peaks: string): string => `
decided as materialized (
  select ${unique ? '' : 'distinct on (d.org_id)'} d.org_id, d.agents, d.light_agents, d.additional_credits, d.negotiated_limit,
    d.plan_credits, d.legacy_limit, d.floor, d.grandfathered_credits, d.total_credits, d.before, d.reason,
    case when d.reason is null then ${branchOfRow(editions)} else 0 end as branch, ${MOVEMENT} as movement,
    (d.total_credits - d.before)::float8 / greatest(d.before, 1) as change,
    ${planId === null ? '' : `case when d.reason is null then ${rowHash('d')} end as hash,`}
    ${usage ? 'u.peak_credits' : 'null::bigint'} as peak
  from (
    select r.*, r.base_credits + r.variable_credits as plan_credits, ${BEFORE} as before
    from credit_rollout.${rule}(?::credit_rollout.org_id, ?::credit_rollout.org_id, null, ?) r offset 0
  ) d
  ${usage ? `left join (select org_id, peak_credits from credit_rollout.source_orgs where ${peaks}) u on u.org_id = d.org_id` : ''}
  ${unique ? '' : 'order by d.org_id'}
)`;

const TOUCHED = 'd.movement between 1 and 2';
const PAID = 'd.branch & 1 = 1';
const NARROW = '2147483647';
const COLUMN = (value: string): string => `coalesce(array_agg(${value}), '{}')`;

// kind: the bits of plan_ranges.kinds
const STORED = `
stored as (
  insert into credit_rollout.plan_ranges (plan_id, range_no, lower_id, upper_id, orgs, touched, touched_credits, digest, editions,
    org_ids, kinds, agents, light_agents, additional_credits, negotiated_limits, total_credits, wide)
  select ?::bigint, ?::int, ?::credit_rollout.org_id, ?::credit_rollout.org_id, count(*), count(*) filter (where ${TOUCHED}),
    coalesce(sum(d.total_credits) filter (where ${TOUCHED}), 0), coalesce(sum(d.hash) filter (where ${TOUCHED}), 0),
    ?::text[], ${COLUMN('d.org_id')},
    ${COLUMN(`((d.branch >> 8 << 6) | (d.branch & 3) | case d.movement when 1 then 4 when 2 then 8 when 4 then 16 when 3 then 32 else 0 end)::smallint`)},
    ${COLUMN(`case when d.agents <= ${NARROW} then d.agents::int end`)},
    ${COLUMN(`case when d.light_agents <= ${NARROW} then d.light_agents::int end`)},
    ${COLUMN('nullif(d.additional_credits, 0)')}, ${COLUMN('d.negotiated_limit')},
    ${COLUMN('case when d.movement <> 3 then d.total_credits end')},
    jsonb_object_agg(d.org_id::text, jsonb_build_array(d.agents, d.light_agents))
      filter (where d.agents > ${NARROW} or d.light_agents > ${NARROW})
  from decided d
  returning touched::text, touched_credits::text as credits, digest::text
)`;

// what it says of undecidable orgs beside their number means nothing, and is left out in toGroup
const GROUPS = `
select coalesce(json_agg(g), '[]') from (
  select d.branch, d.movement, d.reason,
    width_bucket(d.change, '{-0.5,-0.1,0,1e-12,0.1,0.5,1,2,5,10}'::float8[]) as bar,
    count(*) as orgs, sum(d.before)::text as before, sum(d.total_credits)::text as after,
    sum(d.plan_credits)::text as "planCredits", sum(d.grandfathered_credits)::text as grandfathered, max(d.change) as change,
    max(case when ${PAID} and d.negotiated_limit is null then d.floor::float8 / greatest(d.plan_credits, 1) end) as "floorOverPlan",
    count(d.peak) filter (where ${PAID} and d.peak > d.total_credits) as short
  from decided d group by d.branch, d.movement, d.reason, 4) g`;

const LISTS = {
  raise: { rank: '(d.before - d.total_credits)::float8', where: `${TOUCHED} and d.total_credits > d.before` },
  floor: {
    rank: '(d.plan_credits - d.floor)::float8 / greatest(d.floor, 1)',
    where: `${PAID} and d.plan_credits >= d.floor`,
  },
  short: {
    rank: '(d.total_credits - d.peak)::float8',
    where: `${PAID} and d.peak > d.total_credits`,
  },
} as const;

// one scan finds what could be listed at all, which is next to nothing once the lists are full
const HITS = `
hits as materialized (
  select d.* from decided d
  where (${LISTS.raise.where} and ${LISTS.raise.rank} < ?::float8)
    or (${LISTS.floor.where} and ${LISTS.floor.rank} < ?::float8)
    or (${LISTS.short.where} and ${LISTS.short.rank} < ?::float8)
)`;

const list = (name: ListedOrg['list']): string => `
(select '${name}' as list, d.org_id::text as "orgId", (?::text[])[d.branch >> 8] as edition, ${PAID} as paid, d.agents::text, d.before::text, d.total_credits::text as after,
   d.plan_credits::text as "planCredits", d.legacy_limit::text as "legacyLimit", d.additional_credits::text as additional,
   d.floor::text, d.peak::text, ${LISTS[name].rank} as rank
 from hits d where ${LISTS[name].where} order by rank limit 20)`;

const LISTED = `
select coalesce(json_agg(l), '[]') from (${list('raise')} union all ${list('floor')} union all ${list('short')}) l`;

const PROTECTED = `
select count(*) from credit_rollout.protected_orgs p join decided d on d.org_id = p.org_id where ${TOUCHED}`;

interface StoredGroup extends Omit<PlanGroup, 'editionNo' | 'flags' | 'movement' | 'falling' | 'raiseFactor'> {
  readonly branch: number;
  readonly movement: number;
  /** The largest change of an org, as a share of what it had before. */
  readonly change: number | null;
}

const UNDECIDED = {
  before: '0',
  after: '0',
  planCredits: '0',
  grandfathered: '0',
  floorOverPlan: null,
  short: 0,
  bar: 0,
};

function toGroup({ branch, movement, change, ...group }: StoredGroup): PlanGroup {
  const moves = movement === 1 ? 'first' : movement === 2 ? 'raise' : movement === 4 ? 'fall' : 'same';
  const touched = moves === 'first' || moves === 'raise';
  return {
    ...group,
    ...(group.reason === null ? {} : UNDECIDED),
    editionNo: branch >> 8,
    flags: branch & 255,
    movement: moves,
    falling: group.reason === null && group.bar <= LAST_FALLING_BAR ? group.orgs : 0,
    raiseFactor: touched && change !== null && change > 0 ? change + 1 : null,
  };
}

/** A range of which nothing can be read: it is there, so that the ranges cover every id, and says nothing. */
export async function insertUnreadableRange(
  tx: CellTransaction,
  range: KeyRange,
  { planId, rangeNo }: { readonly planId: bigint; readonly rangeNo: number },
): Promise<void> {
  await tx.raw(
    `insert into credit_rollout.plan_ranges (plan_id, range_no, lower_id, upper_id, orgs, touched, touched_credits, digest, editions,
       org_ids, kinds, agents, light_agents, additional_credits, negotiated_limits, total_credits)
     values (?::bigint, ?, ?::credit_rollout.org_id, ?::credit_rollout.org_id, 1, 0, 0, 0, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')`,
    [String(planId), rangeNo, range.lowerId, range.upperId],
  );
}

export const NO_SUMS: PlanSums = { touched: '0', credits: '0', digest: '0' };

/** Plans one range; stores it when the question names a plan. */
export async function planRange(tx: CellTransaction, range: KeyRange, question: RangeQuestion): Promise<PlannedRange> {
  const within = withinRange(range);
  const { planId, editions, ranks } = question;
  const bounds = [range.lowerId, range.upperId];
  const { rows } = await tx.raw(
    `with ${DECIDED(question, within.sql)}${planId === null ? '' : `,${STORED}`},${HITS}
     select (${GROUPS}) as groups, (${LISTED}) as listed, ${planId === null ? 'null' : '(select to_json(s) from stored s)'} as sums,
       ${question.protects ? `(${PROTECTED})::int` : '0'} as protected_touched`,
    [
      ...bounds,
      question.cardHash,
      ...(question.usage ? within.bindings : []),
      ...(planId === null ? [] : [String(planId), question.rangeNo, ...bounds, [...editions]]),
      ranks.raise,
      ranks.floor,
      ranks.short,
      ...Object.keys(LISTS).map(() => [...editions]),
    ],
  );
  const { groups, listed, sums, protected_touched: protectedTouched } = rows[0];
  return { groups: groups.map(toGroup), listed, sums: sums ?? NO_SUMS, protectedTouched };
}
