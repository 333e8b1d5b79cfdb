// Pause, resume and abort: what the operator wants is written first, then acted on at once, with or without a scheduler.
import type { Intent } from '../../domain/rollout/stage.js';
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type DataCenterRow, transitionDataCenter } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { lockKnownDataCenter } from '../data-center.js';
import { readCell } from '../rollout/read-cell.js';
import { tick } from '../scheduler/tick.js';

export interface IntentRequest {
  readonly dataCenter: string;
  readonly intent: Intent;
  readonly reason: string | null;
}

export interface IntentReport {
  readonly dataCenter: string;
  readonly intent: Intent;
  readonly stage: DataCenterRow['stage'];
  /** The fence is closed and acknowledged: nothing of ours commits any more. */
  readonly quiet: boolean;
}

/** Writes the intent and takes the steps that follow from it; repeating it is harmless. */
export async function setIntent(context: EngineContext, request: IntentRequest): Promise<IntentReport> {
  await context.control.inTransaction(async (tx) => {
    const row = await lockKnownDataCenter(tx, request.dataCenter);
    assertFits(row, request.intent);
    const withdrawn = request.intent === 'abort' && RESTING_STAGES.includes(row.stage);
    const given = row.stage === 'failed' && withdrawn ? ({ stage: 'aborted' } as const) : {};
    await transitionDataCenter(tx, row, {
      ...given,
      intent: withdrawn ? 'run' : request.intent,
      ...(withdrawn && { requestedAt: null }),
    });
    await appendAudit(tx, {
      actor: context.actor,
      action: request.intent === 'run' ? 'resume' : request.intent,
      dataCenter: row.id,
      reason: request.reason,
      details: { stage: row.stage },
    });
  });
  await tick(context);
  await context.wakeUps.wakeSchedulers();
  return readIntent(context, request);
}

/** How long an acknowledgement is waited for, in ms. */
const ACKNOWLEDGE_TIMEOUT_MS = 3_000;
const POLL_INTERVAL_MS = 100;

/**
 * Writes the intent, then takes steps until it is acknowledged, for 3 s at most; `isAcknowledged` tells the two outcomes
 * apart. `run` is not waited for.
 */
export async function setIntentAndWait(context: EngineContext, request: IntentRequest): Promise<IntentReport> {
  let report = await setIntent(context, request);
  const until = performance.now() + ACKNOWLEDGE_TIMEOUT_MS;
  while (request.intent !== 'run' && !isAcknowledged(report) && performance.now() < until) {
    await context.clock.sleep(POLL_INTERVAL_MS);
    await tick(context);
    report = await readIntent(context, request);
  }
  return report;
}

/** A pause: nothing of ours commits any more. An abort: that, and the rollout is over. */
export const isAcknowledged = ({ intent, quiet, stage }: IntentReport): boolean =>
  quiet && (intent !== 'abort' || stage === 'aborted' || stage === 'pending' || stage === 'done');

/** How far the intent has come. */
export async function readIntent(context: EngineContext, { dataCenter, intent }: IntentRequest): Promise<IntentReport> {
  const row = await context.control.inTransaction((tx) => lockKnownDataCenter(tx, dataCenter));
  const quiet = row.quiet && (row.intent === 'run' || (await isStill(context, row)));
  return { dataCenter, intent, stage: row.stage, quiet };
}

/** In a data center that is done, a night or the change feed may still write. */
async function isStill(context: EngineContext, row: DataCenterRow): Promise<boolean> {
  if (row.stage !== 'done') return true;
  const reading = await readCell(() => context.cells.get(row.id), { runId: null });
  return reading.kind === 'read' && reading.fence.state === 'closed' && !reading.fence.singleWrites;
}

/** A command that fits no rollout is refused with where the data center is. */
function assertFits(row: DataCenterRow, intent: Intent): void {
  const underWay = row.requestedAt !== null || !RESTING_STAGES.includes(row.stage);
  // what is done has nights and a change feed
  const fits =
    underWay ||
    (intent === 'pause' && row.stage === 'done') ||
    (intent === 'abort' && row.stage === 'failed') ||
    (intent === 'run' && row.intent === 'pause');
  if (!fits)
    throw new RolloutError('wrong_stage', {
      message: `Data center "${row.id}" has no rollout under way (stage ${row.stage}), so there is nothing to ${intent === 'run' ? 'resume' : intent}.`,
    });
  if (row.intent === 'abort' && intent !== 'abort')
    throw new RolloutError('wrong_stage', {
      message: `The rollout of data center "${row.id}" is being aborted; an abort is not taken back.`,
    });
}
