// What a range of a plan comes to: its orgs by branch, movement, reason and bar of the histogram, from one pass over the
// rule. What they are grouped by is packed into one number, which hashes fastest.
import { branchOfRow, PLAN_FLAGS } from './plan-branch.js';
import { LIST_NAMES, type ListName, type RankedOrg, rankedInGroup } from './plan-lists.js';

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

const CHANGE = '(d.total_credits - d.before)::float8 / greatest(d.before, 1)';
const BAR = `width_bucket(${CHANGE}, '{-0.5,-0.1,0,1e-12,0.1,0.5,1,2,5,10}'::float8[])`;
const MOVEMENT = `case d.movement when 'first' then 1 when 'raise' then 2 when 'fall' then 3 else 0 end`;

/** The number of the group of a row `d` of the rule; 0: undecidable, for whatever reason. */
export const groupOfRow = (editions: readonly string[]): string =>
  `case when d.reason is null then ((${branchOfRow(editions)}) << 4 | ${MOVEMENT}) << 4 | ${BAR} else 0 end`;

/** What is packed into the number of a group `g`. */
export const IN_GROUP = {
  editionNo: 'g.key >> 16',
  paid: `g.key >> 8 & ${PLAN_FLAGS.paid} = ${PLAN_FLAGS.paid}`,
  winner: `case when g.key >> 8 & ${PLAN_FLAGS.legacy} = ${PLAN_FLAGS.legacy} then 'legacy' else 'credits' end`,
  movement: `('{${PLAN_MOVEMENTS.join(',')}}'::text[])[(g.key >> 4 & 15) + 1]`,
  touched: 'g.key >> 4 & 15 between 1 and 2',
} as const;

/** Aggregates over the rows `d` of a group. One binding for each list: the rank below which it takes an org. */
export const groupCounts = (lists: readonly ListName[]): string =>
  [
    'count(*) as orgs, sum(d.before) as before, sum(d.total_credits) as after, sum(d.plan_credits) as plan_credits',
    `sum(d.grandfathered_credits) as grandfathered, max(${CHANGE}) as change`,
    'max(d.floor::float8 / greatest(d.plan_credits, 1)) as floor_over_plan',
    `${lists.includes('short') ? 'count(*) filter (where d.peak > d.total_credits)' : '0'} as short`,
    ...lists.map((list) => `${rankedInGroup(list)} as ${list}_ranks`),
  ].join(',\n    ');

/** The groups `g` as a list of `CountedGroup`. */
export const groupsAsJson = (lists: readonly ListName[]): string => `
select coalesce(json_agg(json_build_object('key', g.key, 'reason', g.reason, 'orgs', g.orgs, 'before', g.before::text,
  'after', g.after::text, 'planCredits', g.plan_credits::text, 'grandfathered', g.grandfathered::text, 'change', g.change,
  'floorOverPlan', g.floor_over_plan, 'short', g.short,
  'ranks', json_build_object(${lists.map((list) => `'${list}', g.${list}_ranks`).join(', ')}))), '[]') from grouped g`;

/** Sums, and what there is of a group beside its number; without what follows from that. */
export interface CountedGroup
  extends Omit<PlanGroup, 'editionNo' | 'flags' | 'movement' | 'bar' | 'falling' | 'raiseFactor'> {
  readonly key: number;
  /** The largest change of an org, as a share of what it had before. */
  readonly change: number | null;
  /** Ids and ranks. */
  readonly ranks: Readonly<Partial<Record<ListName, readonly (readonly [string, number])[] | null>>>;
}

/** What the sums say of undecidable orgs means nothing. */
const UNDECIDED = { before: '0', after: '0', planCredits: '0', grandfathered: '0' };

/** What a group comes to: its number taken apart, and what follows from it. */
export function toGroup({ key, change, ranks: _, ...counts }: CountedGroup): PlanGroup {
  const flags = (key >> 8) & 255;
  const movement = PLAN_MOVEMENTS[(key >> 4) & 15] ?? 'same';
  const bar = key & 15;
  const isTouched = movement === 'first' || movement === 'raise';
  const isPaid = (flags & PLAN_FLAGS.paid) !== 0;
  const hasOwnLimit = (flags & PLAN_FLAGS.negotiated) !== 0;
  return {
    ...counts,
    ...(counts.reason === null ? {} : UNDECIDED),
    editionNo: key >> 16,
    flags,
    movement,
    bar,
    falling: counts.reason === null && bar <= LAST_FALLING_BAR ? counts.orgs : 0,
    raiseFactor: isTouched && change !== null && change > 0 ? change + 1 : null,
    floorOverPlan: isPaid && !hasOwnLimit ? counts.floorOverPlan : null,
    short: isPaid ? counts.short : 0,
  };
}

/** The orgs of a group that its lists may take. Of undecidable ones the ranks mean nothing; a raise is one that is written. */
export function toRanked({ key, ranks }: CountedGroup): readonly RankedOrg[] {
  const movement = PLAN_MOVEMENTS[(key >> 4) & 15];
  const takes = (list: ListName): boolean => list !== 'raise' || movement === 'first' || movement === 'raise';
  return key === 0
    ? []
    : LIST_NAMES.filter(takes).flatMap((list) =>
        (ranks[list] ?? []).map(([orgId, rank]): RankedOrg => ({ list, orgId, rank })),
      );
}
