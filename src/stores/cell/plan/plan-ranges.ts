// Reads key ranges under the rule and stores them as part of a plan: inputs and outcome of every org in columns, a
// digest of each range, and the counts of the report, in one statement. Calls the rule, never restates it.
import { execute, selectRow, toCamelCase } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { rowHash } from '../hashes.js';
import { type KeyRange, rangeCondition } from '../key-range.js';
import { editionValues } from './plan-branch.js';
import {
  boundValues,
  type CountedGroup,
  GROUPS_AS_JSON,
  groupCounts,
  groupOfRow,
  IN_GROUP,
  rangeBound,
} from './plan-groups.js';
import { BEFORE, firstOfGroups, LIST_NAMES, type ListName, type RankedOrg, rankValues } from './plan-lists.js';

/** Sums over the orgs that are to be written: how many, their totals, their hashes. Decimal text. */
export interface PlanSums {
  readonly touched: string;
  readonly credits: string;
  readonly digest: string;
}

/** The sums and groups of all ranges that one statement planned. */
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
  /** `decided_first` where the ranges hold no allotment. */
  readonly rule: 'decided' | 'decided_first';
  /** The source proves that ids are unique. */
  readonly unique: boolean;
  /** The source has peak_credits. */
  readonly usage: boolean;
  /** Some org of the cell is protected. */
  readonly protects: boolean;
  /** A list takes only orgs that rank below its limit. */
  readonly ranks: Readonly<Record<ListName, number>>;
}

/** What the statement's text depends on. */
interface Shape {
  readonly question: RangeQuestion;
  readonly lists: readonly ListName[];
  /** How many ranges it plans. */
  readonly count: number;
  /** Condition on the org_id of the source. */
  readonly within: string;
}

// at most one row for each id, or a duplicated id would be counted twice
const PEAKS = ({ question: { unique }, within }: Shape): string => `
    select ${unique ? '' : 'distinct on (org_id)'} org_id, peak_credits from credit_rollout.source_orgs where ${within}
    ${unique ? '' : 'order by org_id'}`;

// OFFSET 0: what the rule gives is computed once, however often it is used
const DECIDED = (shape: Shape): string => {
  const { rule, unique, usage, protects } = shape.question;
  return `
  select ${unique ? '' : 'distinct on (d.org_id)'} d.*
    ${usage ? ', u.peak_credits as peak' : ''}${protects ? ', p.org_id as protected' : ''}
  from (
    select r.*, r.base_credits + r.variable_credits as plan_credits, ${BEFORE} as before
    from credit_rollout.${rule}(${rangeBound(0, shape.count)}, ${rangeBound(shape.count, shape.count)},
      null, :card_hash) r offset 0
  ) d
  ${usage ? `left join (${PEAKS(shape)}) u on u.org_id = d.org_id` : ''}
  ${protects ? 'left join credit_rollout.protected_orgs p on p.org_id = d.org_id' : ''}
  ${unique ? '' : 'order by d.org_id'}`;
};

const isNarrow = (column: string): string => `d.${column} between -2147483647 and 2147483647`;

// Every column of a group, its orgs in the order in which the rows come. The branch of a group tells of the last three
// columns whether all its orgs have a value or none has; undecidable orgs have no branch.
const COLUMNS = `,
    sum(${rowHash('d')}) as digest, array_agg(d.org_id) as org_ids,
    array_agg(case when ${isNarrow('agents')} then d.agents::int end) as agents,
    array_agg(case when ${isNarrow('light_agents')} then d.light_agents::int end)
      filter (where d.light_agents > 0 or d.reason is not null) as light_agents,
    array_agg(d.additional_credits)
      filter (where d.additional_credits > 0 or d.reason is not null) as additional_credits,
    array_agg(d.negotiated_limit)
      filter (where d.negotiated_limit is not null or d.reason is not null) as negotiated_limits,
    array_agg(d.total_credits) as total_credits,
    jsonb_object_agg(d.org_id::text, jsonb_build_array(d.agents, d.light_agents))
      filter (where not (${isNarrow('agents')} and ${isNarrow('light_agents')})) as wide`;

// MATERIALIZED: several readers share it
const GROUPED = (shape: Shape): string => `
grouped as materialized (
  select ${groupOfRow(shape.question.editions, shape.count)} as key, d.reason, ${groupCounts(shape.lists)},
    ${shape.question.protects ? 'count(d.protected)' : '0'} as protected
    ${shape.question.planId === null ? '' : COLUMNS}
  from (${DECIDED(shape)}) d
  group by 1, d.reason
)`;

const touched = (sum: string): string => `coalesce(${sum} filter (where ${IN_GROUP.touched}), 0)`;
const decided = (value: string): string => `case when g.reason is null then ${value} end`;

const STORED = ({ count }: Shape): string => {
  const ranges = Array.from(
    { length: count },
    (_, no) => `(${no}, ${rangeBound(no, count)}, ${rangeBound(no + 1, count)})`,
  );
  return `
columns as (
  insert into credit_rollout.plan_groups (plan_id, range_no, group_no, edition, paid, winner, movement, org_ids, agents,
    light_agents, additional_credits, negotiated_limits, total_credits, wide)
  select :plan_id::bigint, :first_no::int + (${IN_GROUP.rangeNo}), row_number() over (),
    (:editions::text[])[${IN_GROUP.editionNo}], ${IN_GROUP.paid}, ${decided(IN_GROUP.winner)},
    ${decided(IN_GROUP.movement)}, g.org_ids, g.agents, g.light_agents, g.additional_credits, g.negotiated_limits,
    ${decided('g.total_credits')}, g.wide
  from grouped g
), stored as (
  insert into credit_rollout.plan_ranges (
    plan_id, range_no, lower_id, upper_id, orgs, touched, touched_credits, digest)
  select :plan_id::bigint, :first_no::int + r.no, r.lower_id, r.upper_id, coalesce(sum(g.orgs), 0),
    ${touched('sum(g.orgs)')}, ${touched('sum(g.after)')}, ${touched('sum(g.digest)')}
  from (values ${ranges.join(',\n    ')}) r (no, lower_id, upper_id)
  left join grouped g on ${IN_GROUP.rangeNo} = r.no
  group by r.no, r.lower_id, r.upper_id
  returning touched, touched_credits, digest
), summed as (
  select sum(touched)::text as touched, sum(touched_credits)::text as credits, sum(digest)::text as digest from stored
)`;
};

// of undecidable orgs the ranks mean nothing; the list of raises names only orgs that are written
const firstOf = (list: ListName): string => firstOfGroups(list, list === 'raise' ? IN_GROUP.touched : IN_GROUP.decided);

const PROTECTED = `(select ${touched('sum(g.protected)')} from grouped g)::int`;

const PLAN = (shape: Shape): string => {
  const { planId, protects } = shape.question;
  return `
with ${GROUPED(shape)}${planId === null ? '' : `,${STORED(shape)}`}
select (${GROUPS_AS_JSON}) as groups, ${shape.lists.map(firstOf).join(', ')},
  ${planId === null ? 'null' : '(select to_json(s) from summed s)'} as sums,
  ${protects ? PROTECTED : '0'} as protected_touched`;
};

/** What `PLAN` gives. A list that was not asked for, or has no org in the ranges, is not there or null. */
interface PlannedRow extends Readonly<Partial<Record<ListName, readonly RankedOrg[] | null>>> {
  readonly groups: readonly Readonly<Record<string, unknown>>[];
  readonly sums: PlanSums | null;
  readonly protectedTouched: number;
}

/** Plans consecutive ranges, at most 16; stores them when the question names a plan. */
export async function planKeyRange(
  tx: CellTransaction,
  ranges: readonly KeyRange[],
  question: RangeQuestion,
): Promise<PlannedRange> {
  const { planId, firstNo, editions } = question;
  const bounds = boundValues(ranges);
  const within = rangeCondition({ lowerId: bounds.lower_id, upperId: bounds.upper_id }).sql;
  const lists = LIST_NAMES.filter((list) => list !== 'short' || question.usage);
  const row = await selectRow<PlannedRow>(tx, PLAN({ question, lists, count: ranges.length, within }), {
    ...bounds,
    ...editionValues(editions),
    ...rankValues(lists, question.ranks),
    card_hash: question.cardHash,
    ...(planId !== null && { plan_id: planId, first_no: firstNo, editions }),
  });
  return {
    groups: toCamelCase<CountedGroup>(row.groups),
    ranked: lists.flatMap((list) => row[list] ?? []),
    sums: row.sums ?? NO_SUMS,
    protectedTouched: row.protectedTouched,
  };
}

export const NO_SUMS: PlanSums = { touched: '0', credits: '0', digest: '0' };

/** Stores a range of which nothing can be read: the ranges of a plan cover every id, and this one counts one org. */
export async function insertUnreadableRange(
  tx: CellTransaction,
  range: KeyRange,
  { planId, rangeNo }: { readonly planId: bigint; readonly rangeNo: number },
): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout.plan_ranges (
       plan_id, range_no, lower_id, upper_id, orgs, touched, touched_credits, digest)
     values (:plan_id::bigint, :range_no::int, :lower_id::credit_rollout.org_id, :upper_id::credit_rollout.org_id,
       1, 0, 0, 0)`,
    { plan_id: planId, range_no: rangeNo, lower_id: range.lowerId, upper_id: range.upperId },
  );
}
