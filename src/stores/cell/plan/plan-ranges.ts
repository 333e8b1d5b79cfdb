// Reads key ranges under the rule and keeps them as part of a plan: inputs and outcome of every org in columns, a digest of
// each, and the counts of the report, in one statement. Calls the rule, never restates it.
import type { CellTransaction } from '../cell-database.js';
import { rowHash } from '../hashes.js';
import { type KeyRange, withinRange } from '../key-range.js';
import { type CountedGroup, GROUPS_AS_JSON, groupCounts, groupOfRow, IN_GROUP } from './plan-groups.js';
import { BEFORE, firstOfGroups, LIST_NAMES, type ListName, type RankedOrg } from './plan-lists.js';

/** Over the orgs that are to be written: how many, their totals, their hashes. Decimal text. */
export interface PlanSums {
  readonly touched: string;
  readonly credits: string;
  readonly digest: string;
}

/** The ranges that one statement planned, together. */
export interface PlannedRange {
  /** Zeros for a what-if. */
  readonly sums: PlanSums;
  readonly groups: readonly CountedGroup[];
  readonly ranked: readonly RankedOrg[];
  readonly protectedTouched: number;
}

export interface RangeQuestion {
  /** Null: a what-if, nothing is stored. */
  readonly planId: bigint | null;
  /** Number of the first range; the others follow it. */
  readonly firstNo: number;
  readonly cardHash: string;
  /** The card's editions, in the order of their places. */
  readonly editions: readonly string[];
  /** `decided_first` where nothing stands in the ranges. */
  readonly rule: 'decided' | 'decided_first';
  /** The source proves that ids are unique. */
  readonly unique: boolean;
  /** The source has peak_credits. */
  readonly usage: boolean;
  /** Some org of the cell is protected. */
  readonly protects: boolean;
  /** Only orgs that rank below are listed. */
  readonly ranks: Readonly<Record<ListName, number>>;
}

// one for each id, or a doubled id would meet itself
const PEAKS = (unique: boolean, within: string): string =>
  `select ${unique ? '' : 'distinct on (org_id)'} org_id, peak_credits from credit_rollout.source_orgs where ${within}
   ${unique ? '' : 'order by org_id'}`;

// OFFSET 0: what the rule says is computed once, however often it is used
const DECIDED = ({ rule, unique, usage, protects }: RangeQuestion, peaks: string): string => `
  select ${unique ? '' : 'distinct on (d.org_id)'} d.*${usage ? ', u.peak_credits as peak' : ''}${protects ? ', p.org_id as protected' : ''}
  from (
    select r.*, r.base_credits + r.variable_credits as plan_credits, ${BEFORE} as before
    from credit_rollout.${rule}(?::credit_rollout.org_id, ?::credit_rollout.org_id, null, ?) r offset 0
  ) d
  ${usage ? `left join (${PEAKS(unique, peaks)}) u on u.org_id = d.org_id` : ''}
  ${protects ? 'left join credit_rollout.protected_orgs p on p.org_id = d.org_id' : ''}
  ${unique ? '' : 'order by d.org_id'}`;

const isNarrow = (column: string): string => `d.${column} between -2147483647 and 2147483647`;

// Every column of a group in the order in which its rows come. Its branch says of the last three whether all its orgs have
// one, or none; undecidable ones have no branch.
const COLUMNS = `,
    sum(${rowHash('d')}) as digest, array_agg(d.org_id) as org_ids,
    array_agg(case when ${isNarrow('agents')} then d.agents::int end) as agents,
    array_agg(case when ${isNarrow('light_agents')} then d.light_agents::int end)
      filter (where d.light_agents > 0 or d.reason is not null) as light_agents,
    array_agg(d.additional_credits) filter (where d.additional_credits > 0 or d.reason is not null) as additional_credits,
    array_agg(d.negotiated_limit) filter (where d.negotiated_limit is not null or d.reason is not null) as negotiated_limits,
    array_agg(d.total_credits) as total_credits,
    jsonb_object_agg(d.org_id::text, jsonb_build_array(d.agents, d.light_agents))
      filter (where not (${isNarrow('agents')} and ${isNarrow('light_agents')})) as wide`;

// MATERIALIZED: several readers share it
const GROUPED = (question: RangeQuestion, ranges: number, lists: readonly ListName[], peaks: string): string => `
grouped as materialized (
  select ${groupOfRow(question.editions, ranges)} as key, d.reason, ${groupCounts(lists)},
    ${question.protects ? 'count(d.protected)' : '0'} as protected${question.planId === null ? '' : COLUMNS}
  from (${DECIDED(question, peaks)}) d
  group by 1, d.reason
)`;

const touched = (sum: string): string => `coalesce(${sum} filter (where ${IN_GROUP.touched}), 0)`;
const decided = (value: string): string => `case when g.reason is null then ${value} end`;

const STORED = (ranges: number): string => `
columns as (
  insert into credit_rollout.plan_groups (plan_id, range_no, group_no, edition, paid, winner, movement, org_ids, agents,
    light_agents, additional_credits, negotiated_limits, total_credits, wide)
  select ?::bigint, ?::int + (${IN_GROUP.rangeNo}), row_number() over (), (?::text[])[${IN_GROUP.editionNo}], ${IN_GROUP.paid},
    ${decided(IN_GROUP.winner)}, ${decided(IN_GROUP.movement)}, g.org_ids, g.agents, g.light_agents,
    g.additional_credits, g.negotiated_limits, ${decided('g.total_credits')}, g.wide
  from grouped g
), stored as (
  insert into credit_rollout.plan_ranges (plan_id, range_no, lower_id, upper_id, orgs, touched, touched_credits, digest)
  select ?::bigint, ?::int + r.no, r.lower_id, r.upper_id, coalesce(sum(g.orgs), 0),
    ${touched('sum(g.orgs)')}, ${touched('sum(g.after)')}, ${touched('sum(g.digest)')}
  from (values ${Array.from({ length: ranges }, (_, no) => `(${no}, ?::credit_rollout.org_id, ?::credit_rollout.org_id)`).join(', ')})
    r (no, lower_id, upper_id)
  left join grouped g on ${IN_GROUP.rangeNo} = r.no
  group by r.no, r.lower_id, r.upper_id
  returning touched, touched_credits, digest
), summed as (
  select sum(touched)::text as touched, sum(touched_credits)::text as credits, sum(digest)::text as digest from stored
)`;

// of undecidable orgs the ranks mean nothing; a raise is one that is written
const firstOf = (list: ListName): string => firstOfGroups(list, list === 'raise' ? IN_GROUP.touched : IN_GROUP.decided);

const PROTECTED = `(select ${touched('sum(g.protected)')} from grouped g)::int`;

/** A range of which nothing can be read: it is there, so that the ranges cover every id, and says nothing. */
export async function insertUnreadableRange(
  tx: CellTransaction,
  range: KeyRange,
  { planId, rangeNo }: { readonly planId: bigint; readonly rangeNo: number },
): Promise<void> {
  await tx.raw(
    `insert into credit_rollout.plan_ranges (plan_id, range_no, lower_id, upper_id, orgs, touched, touched_credits, digest)
     values (?::bigint, ?, ?::credit_rollout.org_id, ?::credit_rollout.org_id, 1, 0, 0, 0)`,
    [String(planId), rangeNo, range.lowerId, range.upperId],
  );
}

export const NO_SUMS: PlanSums = { touched: '0', credits: '0', digest: '0' };

/** Plans consecutive ranges, at most 16; stores them when the question names a plan. */
export async function planKeyRange(
  tx: CellTransaction,
  ranges: readonly KeyRange[],
  question: RangeQuestion,
): Promise<PlannedRange> {
  const whole = { lowerId: ranges[0]?.lowerId ?? null, upperId: ranges.at(-1)?.upperId ?? null };
  const within = withinRange(whole);
  const lists = LIST_NAMES.filter((list) => list !== 'short' || question.usage);
  const { planId, firstNo } = question;
  const place = [String(planId), firstNo];
  const { rows } = await tx.raw(
    `with ${GROUPED(question, ranges.length, lists, within.sql)}${planId === null ? '' : `,${STORED(ranges.length)}`}
     select (${GROUPS_AS_JSON}) as groups, ${lists.map(firstOf).join(', ')}, ${planId === null ? 'null' : '(select to_json(s) from summed s)'} as sums,
       ${question.protects ? PROTECTED : '0'} as protected_touched`,
    [
      ...ranges.slice(0, -1).map(({ upperId }) => upperId),
      ...lists.map((list) => question.ranks[list]),
      ...[whole.lowerId, whole.upperId, question.cardHash],
      ...(question.usage ? within.bindings : []),
      ...(planId === null
        ? []
        : [
            ...place,
            [...question.editions],
            ...place,
            ...ranges.flatMap(({ lowerId, upperId }) => [lowerId, upperId]),
          ]),
    ],
  );
  const { groups, sums, protected_touched: protectedTouched, ...found } = rows[0];
  return {
    groups,
    ranked: lists.flatMap((list) => found[list] ?? []),
    sums: sums ?? NO_SUMS,
    protectedTouched,
  };
}
