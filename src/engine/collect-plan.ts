// Adds up what the ranges of a plan say into its report. Counts, and the few orgs that the report names.
import type { BranchCount, ChangeBar, PlannedOrg, PlanReport, ShortOrg, Winner } from '../domain/plan/plan-report.js';
import {
  branchNo,
  CHANGE_EDGES,
  type ListedOrg,
  PLAN_FLAGS,
  type PlanGroup,
  type PlannedRange,
} from '../stores/cell/plan-ranges.js';

/** How many orgs a list names. */
const LISTED = 20;

/** A list takes only what ranks below its twentieth. */
export type Ranks = Readonly<Record<ListedOrg['list'], number>>;

export type CollectedPlan = Pick<PlanReport, 'branches' | 'quarantined' | 'histogram' | 'usage' | 'orgs'> & {
  readonly canaries: readonly { readonly orgId: string; readonly hash: string }[];
  readonly maxRaiseFactor: number | null;
  readonly maxFloorOverPlan: number | null;
  readonly protectedTouched: number;
  /** Paid orgs that a write would lower. */
  readonly paidFalling: number;
};

export interface PlanCollection {
  add(range: PlannedRange): void;
  /** Orgs that cannot even be read. */
  addUnreadable(orgs: number): void;
  readonly orgs: number;
  readonly ranks: Ranks;
  /** Branches of a range that have no canary yet. */
  listNewBranches(range: PlannedRange): readonly number[];
  addCanaries(found: readonly { readonly branch: number; readonly orgId: string; readonly hash: string }[]): void;
  finish(usage: 'has_usage' | 'no_usage'): CollectedPlan;
}

/** Starts an empty collection; `editions` are the card's, in the order of their places. */
export function createPlanCollection(editions: readonly string[]): PlanCollection {
  const groups = new Map<string, PlanGroup>();
  const lists = new Map<ListedOrg['list'], readonly ListedOrg[]>();
  const canaries = new Map<number, { readonly orgId: string; readonly hash: string }>();
  let orgs = 0;
  let protectedTouched = 0;
  const rankOf = (list: ListedOrg['list']): number => lists.get(list)?.[LISTED - 1]?.rank ?? Number.POSITIVE_INFINITY;
  return {
    add: (range) => {
      for (const group of range.groups) addGroup(groups, group);
      for (const list of ['raise', 'floor', 'short'] as const)
        lists.set(
          list,
          mergeList(
            lists.get(list) ?? [],
            range.listed.filter((org) => org.list === list),
          ),
        );
      orgs += range.groups.reduce((sum, group) => sum + group.orgs, 0);
      protectedTouched += range.protectedTouched;
    },
    addUnreadable: (count) => {
      addGroup(groups, { ...UNREADABLE, orgs: count });
      orgs += count;
    },
    get orgs() {
      return orgs;
    },
    get ranks() {
      return { raise: rankOf('raise'), floor: rankOf('floor'), short: rankOf('short') };
    },
    listNewBranches: ({ groups: found }) => [
      ...new Set(found.filter((group) => isTouched(group) && !canaries.has(branchNo(group))).map(branchNo)),
    ],
    addCanaries: (found) => {
      for (const { branch, ...canary } of found) if (!canaries.has(branch)) canaries.set(branch, canary);
    },
    finish: (usage) => ({
      ...summarise([...groups.values()], editions, usage),
      orgs: {
        biggestRaises: (lists.get('raise') ?? []).map(toPlannedOrg),
        nearestFloor: (lists.get('floor') ?? []).map(toPlannedOrg),
        short: (lists.get('short') ?? []).map(toShortOrg),
      },
      canaries: [...canaries.values()],
      protectedTouched,
    }),
  };
}

const isTouched = ({ reason, movement }: PlanGroup): boolean =>
  reason === null && (movement === 'first' || movement === 'raise');

const UNREADABLE: PlanGroup = {
  editionNo: 0,
  flags: 0,
  movement: 'same',
  reason: 'unreadable',
  bar: 0,
  orgs: 0,
  before: '0',
  after: '0',
  planCredits: '0',
  grandfathered: '0',
  falling: 0,
  raiseFactor: null,
  floorOverPlan: null,
  short: 0,
};

const add = (a: string, b: string): string => String(BigInt(a) + BigInt(b));
const most = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b);

function addGroup(groups: Map<string, PlanGroup>, group: PlanGroup): void {
  const key = [group.editionNo, group.flags, group.movement, group.reason, group.bar].join('|');
  const sum = groups.get(key);
  groups.set(key, sum === undefined ? group : addUp(sum, group));
}

const addUp = (sum: PlanGroup, group: PlanGroup): PlanGroup => ({
  ...sum,
  orgs: sum.orgs + group.orgs,
  before: add(sum.before, group.before),
  after: add(sum.after, group.after),
  planCredits: add(sum.planCredits, group.planCredits),
  grandfathered: add(sum.grandfathered, group.grandfathered),
  falling: sum.falling + group.falling,
  raiseFactor: most(sum.raiseFactor, group.raiseFactor),
  floorOverPlan: most(sum.floorOverPlan, group.floorOverPlan),
  short: sum.short + group.short,
});

const mergeList = (a: readonly ListedOrg[], b: readonly ListedOrg[]): readonly ListedOrg[] =>
  b.length === 0 ? a : [...a, ...b].sort((x, y) => x.rank - y.rank).slice(0, LISTED);

function summarise(
  groups: readonly PlanGroup[],
  editions: readonly string[],
  usage: 'has_usage' | 'no_usage',
): Omit<CollectedPlan, 'orgs' | 'canaries' | 'protectedTouched'> {
  const decided = groups.filter((group) => group.reason === null);
  const factors = (pick: 'raiseFactor' | 'floorOverPlan'): number | null =>
    decided.reduce<number | null>((found, group) => most(found, group[pick]), null);
  return {
    branches: toBranches(decided, editions),
    quarantined: toReasons(groups),
    histogram: toHistogram(decided),
    usage: usage === 'has_usage' ? toUsage(decided, editions) : null,
    paidFalling: decided
      .filter((group) => has(group, 'paid') && (group.movement === 'first' || group.movement === 'raise'))
      .reduce((sum, group) => sum + group.falling, 0),
    maxRaiseFactor: factors('raiseFactor'),
    maxFloorOverPlan: factors('floorOverPlan'),
  };
}

const has = (group: PlanGroup, flag: keyof typeof PLAN_FLAGS): boolean => (group.flags & PLAN_FLAGS[flag]) !== 0;

function toBranches(decided: readonly PlanGroup[], editions: readonly string[]): readonly BranchCount[] {
  const branches = new Map<number, BranchCount>();
  for (const group of decided) {
    const key = group.editionNo * 256 + group.flags;
    branches.set(key, addBranch(branches.get(key) ?? startBranch(group, editions), group));
  }
  return [...branches.entries()].sort(([a], [b]) => a - b).map(([, branch]) => branch);
}

const startBranch = (group: PlanGroup, editions: readonly string[]): BranchCount => ({
  edition: editions[group.editionNo - 1] ?? '',
  paid: has(group, 'paid'),
  winner: (has(group, 'legacy') ? 'legacy' : 'credits') satisfies Winner,
  purchased: has(group, 'purchased'),
  lightAgents: has(group, 'lightAgents'),
  negotiated: has(group, 'negotiated'),
  orgs: 0,
  first: 0,
  raises: 0,
  falls: 0,
  falling: 0,
  before: '0',
  after: '0',
  planCredits: '0',
  grandfathered: '0',
});

const addBranch = (branch: BranchCount, group: PlanGroup): BranchCount => ({
  ...branch,
  orgs: branch.orgs + group.orgs,
  first: branch.first + (group.movement === 'first' ? group.orgs : 0),
  raises: branch.raises + (group.movement === 'raise' ? group.orgs : 0),
  falls: branch.falls + (group.movement === 'fall' ? group.orgs : 0),
  falling: branch.falling + group.falling,
  before: add(branch.before, group.before),
  after: add(branch.after, group.after),
  planCredits: add(branch.planCredits, group.planCredits),
  grandfathered: add(branch.grandfathered, group.grandfathered),
});

function toReasons(groups: readonly PlanGroup[]): PlanReport['quarantined'] {
  const reasons = new Map<string, number>();
  for (const { reason, orgs } of groups) if (reason !== null) reasons.set(reason, (reasons.get(reason) ?? 0) + orgs);
  return [...reasons].map(([reason, orgs]) => ({ reason, orgs })).sort((a, b) => b.orgs - a.orgs);
}

/** Bar n holds changes from edge n − 1 on and below edge n; the bar of no change has both ends 0. */
function toHistogram(decided: readonly PlanGroup[]): readonly ChangeBar[] {
  return Array.from({ length: CHANGE_EDGES.length + 1 }, (_, bar) => ({
    from: CHANGE_EDGES[bar - 1] ?? null,
    to: CHANGE_EDGES[bar] ?? null,
    orgs: decided.filter((group) => group.bar === bar).reduce((sum, group) => sum + group.orgs, 0),
  }));
}

function toUsage(decided: readonly PlanGroup[], editions: readonly string[]): NonNullable<PlanReport['usage']> {
  return editions.flatMap((edition, index) => {
    const paid = decided.filter((group) => group.editionNo === index + 1 && has(group, 'paid'));
    const count = (pick: (group: PlanGroup) => number): number => paid.reduce((sum, group) => sum + pick(group), 0);
    return paid.length === 0
      ? []
      : [{ edition, paid: count((group) => group.orgs), short: count((group) => group.short) }];
  });
}

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
