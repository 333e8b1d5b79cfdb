// A worker's part of a plan that was asked for: makes it, or says by a code why it cannot be made.
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { loadStoredCard } from '../../stores/cell/org/rates.js';
import { failPlanRequest, findOpenPlanRequest, type PlanRequest } from '../../stores/cell/plan/plan-requests.js';
import type { WorkerContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import { fromStoredCard } from '../stored-card.js';
import { makePlan } from './make-plan.js';

export type PlanRequestOutcome = 'planned' | 'nothing_asked' | 'busy' | 'plan_failed';

/** Codes that another attempt would not change. */
const FINAL: readonly string[] = ['rate_card_changed', 'not_initialised', 'source_detached'];

/** Makes the newest plan that was asked for and not made. Throws what may pass by itself. */
export async function servePlanRequest(
  context: WorkerContext,
  dataCenter: string,
  signal?: AbortSignal,
): Promise<PlanRequestOutcome> {
  const cell = context.cells.get(dataCenter);
  const request = await cell.inTransaction('worker', findOpenPlanRequest);
  if (request === undefined) return 'nothing_asked';
  try {
    await makeRequested(context, dataCenter, request, signal);
    await context.wakeUps.wakeSchedulers();
    return 'planned';
  } catch (thrown) {
    const error = explainFailure(thrown);
    if (!isRolloutError(error)) throw error;
    if (error.code === 'plan_busy') return 'busy';
    if (!FINAL.includes(error.code)) throw error;
    await cell.inTransaction('worker', (tx) => failPlanRequest(tx, request.planId, error.code));
    await context.wakeUps.wakeSchedulers();
    return 'plan_failed';
  }
}

async function makeRequested(
  context: WorkerContext,
  dataCenter: string,
  { planId, cardHash, rangeSize, author }: PlanRequest,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stored = await context.cells.get(dataCenter).inTransaction('worker', (tx) => loadStoredCard(tx, cardHash));
  if (stored === undefined)
    throw new RolloutError('not_initialised', {
      message: `Data center "${dataCenter}" does not have the rate card ${cardHash}.`,
    });
  const card = fromStoredCard(stored);
  // the rates of a card are its hash: rows that say otherwise were edited
  if (card.hash !== cardHash)
    throw new RolloutError('rate_card_changed', {
      message: `The rates in data center "${dataCenter}" are not those of the card ${cardHash}: its rows were edited.`,
    });
  await makePlan(
    context,
    // the guard-rails are the scheduler's: it reads the counts
    { dataCenter, card, author, rangeSize, lanes: 1, rails: { quarantinedShare: 1 }, keep: planId },
    { signal },
  );
}
