// The dry run: reads a whole cell in one snapshot as `planner`, which may insert into the plan tables and nothing else;
// a what-if stores nothing and runs READ ONLY. The plan is there whole, or not at all.
import type { PlanReport } from '../../domain/plan/plan-report.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { hasAllotments } from '../../stores/cell/batch/allotments.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { type CellRow, findCell } from '../../stores/cell/identity.js';
import { insertRateCard } from '../../stores/cell/org/rates.js';
import { readListedOrgs } from '../../stores/cell/plan/plan-lists.js';
import { lockPlanRequest } from '../../stores/cell/plan/plan-requests.js';
import {
  hasProtected,
  hasUsage,
  type PlanAccess,
  readRecentBatches,
  startPlanning,
} from '../../stores/cell/plan/planning.js';
import { insertPlan, nextPlanId } from '../../stores/cell/plan/plans.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import { toStoredCard } from '../stored-card.js';
import { type CollectedPlan, createPlanCollection } from './collect-plan.js';
import { describePlan } from './describe-plan.js';
import { exportOrgs } from './export-orgs.js';
import { planName } from './plan-id.js';
import { workInLanes } from './plan-in-parallel.js';
import type { PlanHooks, PlanQuestion } from './plan-question.js';
import { planRanges, type ReadMode } from './plan-ranges.js';
import { createRangeCursor } from './range-cursor.js';

export type { PlanHooks, PlanQuestion } from './plan-question.js';

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
    if (classifyFailure(error).kind === 'bad_value') return planOnce(context, question, hooks, 'careful');
    throw error;
  }
}

/** The rule reads rates from the cell: a card that it does not know is added, as rows that nothing uses yet. */
async function saveCard({ cells }: Pick<WorkerContext, 'cells'>, { dataCenter, card }: PlanQuestion): Promise<void> {
  await cells.get(dataCenter).inTransaction('fencer', (tx) => insertRateCard(tx, toStoredCard(card)));
}

/** The place of an edition lies in a few bits of a number. */
const MAX_EDITIONS = 500;

function assertFewEditions(card: RateCard): void {
  if (card.editions.size <= MAX_EDITIONS) return;
  throw new RolloutError('invalid_argument', {
    message: `The rate card ${card.name} has ${card.editions.size} editions; a plan holds ${MAX_EDITIONS} at most.`,
  });
}

async function planOnce(
  context: Pick<WorkerContext, 'cells' | 'clock'>,
  question: PlanQuestion,
  hooks: PlanHooks,
  care: ReadMode,
): Promise<PlanReport> {
  const started = context.clock.now().getTime();
  const cell = context.cells.get(question.dataCenter);
  const plan = async (tx: CellTransaction): Promise<PlanReport> => {
    const snapshotAt = await startPlanning(tx, accessOf(question));
    const found = await findAttachedCell(tx, question.dataCenter);
    const planId = await choosePlanId(tx, question);
    // first: a disk that is full must end this before the lanes have committed what they stored
    if (hooks.saveOrgs) await exportOrgs(tx, question.card.hash, hooks.saveOrgs);
    const { ranges, collected } = await readRanges(tx, { cell, question, hooks, care, planId, found });
    const planningMs = context.clock.now().getTime() - started;
    const recent = await readRecentBatches(tx);
    const draft = describePlan({ question, found, collected, snapshotAt, planningMs, recent });
    return planId === null ? draft : keepPlan(tx, draft, { planId, ranges, found, collected });
  };
  return cell.inTransaction('planner', plan, { statementMs: STATEMENT_MS });
}

const accessOf = ({ keep }: PlanQuestion): PlanAccess => (keep === 'nothing' ? 'read_only' : 'may_insert');

/** Fewer than a command's connections to a cell. */
const MAX_LANES = 3;

// a plan that was asked for keeps its number when it fails: nothing of it may be left, so one transaction makes it
const countLanes = ({ question: { keep, lanes }, care }: Reading): number =>
  care === 'careful' || typeof keep === 'bigint' ? 1 : Math.min(lanes, MAX_LANES);

interface Reading {
  readonly cell: CellDatabase;
  readonly question: PlanQuestion;
  readonly hooks: PlanHooks;
  readonly care: ReadMode;
  readonly planId: bigint | null;
  readonly found: CellRow;
}

async function readRanges(
  tx: CellTransaction,
  reading: Reading,
): Promise<{ readonly ranges: number; readonly collected: CollectedPlan }> {
  const usage = await hasUsage(tx);
  const protects = await hasProtected(tx);
  const stands = await hasAllotments(tx, { lowerId: null, upperId: null });
  const editions = [...reading.question.card.editions.keys()];
  const collection = createPlanCollection(editions);
  const cursor = createRangeCursor(reading.question.rangeSize);
  const scan = { ...reading, collection, cursor, editions, usage, stands, protects };
  const lanes = {
    cell: reading.cell,
    access: accessOf(reading.question),
    count: countLanes(reading),
    statementMs: STATEMENT_MS,
  };
  await workInLanes(tx, lanes, (lane) => planRanges(lane, scan), cursor.close);
  const listed = await readListedOrgs(tx, collection.listedIds, reading.question.card.hash);
  return { ranges: cursor.ranges, collected: collection.finish(usage ? 'has_usage' : 'no_usage', listed) };
}

interface Kept {
  readonly planId: bigint;
  readonly ranges: number;
  readonly found: CellRow;
  readonly collected: CollectedPlan;
}

/** The plan's own row, with which it is there. */
async function keepPlan(
  tx: CellTransaction,
  draft: PlanReport,
  { planId, ranges, found, collected }: Kept,
): Promise<PlanReport> {
  const { orgs: lists, digest: _, ...report } = { ...draft, planId: planName(draft.dataCenter, planId) };
  const digest = await insertPlan(tx, {
    planId,
    cardHash: draft.card.hash,
    sourceSignature: found.sourceSignature ?? '',
    author: draft.author,
    snapshotAt: new Date(draft.snapshotAt),
    ranges,
    orgs: draft.counts.orgs,
    touched: draft.counts.touched,
    sums: collected.sums,
    canaries: collected.canaries,
    report,
    lists,
  });
  return { ...report, orgs: lists, digest };
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
  if (keep === 'new_plan') return nextPlanId(tx);
  if (await lockPlanRequest(tx, keep)) return keep;
  throw new RolloutError('plan_busy', {
    message: `Plan ${planName(dataCenter, keep)} is being made by another worker.`,
  });
}
