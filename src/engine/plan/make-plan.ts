// The dry run: reads a whole cell in one snapshot as `planner`, which may only insert into the plan tables. A what-if
// stores nothing and runs READ ONLY. A plan is stored whole or not at all.
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
import { planInParallel } from './plan-in-parallel.js';
import type { PlanHooks, PlanQuestion } from './plan-question.js';
import { planRanges, type ReadMode } from './plan-ranges.js';
import { createRangeCursor } from './range-cursor.js';

export type { PlanHooks, PlanQuestion } from './plan-question.js';

const STATEMENT_MS = 30_000;

/** Throws not_initialised, invalid_argument, plan_busy, plan_stopped; then nothing is stored. */
export async function makePlan(
  context: Pick<WorkerContext, 'cells' | 'clock'>,
  question: PlanQuestion,
  hooks: PlanHooks = {},
): Promise<PlanReport> {
  try {
    // for a requested plan the card is in the cell already, and a worker does not have the fencer's rights
    if (typeof question.save !== 'bigint') await saveCard(context, question);
    assertFewEditions(question.card);
    return await planOnce(context, question, hooks, 'quick');
  } catch (error) {
    // some row cannot be read: again, with a savepoint before each range
    if (classifyFailure(error).kind === 'bad_value') return planOnce(context, question, hooks, 'careful');
    throw error;
  }
}

/** The rule reads rates from the cell: a new card is added as rows that nothing uses yet. */
async function saveCard({ cells }: Pick<WorkerContext, 'cells'>, { dataCenter, card }: PlanQuestion): Promise<void> {
  await cells.get(dataCenter).inTransaction('state', (tx) => insertRateCard(tx, toStoredCard(card)));
}

/** The number of an edition is stored in a few bits. */
const MAX_EDITIONS = 500;

function assertFewEditions(card: RateCard): void {
  if (card.editions.size <= MAX_EDITIONS) return;
  throw new RolloutError('invalid_argument', {
    message: `The rate card ${card.name} has ${card.editions.size} editions; a plan can have at most ${MAX_EDITIONS}.`,
  });
}

async function planOnce(
  context: Pick<WorkerContext, 'cells' | 'clock'>,
  question: PlanQuestion,
  hooks: PlanHooks,
  readMode: ReadMode,
): Promise<PlanReport> {
  const started = context.clock.now().getTime();
  const cell = context.cells.get(question.dataCenter);
  const plan = async (tx: CellTransaction): Promise<PlanReport> => {
    const snapshotAt = await startPlanning(tx, accessOf(question));
    const found = await findAttachedCell(tx, question.dataCenter);
    const planId = await choosePlanId(tx, question);
    // first: a full disk must end this before the other connections have committed what they stored
    if (hooks.saveOrgs) await exportOrgs(tx, question.card.hash, hooks.saveOrgs);
    const { ranges, collected } = await readRanges(tx, { cell, question, hooks, readMode, planId, found });
    const planningMs = context.clock.now().getTime() - started;
    const recent = await readRecentBatches(tx);
    const draft = describePlan({ question, found, collected, snapshotAt, planningMs, recent });
    return planId === null ? draft : savePlan(tx, draft, { planId, ranges, found, collected });
  };
  return cell.inTransaction('planner', plan, { statementMs: STATEMENT_MS });
}

const accessOf = ({ save }: PlanQuestion): PlanAccess => (save === 'nothing' ? 'read_only' : 'may_insert');

/** Fewer than a command's connections to a cell. */
const MAX_CONNECTIONS = 3;

// a requested plan that fails is made again with the same number: one transaction, so that nothing of it stays
const countConnections = ({ question: { save, lanes }, readMode }: Reading): number =>
  readMode === 'careful' || typeof save === 'bigint' ? 1 : Math.min(lanes, MAX_CONNECTIONS);

interface Reading {
  readonly cell: CellDatabase;
  readonly question: PlanQuestion;
  readonly hooks: PlanHooks;
  readonly readMode: ReadMode;
  readonly planId: bigint | null;
  readonly found: CellRow;
}

async function readRanges(
  tx: CellTransaction,
  reading: Reading,
): Promise<{ readonly ranges: number; readonly collected: CollectedPlan }> {
  const usage = await hasUsage(tx);
  const protects = await hasProtected(tx);
  const hasStored = await hasAllotments(tx, { lowerId: null, upperId: null });
  const editions = [...reading.question.card.editions.keys()];
  const collection = createPlanCollection(editions);
  const cursor = createRangeCursor(reading.question.rangeSize);
  const scan = { ...reading, collection, cursor, editions, usage, hasStored, protects };
  const parallel = {
    cell: reading.cell,
    access: accessOf(reading.question),
    count: countConnections(reading),
    statementMs: STATEMENT_MS,
  };
  await planInParallel(tx, parallel, (connection) => planRanges(connection, scan), cursor.close);
  const listed = await readListedOrgs(tx, collection.listedIds, reading.question.card.hash);
  return { ranges: cursor.ranges, collected: collection.finish(usage ? 'has_usage' : 'no_usage', listed) };
}

interface PlannedCell {
  readonly planId: bigint;
  readonly ranges: number;
  readonly found: CellRow;
  readonly collected: CollectedPlan;
}

/** Inserts the plan's own row: from then on the plan exists. */
async function savePlan(
  tx: CellTransaction,
  draft: PlanReport,
  { planId, ranges, found, collected }: PlannedCell,
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

async function choosePlanId(tx: CellTransaction, { save, dataCenter }: PlanQuestion): Promise<bigint | null> {
  if (save === 'nothing') return null;
  if (save === 'new_plan') return nextPlanId(tx);
  if (await lockPlanRequest(tx, save)) return save;
  throw new RolloutError('plan_busy', {
    message: `Plan ${planName(dataCenter, save)} is being made by another worker.`,
  });
}
