// The dry run: reads a whole cell in one snapshot as `planner`, which may insert into the plan tables and nothing else;
// a what-if stores nothing and runs READ ONLY. The plan is there whole, or not at all.
import type { GuardRails } from '../domain/config/rollout-config.js';
import { countPlan } from '../domain/plan/count-plan.js';
import { estimateDuration, type MeasuredBatch } from '../domain/plan/estimate-duration.js';
import { readGuardRails } from '../domain/plan/guard-rails.js';
import type { PlanReport } from '../domain/plan/plan-report.js';
import type { RateCard } from '../domain/rate-card/rate-card.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { hasAllotments } from '../stores/cell/allotments.js';
import { type CellTransaction, LOCK_CLASS } from '../stores/cell/cell-database.js';
import { type CellRow, findCell } from '../stores/cell/identity.js';
import type { KeyRange } from '../stores/cell/key-range.js';
import { findCanaries, insertUnreadableRange, planRange, type RangeQuestion } from '../stores/cell/plan-ranges.js';
import {
  findSourceRangeEnd,
  hasProtected,
  hasUsage,
  readRecentBatches,
  startPlanning,
} from '../stores/cell/planning.js';
import { insertPlan, lockPlanRequest, takePlanId } from '../stores/cell/plans.js';
import { insertRateCard } from '../stores/cell/rates.js';
import { classifyFailure } from '../stores/postgres-failure.js';
import { type CollectedPlan, createPlanCollection, type PlanCollection } from './collect-plan.js';
import type { WorkerContext } from './context.js';
import { explainFailure } from './explain-failure.js';
import { exportOrgs, type SaveOrgs } from './export-orgs.js';
import { planName } from './plan-name.js';
import { toStoredCard } from './stored-card.js';

export interface PlanQuestion {
  readonly dataCenter: string;
  readonly card: RateCard;
  /** Who asks; must not approve it. */
  readonly author: string;
  /** Orgs per range, which the apply takes as its batches. */
  readonly rangeSize: number;
  readonly lanes: number;
  readonly rails: GuardRails;
  /** `nothing`: a what-if. A number: a plan that was asked for under it. */
  readonly keep: 'nothing' | 'new_plan' | bigint;
}

export interface PlanHooks {
  /** Gets the orgs read so far. */
  readonly onProgress?: (orgs: number) => void;
  /** Gets every org as CSV, from the same snapshot. */
  readonly saveOrgs?: SaveOrgs | undefined;
  readonly signal?: AbortSignal | undefined;
}

const STATEMENT_MS = 30_000;

/** Throws not_initialised, plan_busy, plan_stopped and what a cell can fail by; then nothing is stored. */
export async function makePlan(
  context: Pick<WorkerContext, 'cells' | 'clock'>,
  question: PlanQuestion,
  hooks: PlanHooks = {},
): Promise<PlanReport> {
  try {
    // a plan that was asked for has its card there already, and is made without the fencer's rights
    if (typeof question.keep !== 'bigint') await saveCard(context, question);
    assertFewEditions(question.card);
    return await planOnce(context, question, hooks, 'quick');
  } catch (error) {
    // a row that cannot be read: once more, with a savepoint before each range
    if (classifyFailure(error).kind === 'bad_value')
      return planOnce(context, question, hooks, 'careful').catch((again: unknown) => {
        throw explainFailure(again, `Data center "${question.dataCenter}"`);
      });
    throw explainFailure(error, `Data center "${question.dataCenter}"`);
  }
}

/** The rule reads rates from the cell: a card that it does not know is added, as rows that nothing uses yet. */
async function saveCard({ cells }: Pick<WorkerContext, 'cells'>, { dataCenter, card }: PlanQuestion): Promise<void> {
  await cells.get(dataCenter).inTransaction('fencer', (tx) => insertRateCard(tx, toStoredCard(card)));
}

/** The place of an edition lies in nine bits of a column. */
const MOST_EDITIONS = 500;

function assertFewEditions(card: RateCard): void {
  if (card.editions.size <= MOST_EDITIONS) return;
  throw new RolloutError('invalid_argument', {
    message: `The rate card ${card.name} has ${card.editions.size} editions; a plan holds ${MOST_EDITIONS} at most.`,
  });
}

type Care = 'quick' | 'careful';

async function planOnce(
  context: Pick<WorkerContext, 'cells' | 'clock'>,
  question: PlanQuestion,
  hooks: PlanHooks,
  care: Care,
): Promise<PlanReport> {
  const started = context.clock.now().getTime();
  const cell = context.cells.get(question.dataCenter);
  return cell.inTransaction(
    'planner',
    async (tx) => {
      const snapshotAt = await startPlanning(tx, question.keep === 'nothing' ? 'read_only' : 'may_insert');
      const found = await findAttachedCell(tx, question.dataCenter);
      const planId = await choosePlanId(tx, question);
      const usage = await hasUsage(tx);
      const protects = await hasProtected(tx);
      const editions = [...question.card.editions.keys()];
      const collection = createPlanCollection(editions);
      const ranges = await planRanges(tx, {
        question,
        hooks,
        care,
        collection,
        planId,
        editions,
        usage,
        protects,
        found,
      });
      const collected = collection.finish(usage ? 'has_usage' : 'no_usage');
      if (hooks.saveOrgs) await exportOrgs(tx, question.card.hash, hooks.saveOrgs);
      const planningMs = context.clock.now().getTime() - started;
      const recent = await readRecentBatches(tx);
      const draft = toReport({ question, found, collected, snapshotAt, planningMs, recent });
      if (planId === null) return draft;
      const { orgs: lists, ...counts } = { ...draft, planId: planName(question.dataCenter, planId) };
      const digest = await insertPlan(tx, {
        planId,
        cardHash: question.card.hash,
        sourceSignature: found.sourceSignature ?? '',
        author: question.author,
        snapshotAt,
        ranges,
        orgs: draft.counts.orgs,
        touched: draft.counts.touched,
        canaries: collected.canaries,
        counts,
        lists,
      });
      return { ...counts, orgs: lists, digest };
    },
    { statementMs: STATEMENT_MS },
  );
}

async function findAttachedCell(tx: CellTransaction, dataCenter: string): Promise<CellRow> {
  const found = await findCell(tx);
  if (found?.sourceSignature == null)
    throw new RolloutError('not_initialised', {
      message: `The views of data center "${dataCenter}" are not attached to its source.`,
    });
  return found;
}

async function choosePlanId(tx: CellTransaction, { keep, dataCenter }: PlanQuestion): Promise<bigint | null> {
  if (keep === 'nothing') return null;
  if (keep === 'new_plan') return takePlanId(tx);
  if (await lockPlanRequest(tx, LOCK_CLASS, keep)) return keep;
  throw new RolloutError('plan_busy', {
    message: `Plan ${planName(dataCenter, keep)} is being made by another worker.`,
  });
}

interface Scan {
  readonly question: PlanQuestion;
  readonly hooks: PlanHooks;
  readonly care: Care;
  readonly collection: PlanCollection;
  readonly planId: bigint | null;
  readonly editions: readonly string[];
  readonly usage: boolean;
  readonly protects: boolean;
  readonly found: CellRow;
}

/** Returns how many ranges there are; together they cover every possible id. */
async function planRanges(tx: CellTransaction, scan: Scan): Promise<number> {
  let lowerId: string | null = null;
  let rangeNo = 0;
  do {
    if (scan.hooks.signal?.aborted)
      throw new RolloutError('plan_stopped', {
        message: `The planning of "${scan.question.dataCenter}" was stopped; no plan was made.`,
      });
    rangeNo += 1;
    lowerId = await planNext(tx, scan, rangeNo, lowerId, scan.question.rangeSize);
    scan.hooks.onProgress?.(scan.collection.orgs);
  } while (lowerId !== null);
  return rangeNo;
}

/** Plans the range that begins at `lowerId` and returns where it ends. */
async function planNext(
  tx: CellTransaction,
  scan: Scan,
  rangeNo: number,
  lowerId: string | null,
  size: number,
): Promise<string | null> {
  const upperId = await findSourceRangeEnd(tx, lowerId, size);
  const range = { lowerId, upperId };
  if (scan.care === 'quick') {
    await addRange(tx, scan, rangeNo, range);
    return upperId;
  }
  try {
    await tx.transaction((nested) => addRange(nested, scan, rangeNo, range));
    return upperId;
  } catch (error) {
    if (classifyFailure(error).kind !== 'bad_value') throw error;
    if (size > 1) return planNext(tx, scan, rangeNo, lowerId, Math.max(1, Math.floor(size / 8)));
    scan.collection.addUnreadable(1);
    if (scan.planId !== null) await insertUnreadableRange(tx, range, { planId: scan.planId, rangeNo });
    return upperId;
  }
}

/** Counts a range in, and finds the canaries of the branches that are new in it. */
async function addRange(tx: CellTransaction, scan: Scan, rangeNo: number, range: KeyRange): Promise<void> {
  const question = await askRange(tx, scan, rangeNo, range);
  const planned = await planRange(tx, range, question);
  const branches = scan.collection.listNewBranches(planned);
  const canaries = branches.length === 0 ? [] : await findCanaries(tx, range, question, branches);
  scan.collection.add(planned);
  scan.collection.addCanaries(canaries);
}

async function askRange(
  tx: CellTransaction,
  { planId, question, editions, usage, protects, found, collection }: Scan,
  rangeNo: number,
  range: KeyRange,
): Promise<RangeQuestion> {
  return {
    planId,
    rangeNo,
    cardHash: question.card.hash,
    editions,
    rule: (await hasAllotments(tx, range)) ? 'decided' : 'decided_first',
    unique: found.sourceUnique,
    usage,
    protects,
    ranks: collection.ranks,
  };
}

interface Material {
  readonly question: PlanQuestion;
  readonly found: CellRow;
  readonly collected: CollectedPlan;
  readonly snapshotAt: Date;
  readonly planningMs: number;
  readonly recent: readonly MeasuredBatch[];
}

function toReport({ question, found, collected, snapshotAt, planningMs, recent }: Material): PlanReport {
  const { branches, quarantined, histogram, usage, orgs } = collected;
  const counts = countPlan(branches, {
    quarantined: quarantined.reduce((sum, reason) => sum + reason.orgs, 0),
    unpaidEdition: question.card.unpaid,
    paidFalling: collected.paidFalling,
    maxRaiseFactor: collected.maxRaiseFactor,
    maxFloorOverPlan: collected.maxFloorOverPlan,
    protectedTouched: collected.protectedTouched,
    staleLeftOut: 0,
  });
  return {
    planId: null,
    dataCenter: question.dataCenter,
    zone: found.zone,
    source: found.source ?? '',
    author: question.author,
    snapshotAt: snapshotAt.toISOString(),
    card: { name: question.card.name, hash: question.card.hash },
    digest: null,
    planningMs,
    counts,
    branches,
    quarantined,
    histogram,
    rails: readGuardRails(counts, question.rails),
    duration: estimateDuration({
      orgs: counts.touched,
      batches: recent,
      batchOrgs: question.rangeSize,
      lanes: question.lanes,
      planning: { durationMs: planningMs, orgs: counts.orgs },
    }),
    usage,
    orgs,
  };
}
