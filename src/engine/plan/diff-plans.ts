// Compares two plans of a data center, range by range in its cell. Reads plans only; the orgs that it names are for the
// person who runs it.
import { advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import {
  countListedOrgs,
  listComparedRanges,
  readSharedRates,
  startComparing,
} from '../../stores/cell/plan/compared-plans.js';
import { comparePlanRange, type DifferenceGroup, type DifferentOrg } from '../../stores/cell/plan/plan-differences.js';
import type { StoredPlan } from '../../stores/cell/plan/plans.js';
import type { EngineContext } from '../context.js';
import { getPlanName, getStoredPlan, planName } from './plan-id.js';

export type { DifferenceGroup, DifferentOrg } from '../../stores/cell/plan/plan-differences.js';

export interface ComparedPlan extends Pick<StoredPlan, 'digest' | 'cardHash' | 'author' | 'snapshotAt' | 'madeAt'> {
  readonly planId: string;
  /** How many orgs it lists. */
  readonly orgs: number;
}

/** Orgs, and what both plans give them: sums in credits a day, as decimal text. */
export type DifferenceSum = Pick<DifferenceGroup, 'orgs' | 'before' | 'after'>;

export interface PlanDifference {
  readonly dataCenter: string;
  readonly from: ComparedPlan;
  readonly to: ComparedPlan;
  /** In both, with the same inputs and outcome; those that only one plan writes are among them. */
  readonly same: number;
  /** The same inputs and outcome, but only one of the plans writes them. */
  readonly moved: number;
  readonly appeared: DifferenceSum;
  readonly vanished: DifferenceSum;
  readonly changed: DifferenceSum;
  /** The changed ones by cause, the most orgs first; together they are `changed`. */
  readonly causes: readonly Omit<DifferenceGroup, 'kind'>[];
  /** The largest changes first, at most `limit`. */
  readonly largest: readonly DifferentOrg[];
}

export interface PlanPairQuestion {
  readonly from: string;
  readonly to: string;
  /** How many orgs to name at most. */
  readonly limit: number;
  /** Orgs compared in one statement; 50,000 when left out. */
  readonly rangeOrgs?: number;
}

export interface DiffHooks {
  /** Gets the ranges that are done, and how many there are. */
  readonly onProgress?: (done: number, all: number) => void;
}

/** A statement of a second or two, and memory that does not grow with the cell. */
const RANGE_ORGS = 50_000;
const STATEMENT_MS = 60_000;

/** Throws plan_unknown, invalid_argument for plans of two data centers. */
export async function diffPlans(
  { cells }: Pick<EngineContext, 'cells'>,
  question: PlanPairQuestion,
  hooks: DiffHooks = {},
): Promise<PlanDifference> {
  const [from, to] = [getPlanName(question.from), getPlanName(question.to)];
  const { dataCenter } = from;
  if (dataCenter !== to.dataCenter)
    throw new RolloutError('invalid_argument', {
      message:
        `"${question.from}" and "${question.to}" are plans of different data centers; only plans of one data ` +
        'center can be compared.',
      next: advise`Name two plans of one data center. They are listed by: ${command('plans')}`,
    });
  const compare = async (tx: CellTransaction): Promise<PlanDifference> => {
    await startComparing(tx);
    const pair = { from: await getStoredPlan(tx, from), to: await getStoredPlan(tx, to) };
    return addUp(tx, { dataCenter, pair, limit: question.limit, rangeOrgs: question.rangeOrgs ?? RANGE_ORGS }, hooks);
  };
  return cells.get(dataCenter).inTransaction('reader', compare, { statementMs: STATEMENT_MS });
}

interface Comparison {
  readonly dataCenter: string;
  readonly pair: { readonly from: StoredPlan; readonly to: StoredPlan };
  readonly limit: number;
  readonly rangeOrgs: number;
}

async function addUp(
  tx: CellTransaction,
  { dataCenter, pair, limit, rangeOrgs }: Comparison,
  hooks: DiffHooks,
): Promise<PlanDifference> {
  const ids = { from: pair.from.planId, to: pair.to.planId };
  const cards = { from: pair.from.cardHash, to: pair.to.cardHash };
  const shared = await readSharedRates(tx, cards);
  const ranges = await listComparedRanges(tx, ids, rangeOrgs);
  let groups: readonly DifferenceGroup[] = [];
  let largest: readonly DifferentOrg[] = [];
  for (const [index, range] of ranges.entries()) {
    const largerThan = BigInt(largest[limit - 1]?.size ?? -1);
    const compared = await comparePlanRange(tx, ids, range, { shared, largerThan, limit });
    groups = mergeGroups(groups, compared.groups);
    largest = mergeLargest(largest, compared.largest, limit);
    hooks.onProgress?.(index + 1, ranges.length);
  }
  const orgs = { from: await countListedOrgs(tx, ids.from), to: await countListedOrgs(tx, ids.to) };
  return {
    dataCenter,
    from: toCompared(dataCenter, pair.from, orgs.from),
    to: toCompared(dataCenter, pair.to, orgs.to),
    ...summarize(groups, orgs.from),
    largest,
  };
}

const NOTHING: DifferenceSum = { orgs: 0, before: '0', after: '0' };
const add = (a: DifferenceSum, b: DifferenceSum): DifferenceSum => ({
  orgs: a.orgs + b.orgs,
  before: String(BigInt(a.before) + BigInt(b.before)),
  after: String(BigInt(a.after) + BigInt(b.after)),
});
const joinCauses = ({ causes }: Pick<DifferenceGroup, 'causes'>): string => causes.join(' ');

function mergeGroups(known: readonly DifferenceGroup[], found: readonly DifferenceGroup[]): readonly DifferenceGroup[] {
  const groups = new Map<string, DifferenceGroup>();
  for (const group of [...known, ...found]) {
    const key = `${group.kind} ${joinCauses(group)}`;
    const sum = groups.get(key);
    groups.set(key, sum === undefined ? group : { ...group, ...add(sum, group) });
  }
  return [...groups.values()];
}

/** Of equal size the lower id stays first: ranges come in their order, and sorting is stable. */
const mergeLargest = (
  known: readonly DifferentOrg[],
  found: readonly DifferentOrg[],
  limit: number,
): readonly DifferentOrg[] =>
  found.length === 0
    ? known
    : [...known, ...found].sort((a, b) => Number(BigInt(b.size) - BigInt(a.size))).slice(0, limit);

function summarize(
  groups: readonly DifferenceGroup[],
  orgsFrom: number,
): Pick<PlanDifference, 'same' | 'moved' | 'appeared' | 'vanished' | 'changed' | 'causes'> {
  const sum = (kind: DifferenceGroup['kind']): DifferenceSum =>
    groups.filter((group) => group.kind === kind).reduce(add, NOTHING);
  const [vanished, changed] = [sum('vanished'), sum('changed')];
  const causes = groups
    .filter(({ kind }) => kind === 'changed')
    .map(({ causes: why, orgs, before, after }) => ({ causes: why, orgs, before, after }))
    .sort((a, b) => b.orgs - a.orgs || joinCauses(a).localeCompare(joinCauses(b)));
  return {
    same: orgsFrom - vanished.orgs - changed.orgs,
    moved: sum('moved').orgs,
    appeared: sum('appeared'),
    vanished,
    changed,
    causes,
  };
}

const toCompared = (dataCenter: string, plan: StoredPlan, orgs: number): ComparedPlan => ({
  planId: planName(dataCenter, plan.planId),
  digest: plan.digest,
  cardHash: plan.cardHash,
  author: plan.author,
  snapshotAt: plan.snapshotAt,
  madeAt: plan.madeAt,
  orgs,
});
