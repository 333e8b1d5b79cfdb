// Adds up the ranges of a plan for its report: counts, and the few orgs that the report names.
import type { PlannedOrg, PlanReport, ShortOrg } from '../../domain/plan/plan-report.js';
import type { PlannedCanary } from '../../stores/cell/plan/plan-canaries.js';
import { type CountedGroup, listTouchedBranches } from '../../stores/cell/plan/plan-groups.js';
import {
  LIST_NAMES,
  LISTED,
  type ListedOrg,
  type ListName,
  type RankedOrg,
} from '../../stores/cell/plan/plan-lists.js';
import type { PlannedRange } from '../../stores/cell/plan/plan-ranges.js';
import { createGroupSums, type GroupSummary, summarizeGroups } from './summarize-groups.js';

/** With the number of the range in which it was found. */
type Placed<T> = T & { readonly rangeNo: number };

/** The rank below which an org still enters a full list. Which of equal orgs a list names is not specified. */
export type Ranks = Readonly<Record<ListName, number>>;

export interface Canary {
  readonly orgId: string;
  readonly hash: string;
}

export interface CollectedPlan extends GroupSummary, Pick<PlanReport, 'orgs'> {
  readonly canaries: readonly Canary[];
  readonly protectedTouched: number;
}

export interface PlanCollection {
  /** Ranges may come in any order: it only decides which of equal orgs end a list. */
  add(planned: PlannedRange, firstNo: number): void;
  /** Orgs that cannot be read. */
  addUnreadable(orgs: number): void;
  readonly orgs: number;
  readonly unreadable: number;
  readonly ranks: Ranks;
  /** Branches that have no canary from an earlier range. */
  listNewBranches(planned: PlannedRange, firstNo: number): readonly number[];
  addCanaries(found: readonly PlannedCanary[]): void;
  /** The orgs that the report will name. */
  readonly listedIds: readonly string[];
  /** `listed`: the planned rows of `listedIds`. */
  finish(usage: 'has_usage' | 'no_usage', listed: readonly ListedOrg[]): CollectedPlan;
}

/** An empty collection; `editions` are the card's, in the order of their numbers. */
export function createPlanCollection(editions: readonly string[]): PlanCollection {
  const groups = createGroupSums();
  const lists = new Map<ListName, readonly Placed<RankedOrg>[]>();
  const canaries = new Map<number, Placed<Canary>>();
  let orgs = 0;
  let unreadable = 0;
  let protectedTouched = 0;
  const rankOf = (list: ListName): number => lists.get(list)?.[LISTED - 1]?.rank ?? Number.POSITIVE_INFINITY;
  const isNew = (branch: number, rangeNo: number): boolean => rangeNo < (canaries.get(branch)?.rangeNo ?? Infinity);
  return {
    add: (planned, firstNo) => {
      groups.add(planned.groups);
      for (const list of LIST_NAMES)
        lists.set(
          list,
          mergeList(
            lists.get(list) ?? [],
            planned.ranked.filter((org) => org.list === list).map((org) => ({ ...org, rangeNo: firstNo })),
          ),
        );
      orgs += planned.groups.reduce((sum, group) => sum + group.orgs, 0);
      protectedTouched += planned.protectedTouched;
    },
    addUnreadable: (count) => {
      groups.add([{ ...UNREADABLE, orgs: count }]);
      orgs += count;
      unreadable += count;
    },
    get orgs() {
      return orgs;
    },
    get unreadable() {
      return unreadable;
    },
    get ranks() {
      return { raise: rankOf('raise'), floor: rankOf('floor'), short: rankOf('short') };
    },
    listNewBranches: ({ groups: found }, firstNo) =>
      listTouchedBranches(found).filter((branch) => isNew(branch, firstNo)),
    addCanaries: (found) => {
      for (const { branch, ...canary } of found) if (isNew(branch, canary.rangeNo)) canaries.set(branch, canary);
    },
    get listedIds() {
      return [...new Set([...lists.values()].flat().map(({ orgId }) => orgId))];
    },
    finish: (usage, listed) => ({
      ...summarizeGroups(groups.list(), editions, usage),
      orgs: {
        biggestRaises: nameOrgs(lists.get('raise'), listed).map(toPlannedOrg),
        nearestFloor: nameOrgs(lists.get('floor'), listed).map(toPlannedOrg),
        short: nameOrgs(lists.get('short'), listed).map(toShortOrg),
      },
      canaries: [...canaries]
        .sort(([one, a], [other, b]) => a.rangeNo - b.rangeNo || one - other)
        .map(([, { orgId, hash }]) => ({ orgId, hash })),
      protectedTouched,
    }),
  };
}

const UNREADABLE: CountedGroup = {
  kind: 0,
  reason: 'unreadable',
  orgs: 0,
  before: '0',
  after: '0',
  planCredits: '0',
  grandfathered: '0',
  factor: null,
  floorOverPlan: null,
  short: 0,
};

function nameOrgs(ranked: readonly RankedOrg[] = [], listed: readonly ListedOrg[]): readonly ListedOrg[] {
  const known = new Map(listed.map((org) => [org.orgId, org]));
  return ranked.flatMap(({ orgId }) => known.get(orgId) ?? []);
}

const mergeList = (a: readonly Placed<RankedOrg>[], b: readonly Placed<RankedOrg>[]): readonly Placed<RankedOrg>[] =>
  b.length === 0 ? a : [...a, ...b].sort((x, y) => x.rank - y.rank || x.rangeNo - y.rangeNo).slice(0, LISTED);

const toPlannedOrg = (org: ListedOrg): PlannedOrg => ({
  orgId: org.orgId,
  edition: org.edition,
  paid: org.paid,
  agents: org.agents,
  before: org.before,
  after: org.after,
  planCredits: org.planCredits,
  legacyLimit: org.legacyLimit,
  floor: org.floor,
});

/** The floor that covers the peak: purchases are added to it, and it is rounded up to a thousand. */
function toShortOrg(org: ListedOrg): ShortOrg {
  const needed = BigInt(org.peak ?? '0') - BigInt(org.additional);
  const rounded = ((needed + 999n) / 1_000n) * 1_000n;
  return { ...toPlannedOrg(org), peak: org.peak ?? '0', proposedFloor: String(rounded) };
}
