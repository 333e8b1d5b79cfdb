// A worker makes a requested plan, or records the code of the error that another attempt would not change.
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { loadStoredCard } from '../../stores/cell/org/rates.js';
import { failPlanRequest, findOpenPlanRequest, type PlanRequest } from '../../stores/cell/plan/plan-requests.js';
import type { WorkerContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import { fromStoredCard } from '../stored-card.js';
import { makePlan } from './make-plan.js';

export type PlanRequestOutcome = 'planned' | 'nothing_asked' | 'busy' | 'plan_failed';

/** Errors that another attempt would not change. */
const FINAL: readonly string[] = ['rate_card_changed', 'not_initialised', 'source_detached'];

/** Makes the newest requested plan that is not made yet. Throws errors that another attempt may not have. */
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
  { planId, cardHash, rangeSize, sizing, author }: PlanRequest,
  signal: AbortSignal | undefined,
): Promise<void> {
  const stored = await context.cells.get(dataCenter).inTransaction('worker', (tx) => loadStoredCard(tx, cardHash));
  if (stored === undefined)
    throw new RolloutError('not_initialised', {
      message: `Data center "${dataCenter}" does not have the rate card ${cardHash}.`,
    });
  const card = fromStoredCard(stored);
  // the hash covers the rates: where it differs, the rows were edited
  if (card.hash !== cardHash)
    throw new RolloutError('rate_card_changed', {
      message: `The rates in data center "${dataCenter}" are not those of the card ${cardHash}: its rows were edited.`,
    });
  await makePlan(
    context,
    // the scheduler checks the counts against the configured guard-rails
    {
      ...{ dataCenter, card, author, lanes: 1, rails: { quarantinedShare: 1 }, save: planId },
      rangeSize: sizing === 'auto' ? sizing : rangeSize,
    },
    { signal },
  );
}
