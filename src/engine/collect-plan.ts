// Adds up what the ranges of a plan say into its report. Counts, and the few orgs that the report names.
import type { PlannedOrg, PlanReport, ShortOrg } from '../domain/plan/plan-report.js';
import { branchNo } from '../stores/cell/plan-branch.js';
import type { ListedOrg, PlanGroup, PlannedRange } from '../stores/cell/plan-ranges.js';
import { add, type GroupSummary, isTouched, most, summariseGroups } from './summarise-groups.js';

/** How many orgs a list names. */
const LISTED = 20;

/** A list takes only what ranks below its twentieth. */
export type Ranks = Readonly<Record<ListedOrg['list'], number>>;

export interface CollectedPlan extends GroupSummary, Pick<PlanReport, 'orgs'> {
  readonly canaries: readonly { readonly orgId: string; readonly hash: string }[];
  readonly protectedTouched: number;
}

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
      ...summariseGroups([...groups.values()], editions, usage),
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
