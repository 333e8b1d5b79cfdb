// Adds up the groups that the statements of a plan count, and summarizes them for its report. Sums are exact. Pure.
import type { Winner } from '../../domain/org/allotment.js';
import type { BranchCount, ChangeBar, PlanReport } from '../../domain/plan/plan-report.js';
import { branchNo, PLAN_FLAGS } from '../../stores/cell/plan/plan-branch.js';
import { CHANGE_EDGES, type CountedGroup, type PlanGroup, toGroup } from '../../stores/cell/plan/plan-groups.js';

type GroupSum = { -readonly [Key in keyof CountedGroup]: CountedGroup[Key] };

export interface GroupSums {
  add(groups: readonly CountedGroup[]): void;
  /** The sums until now. */
  list(): readonly PlanGroup[];
}

/**
 * Without groups at first. Hundreds of statements give hundreds of groups each: sums are changed in place, since copies
 * would pile up until a full garbage collection.
 */
export function createGroupSums(): GroupSums {
  const sums = new Map<string | number, GroupSum>();
  return {
    add: (groups) => {
      for (const group of groups) {
        const key = group.reason ?? group.kind;
        const sum = sums.get(key);
        if (sum === undefined) sums.set(key, { ...group });
        else addTo(sum, group);
      }
    },
    list: () => [...sums.values()].map(toGroup),
  };
}

function addTo(sum: GroupSum, group: CountedGroup): void {
  sum.orgs += group.orgs;
  if (group.reason !== null) return; // nothing else is known of them
  sum.before = add(sum.before, group.before);
  sum.after = add(sum.after, group.after);
  sum.planCredits = add(sum.planCredits, group.planCredits);
  sum.grandfathered = add(sum.grandfathered, group.grandfathered);
  sum.factor = larger(sum.factor, group.factor);
  sum.floorOverPlan = larger(sum.floorOverPlan, group.floorOverPlan);
  sum.short += group.short;
}

/** The sum of decimal texts. Nearly all are exact as numbers, which is faster. */
function add(a: string, b: string): string {
  const [x, y] = [Number(a), Number(b)];
  const isExact = Number.isSafeInteger(x) && Number.isSafeInteger(y) && Number.isSafeInteger(x + y);
  return String(isExact ? x + y : BigInt(a) + BigInt(b));
}

/** The larger one; null counts as nothing. */
const larger = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.max(a, b);

export interface GroupSummary extends Pick<PlanReport, 'branches' | 'quarantined' | 'histogram' | 'usage'> {
  readonly maxRaiseFactor: number | null;
  readonly maxFloorOverPlan: number | null;
  /** Paid orgs that a write would lower. */
  readonly paidFalling: number;
}

/** Branches, reasons, histogram and usage of all groups of a plan. */
export function summarizeGroups(
  groups: readonly PlanGroup[],
  editions: readonly string[],
  usage: 'has_usage' | 'no_usage',
): GroupSummary {
  const decided = groups.filter((group) => group.reason === null);
  const factors = (pick: 'raiseFactor' | 'floorOverPlan'): number | null =>
    decided.reduce<number | null>((found, group) => larger(found, group[pick]), null);
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
    const key = branchNo(group);
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
  return [...reasons]
    .map(([reason, orgs]) => ({ reason, orgs }))
    .sort((a, b) => b.orgs - a.orgs || (a.reason < b.reason ? -1 : 1));
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
