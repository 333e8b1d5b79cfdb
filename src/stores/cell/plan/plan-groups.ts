// Counts the orgs of planned ranges by range, branch, movement, reason and bar of the histogram, in one pass over the
// rule. What they are grouped by is packed into one number, which hashes fastest. Only parts of a statement:
// plan-ranges.ts sends it.
import type { KeyRange } from '../key-range.js';
import { branchOfRow, PLAN_FLAGS } from './plan-branch.js';
import { type ListName, rankedInGroup } from './plan-lists.js';

export const PLAN_MOVEMENTS = ['same', 'first', 'raise', 'fall'] as const;
export type PlanMovement = (typeof PLAN_MOVEMENTS)[number];

/** Lower ends of the histogram's bars, in percent of the capacity before; the first bar is open at the bottom. */
export const CHANGE_EDGES = [-50, -10, 0, 0, 10, 50, 100, 200, 500, 1_000] as const;
const LAST_FALLING_BAR = 2;

/** Orgs with the same branch, movement, reason and bar. Sums as decimal text. */
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

const CHANGE = '(d.total_credits - d.before)::float8 / greatest(d.before, 1)';
const BAR = `width_bucket(${CHANGE}, '{-0.5,-0.1,0,1e-12,0.1,0.5,1,2,5,10}'::float8[])`;
const MOVEMENT = `case d.movement when 'first' then 1 when 'raise' then 2 when 'fall' then 3 else 0 end`;

/** Parameter between two of `count` consecutive ranges: where range `no` begins and the one before it ends, from 0. */
export const rangeBound = (no: number, count: number): string => {
  const name = no === 0 ? 'lower_id' : no === count ? 'upper_id' : `bound_${no}`;
  return `:${name}::credit_rollout.org_id`;
};

interface Bounds {
  readonly lower_id: string | null;
  readonly upper_id: string | null;
  readonly [between: string]: string | null;
}

/** The parameters of `rangeBound`, for consecutive ranges. */
export const boundValues = (ranges: readonly KeyRange[]): Bounds => ({
  lower_id: ranges[0]?.lowerId ?? null,
  upper_id: ranges.at(-1)?.upperId ?? null,
  ...Object.fromEntries(ranges.slice(1).map(({ lowerId }, index) => [`bound_${index + 1}`, lowerId])),
});

/** Which of `count` consecutive ranges a row `d` is in, from 0. */
function rangeOfRow(count: number): string {
  const last = count - 1;
  if (last === 0) return '0';
  const cases = Array.from({ length: last }, (_, no) => `when d.org_id < ${rangeBound(no + 1, count)} then ${no}`);
  return `case ${cases.join(' ')} else ${last} end`;
}

// the range is above the kind in the number: 16 ranges fit into an int
const RANGE_SHIFT = 26;
const KIND = 2 ** RANGE_SHIFT - 1;

/**
 * The number of the group of a row `d` of the rule; its kind is 0 where the org is undecidable, for any reason. Its
 * parameters: `boundValues` and `editionValues`.
 */
export const groupOfRow = (editions: readonly string[], ranges: number): string =>
  `(${rangeOfRow(ranges)}) << ${RANGE_SHIFT}
    | case when d.reason is null then ((${branchOfRow(editions)}) << 4 | ${MOVEMENT}) << 4 | ${BAR} else 0 end`;

/** Unpacks the number of a group `g`. */
export const IN_GROUP = {
  rangeNo: `g.key >> ${RANGE_SHIFT}`,
  editionNo: `(g.key & ${KIND}) >> 16`,
  paid: `g.key >> 8 & ${PLAN_FLAGS.paid} = ${PLAN_FLAGS.paid}`,
  winner: `case when g.key >> 8 & ${PLAN_FLAGS.legacy} = ${PLAN_FLAGS.legacy} then 'legacy' else 'credits' end`,
  movement: `('{${PLAN_MOVEMENTS.join(',')}}'::text[])[(g.key >> 4 & 15) + 1]`,
  touched: 'g.key >> 4 & 15 between 1 and 2',
  decided: `g.key & ${KIND} <> 0`,
} as const;

/** Aggregates over the rows `d` of a group. Its parameters: `rankValues`. */
export const groupCounts = (lists: readonly ListName[]): string =>
  [
    'count(*) as orgs, sum(d.before) as before, sum(d.total_credits) as after, sum(d.plan_credits) as plan_credits',
    `sum(d.grandfathered_credits) as grandfathered, max(d.total_credits::float8 / greatest(d.before, 1)) as factor`,
    'max(d.floor::float8 / greatest(d.plan_credits, 1)) as floor_over_plan',
    `${lists.includes('short') ? 'count(*) filter (where d.peak > d.total_credits)' : '0'} as short`,
    ...lists.map((list) => `${rankedInGroup(list)} as ${list}_ranks`),
  ].join(',\n    ');

/** The groups `g` of all ranges, added up by kind: a JSON list of `CountedGroup`, its names in snake_case. */
export const GROUPS_AS_JSON = `
select coalesce(json_agg(k), '[]') from (
  select g.key & ${KIND} as kind, g.reason, sum(g.orgs)::bigint as orgs,
    sum(g.before)::text as before, sum(g.after)::text as after, sum(g.plan_credits)::text as plan_credits,
    sum(g.grandfathered)::text as grandfathered, max(g.factor) as factor, max(g.floor_over_plan) as floor_over_plan,
    sum(g.short)::bigint as short
  from grouped g group by 1, 2) k`;

/** A group as it is counted: its kind instead of what is packed into it, and nothing that follows from the rest. */
export interface CountedGroup
  extends Omit<PlanGroup, 'editionNo' | 'flags' | 'movement' | 'bar' | 'falling' | 'raiseFactor'> {
  /** 0: undecidable. */
  readonly kind: number;
  /** The largest total of an org, as a multiple of what it had before, where that was more than 0. */
  readonly factor: number | null;
}

const movementOf = (kind: number): PlanMovement => PLAN_MOVEMENTS[(kind >> 4) & 15] ?? 'same';
const isWritten = (movement: PlanMovement): boolean => movement === 'first' || movement === 'raise';

/** The branches of the groups whose orgs would be written. */
export const listTouchedBranches = (groups: readonly CountedGroup[]): readonly number[] => [
  ...new Set(groups.filter(({ kind }) => isWritten(movementOf(kind))).map(({ kind }) => kind >> 8)),
];

/** Sums over undecidable orgs mean nothing. */
const UNDECIDED = { before: '0', after: '0', planCredits: '0', grandfathered: '0' };

/** Unpacks the kind of a group, and adds what follows from it. */
export function toGroup({ kind, factor, ...counts }: CountedGroup): PlanGroup {
  const flags = (kind >> 8) & 255;
  const movement = movementOf(kind);
  const bar = kind & 15;
  const isPaid = (flags & PLAN_FLAGS.paid) !== 0;
  const hasOwnLimit = (flags & PLAN_FLAGS.negotiated) !== 0;
  return {
    ...counts,
    ...(counts.reason === null ? {} : UNDECIDED),
    editionNo: kind >> 16,
    flags,
    movement,
    bar,
    falling: counts.reason === null && bar <= LAST_FALLING_BAR ? counts.orgs : 0,
    raiseFactor: isWritten(movement) && factor !== null && factor > 1 ? factor : null,
    floorOverPlan: isPaid && !hasOwnLimit ? counts.floorOverPlan : null,
    short: isPaid ? counts.short : 0,
  };
}
