// The dry run: reads a whole cell in one snapshot as `planner`, which may only insert into the plan tables. A what-if
// stores nothing and runs READ ONLY. A plan is stored whole or not at all.
import { type BatchSize, chooseByBatches, chooseByPlanning, SAMPLE_ORGS } from '../../domain/plan/batch-size.js';
import type { PlanReport } from '../../domain/plan/plan-report.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { fixedReadMs } from '../../domain/source/read-times.js';
import type { Clock } from '../../kernel/clock.js';
import { retryWithBackoff } from '../../kernel/retry.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellDatabase, CellTransaction } from '../../stores/cell/cell-database.js';
import { type CellRow, findCell, rejectChangedSource } from '../../stores/cell/identity.js';
import { canLeaveOut, countLeftOut, noteLeftOut } from '../../stores/cell/left-out.js';
import { insertRateCard } from '../../stores/cell/org/rates.js';
import { readListedOrgs } from '../../stores/cell/plan/plan-lists.js';
import { lockPlanRequest } from '../../stores/cell/plan/plan-requests.js';
import {
  hasUsage,
  type PlanAccess,
  type RecentBatch,
  readRecentBatches,
  shareSnapshot,
  startPlanning,
} from '../../stores/cell/plan/planning.js';
import { finishPlan, nextPlanId } from '../../stores/cell/plan/plans.js';
import { readReadTimes } from '../../stores/cell/setup/read-times.js';
import { ALIKE } from '../../stores/cell/unreadable.js';
import { classifyFailure, isRowFailure } from '../../stores/postgres-failure.js';
import type { WorkerContext } from '../context.js';
import { toStoredCard } from '../stored-card.js';
import { type CollectedPlan, createPlanCollection } from './collect-plan.js';
import { countLeftOutAs } from './count-left-out.js';
import { describePlan } from './describe-plan.js';
import { exportOrgs } from './export-orgs.js';
import { planName } from './plan-id.js';
import { planInParallel } from './plan-in-parallel.js';
import type { PlanHooks, PlanQuestion } from './plan-question.js';
import { isUnreadable, planRanges, type ReadMode } from './plan-ranges.js';
import { createRangeCursor, type RangeCursor, type SizeChoice } from './range-cursor.js';

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
    return await planAgainWhereCutOff(context, question, hooks);
  } catch (error) {
    // some row cannot be read: again, with a savepoint before each range
    if (isRowFailure(error)) return planOnce(context, question, hooks, { kind: 'careful', cause: error });
    throw error;
  }
}

const ATTEMPTS = 3;

/** A machine that is too slow for our own time limit, or a lost connection: nothing was stored, so it begins anew. */
function planAgainWhereCutOff(
  context: Pick<WorkerContext, 'cells' | 'clock'>,
  question: PlanQuestion,
  hooks: PlanHooks,
): Promise<PlanReport> {
  return retryWithBackoff(() => planOnce(context, question, hooks, { kind: 'quick' }), {
    clock: context.clock,
    // what is written to a file is not written twice
    attempts: hooks.saveOrgs === undefined ? ATTEMPTS : 1,
    pauseMs: (attempt) => attempt * 500,
    retriesError: (error) => {
      const { kind, sqlstate = '' } = classifyFailure(error);
      return kind === 'retry' && sqlstate !== '55P03' && !isRowFailure(error);
    },
  });
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
  const read = async (tx: CellTransaction): Promise<ReadPlan> => {
    const snapshotAt = await startPlanning(tx, accessOf(question));
    const found = await findAttachedCell(tx, question.dataCenter);
    const planId = await choosePlanId(tx, question);
    const lanes = countConnections({ question, readMode });
    // before the export, whose savepoints would forbid it
    const snapshot = lanes > 1 ? await shareSnapshot(tx) : null;
    // first: a full disk must end this before the other connections have committed what they stored
    if (hooks.saveOrgs) await exportOrgs(tx, question.card.hash, hooks.saveOrgs);
    const recent = await readRecentBatches(tx);
    const size = sizeOf(question, recent, fixedReadMs(await readReadTimes(tx)));
    const cursor = createRangeCursor(size, { clock: context.clock, mode: readMode.kind });
    const reading = { cell, question, hooks, readMode, planId, snapshot, cursor, clock: context.clock };
    const collected = await readRanges(tx, reading);
    const planningMs = context.clock.now().getTime() - started;
    const of = { question, batchSize: cursor.size, found, collected, leftOut: await leftOut };
    const draft = describePlan({ ...of, snapshotAt, planningMs, recent });
    const plan = { draft, planId, canaries: collected.canaries, leavesOut };
    // with one connection, so that a requested plan is there as a whole or not at all
    return countConnections(reading) === 1 ? { ...plan, report: await finish(tx, plan) } : plan;
  };
  const leavesOut = await cell.inTransaction('planner', canLeaveOut);
  // begun first, so that it waits for no connection of the plan, which waits for it
  const leftOut = leavesOut
    ? countLeftOutAs(cell, 'planner', question.save === 'nothing' ? countLeftOut : noteLeftOut)
    : Promise.resolve(0);
  const ended = leftOut.catch(() => undefined);
  const plan = await cell.inTransaction('planner', read, { statementMs: STATEMENT_MS }).finally(() => ended);
  // after all connections have committed: the snapshot of the plan does not see what the others stored
  return plan.report ?? cell.inTransaction('planner', (tx) => finish(tx, plan), { statementMs: STATEMENT_MS });
}

interface ReadPlan {
  readonly draft: PlanReport;
  readonly planId: bigint | null;
  readonly canaries: CollectedPlan['canaries'];
  /** Orgs of the source may be left out: they are counted apart. */
  readonly leavesOut: boolean;
  /** It is finished. */
  readonly report?: PlanReport;
}

/** Adds the plan's own row: from then on the plan exists. A what-if has none. */
async function finish(tx: CellTransaction, { draft, planId, canaries, leavesOut }: ReadPlan): Promise<PlanReport> {
  if (planId === null) return draft;
  if (!leavesOut) await noteLeftOut(tx);
  const { orgs: lists, digest: _, ...report } = { ...draft, planId: planName(draft.dataCenter, planId) };
  const digest = await finishPlan(tx, {
    planId,
    cardHash: draft.card.hash,
    author: draft.author,
    snapshotAt: new Date(draft.snapshotAt),
    canaries,
    report,
    lists,
  });
  return { ...report, orgs: lists, digest };
}

const accessOf = ({ save }: PlanQuestion): PlanAccess => (save === 'nothing' ? 'read_only' : 'may_insert');

/** Fewer than a command's connections to a cell. */
const MAX_CONNECTIONS = 3;

// a requested plan that fails is made again with the same number: one transaction, so that nothing of it stays
const countConnections = ({ question: { save, lanes }, readMode }: Pick<Reading, 'question' | 'readMode'>): number =>
  readMode.kind === 'careful' || typeof save === 'bigint' ? 1 : Math.min(lanes, MAX_CONNECTIONS);

interface Reading {
  readonly cell: CellDatabase;
  readonly question: PlanQuestion;
  readonly hooks: PlanHooks;
  readonly readMode: ReadMode;
  readonly planId: bigint | null;
  /** For further connections; null: there are none. */
  readonly snapshot: string | null;
  readonly cursor: RangeCursor;
  readonly clock: Clock;
}

/** As configured, else by earlier batches, else by the first ranges. */
const sizeOf = (
  { rangeSize }: PlanQuestion,
  recent: readonly RecentBatch[],
  fixedMs: number,
): BatchSize | SizeChoice =>
  rangeSize === 'auto'
    ? (chooseByBatches(recent, fixedMs) ?? {
        sampleOrgs: SAMPLE_ORGS,
        choose: (planned) => chooseByPlanning(planned, fixedMs),
      })
    : { orgs: rangeSize, basis: 'configured', perOrgUs: null };

async function readRanges(tx: CellTransaction, reading: Reading): Promise<CollectedPlan> {
  const usage = await hasUsage(tx);
  const editions = [...reading.question.card.editions.keys()];
  const collection = createPlanCollection(editions);
  const scan = { ...reading, collection, editions };
  const parallel = {
    cell: reading.cell,
    access: accessOf(reading.question),
    count: countConnections(reading),
    snapshot: reading.snapshot ?? '',
    statementMs: STATEMENT_MS,
  };
  await planInParallel(tx, parallel, (connection) => planRanges(connection, scan), reading.cursor.close);
  if (scan.readMode.kind === 'careful' && isUnreadable(collection, ALIKE.leastOfSource)) throw scan.readMode.cause;
  const listed = await readListedOrgs(tx, collection.listedIds, reading.question.card.hash);
  return collection.finish(usage ? 'has_usage' : 'no_usage', listed);
}

async function findAttachedCell(tx: CellTransaction, dataCenter: string): Promise<CellRow> {
  const found = await findCell(tx);
  if (found?.sourceSignature == null)
    throw new RolloutError('not_initialised', {
      message: `The views of data center "${dataCenter}" are not attached to its source.`,
    });
  await rejectChangedSource(tx, dataCenter);
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
