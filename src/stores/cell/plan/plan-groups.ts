// Counts the orgs of planned ranges by range, branch, movement, reason and bar of the histogram, in one pass over the
// rule. What they are grouped by is packed into one number, which hashes fastest. Only parts of a statement:
// plan-functions.ts has it.
import { PLAN_FLAGS } from './plan-branch.js';
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
/** The bar of a row `d` of the rule, from 0. */
export const BAR = `width_bucket(${CHANGE}, '{-0.5,-0.1,0,1e-12,0.1,0.5,1,2,5,10}'::float8[])`;
/** The movement of a row `d` of the rule as a number. */
export const MOVEMENT = `case d.movement when 'first' then 1 when 'raise' then 2 when 'fall' then 3 else 0 end`;

// the range is above the kind in the number: 16 ranges fit into an int
export const RANGE_SHIFT = 26;
const KIND = 2 ** RANGE_SHIFT - 1;

/** Unpacks the number of a group `g`. */
export const IN_GROUP = {
  rangeNo: `g.key >> ${RANGE_SHIFT}`,
  editionNo: `(g.key & ${KIND}) >> 16`,
  paid: `g.key >> 8 & ${PLAN_FLAGS.paid} = ${PLAN_FLAGS.paid}`,
  winner: `case when g.key >> 8 & ${PLAN_FLAGS.legacy} = ${PLAN_FLAGS.legacy} then 'legacy' else 'credits' end`,
  movement: `('{${PLAN_MOVEMENTS.join(',')}}'::text[])[(g.key >> 4 & 15) + 1]`,
  touched: 'g.key >> 4 & 15 between 1 and 2',
  decided: `g.key & ${KIND} <> 0`,
  falling: `g.key & 15 <= ${LAST_FALLING_BAR}`,
  negotiated: `g.key >> 8 & ${PLAN_FLAGS.negotiated} = ${PLAN_FLAGS.negotiated}`,
} as const;

/** Aggregates over the rows `d` of a group; `ranks`: below what an org enters a list. */
export const groupCounts = (lists: readonly ListName[], ranks: Readonly<Record<ListName, string>>): string =>
  [
    'count(*) as orgs, sum(d.before) as before, sum(d.total_credits) as after, sum(d.plan_credits) as plan_credits',
    `sum(d.grandfathered_credits) as grandfathered, max(d.total_credits::float8 / greatest(d.before, 1)) as factor`,
    'max(d.floor::float8 / greatest(d.plan_credits, 1)) as floor_over_plan',
    `${lists.includes('short') ? 'count(*) filter (where d.peak > d.total_credits)' : '0'} as short`,
    ...lists.map((list) => `${rankedInGroup(list, ranks[list])} as ${list}_ranks`),
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
