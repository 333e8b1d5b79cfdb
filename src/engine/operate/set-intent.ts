// Pause, resume and abort: writes first what the operator wants, then takes the steps that follow from it at once, also
// where no scheduler runs.

import { isClosedAt } from '../../domain/rollout/decision.js';
import { adviseFitting } from '../../domain/rollout/fitting-verbs.js';
import { decidePauseEnd, type PauseEnd } from '../../domain/rollout/pause-end.js';
import type { PauseReading } from '../../domain/rollout/snapshot.js';
import { type Intent, RESTING_STAGES, SLOT_STAGES, type Stage } from '../../domain/rollout/stage.js';
import { type Advice, advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { listFenceHolders } from '../../stores/cell/batch/fence.js';
import type { LockHolder } from '../../stores/cell/lock-holders.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type ControlTransaction, readControlClock } from '../../stores/control/control-database.js';
import {
  type DataCenterRow,
  type RequestedRollout,
  type RolloutPosition,
  transitionDataCenter,
} from '../../stores/control/data-centers.js';
import { isScheduler } from '../../stores/control/roles.js';
import type { EngineContext } from '../context.js';
import { lockKnownDataCenter, rejectChanged, type SeenRevision, toPause } from '../data-center.js';
import { readCell } from '../rollout/read-cell.js';
import { tick } from '../scheduler/tick.js';

export type { LockHolder } from '../../stores/cell/lock-holders.js';

export interface IntentRequest extends SeenRevision {
  readonly dataCenter: string;
  readonly intent: Intent;
  readonly reason: string | null;
  /** When a pause ends by itself; left out: a person ends it. */
  readonly end?: PauseEnd | undefined;
}

export interface IntentReport {
  readonly dataCenter: string;
  readonly intent: Intent;
  readonly stage: Stage;
  /** The fence is confirmed closed: nothing of ours commits any more. */
  readonly fenceConfirmedClosed: boolean;
  readonly revision: number;
  /** Null: it is not paused. */
  readonly pause: PauseReading | null;
}

/**
 * Repeating it is harmless. Throws unknown_data_center, wrong_stage, revision_changed; of the end of a pause as
 * decidePauseEnd.
 */
export async function setIntent(context: EngineContext, request: IntentRequest): Promise<IntentReport> {
  await saveIntent(context, request);
  return followIntent(context, request);
}

async function saveIntent(context: EngineContext, request: IntentRequest): Promise<void> {
  await context.control.inTransaction(async (tx) => {
    const row = await lockKnownDataCenter(tx, request.dataCenter);
    // it is what was asked for, whoever was faster
    if (request.intent === 'abort' && row.stage === 'aborted' && row.requestedAt === null) return;
    rejectChanged(row, request);
    rejectUnfit(row, request.intent);
    const pausedUntil = await readEnd(tx, row, request);
    const withdrawn = request.intent === 'abort' && RESTING_STAGES.includes(row.stage);
    const given = row.stage === 'failed' && withdrawn ? ({ stage: 'aborted' } as const) : {};
    await transitionDataCenter(tx, row, {
      ...given,
      intent: withdrawn ? 'run' : request.intent,
      ...(withdrawn && { requestedAt: null }),
      ...(request.intent === 'pause' && { pauseReason: request.reason, pausedUntil }),
    });
    await appendAudit(tx, {
      action: request.intent === 'run' ? 'resume' : request.intent,
      dataCenter: row.id,
      reason: request.reason,
      details: { stage: row.stage, ...(pausedUntil !== null && { until: pausedUntil.toISOString() }) },
    });
  });
}

/** By control's clock, which is also the scheduler's that ends it. */
const readEnd = async (
  tx: ControlTransaction,
  { zone }: Pick<DataCenterRow, 'zone'>,
  { end }: IntentRequest,
): Promise<Date | null> => (end === undefined ? null : decidePauseEnd(end, zone, await readControlClock(tx)));

/** Takes the steps that are due, and reads how far it has come. */
async function followIntent(context: EngineContext, request: IntentRequest): Promise<IntentReport> {
  await tickWherePermitted(context);
  await context.wakeUps.wakeSchedulers();
  return readIntent(context, request);
}

/** A login that is no scheduler's leaves the steps to one, which is woken up. */
async function tickWherePermitted(context: EngineContext): Promise<void> {
  if (await context.control.inTransaction(isScheduler)) await tick(context);
}

/** How long an acknowledgement is waited for, in ms. */
const ACKNOWLEDGE_TIMEOUT_MS = 3_000;
const POLL_INTERVAL_MS = 100;

/**
 * Writes the intent, then takes steps until it is acknowledged, for at most 3 s; `isAcknowledged` tells the two
 * outcomes apart. Does not wait for `run`. What is written stands: an error after it is thrown only where it lasts.
 */
export async function setIntentAndWait(context: EngineContext, request: IntentRequest): Promise<IntentReport> {
  await saveIntent(context, request);
  const until = performance.now() + ACKNOWLEDGE_TIMEOUT_MS;
  let reached: IntentReport | undefined;
  let failure: unknown;
  do {
    try {
      reached = await followIntent(context, request);
      if (request.intent === 'run' || isAcknowledged(reached)) return reached;
    } catch (error) {
      failure = error;
    }
    await context.clock.sleep(POLL_INTERVAL_MS);
  } while (performance.now() < until);
  if (reached === undefined) throw failure;
  return reached;
}

/** A pause: nothing of ours commits any more. An abort: that, and the rollout has ended. */
export const isAcknowledged = ({ intent, fenceConfirmedClosed, stage }: IntentReport): boolean =>
  fenceConfirmedClosed && (intent !== 'abort' || stage === 'aborted' || stage === 'pending' || stage === 'done');

/** How far the intent has come. */
export async function readIntent(context: EngineContext, { dataCenter, intent }: IntentRequest): Promise<IntentReport> {
  const row = await context.control.inTransaction((tx) => lockKnownDataCenter(tx, dataCenter));
  const fenceConfirmedClosed = row.fenceConfirmedClosed && (row.intent === 'run' || (await isCellIdle(context, row)));
  const { stage, revision } = row;
  return { dataCenter, intent, stage, fenceConfirmedClosed, revision, pause: toPause(row) };
}

/**
 * Read in the cell: control or the cell may have been restored since the fence was closed, and in a data center that is
 * done a nightly run or the change feed may still write.
 */
async function isCellIdle(
  context: EngineContext,
  { id, stage, epoch, adoption }: Pick<DataCenterRow, 'id' | 'stage' | 'epoch' | 'adoption'>,
): Promise<boolean> {
  if (stage !== 'done' && !SLOT_STAGES.includes(stage)) return true;
  const reading = await readCell(() => context.cells.get(id), { runId: null, adoption });
  if (reading.kind !== 'read') return false;
  const { fence } = reading;
  return stage === 'done' ? fence.state === 'closed' && !fence.singleWrites : isClosedAt(epoch ?? 0n, fence);
}

type FitRow = Pick<DataCenterRow, 'id' | 'gateLatchedAt'> &
  Pick<RolloutPosition, 'stage' | 'intent' | 'undoFailed'> &
  Pick<RequestedRollout, 'requestedAt'>;

/** Throws wrong_stage, with the stage, for a command that does not fit it. */
function rejectUnfit(row: FitRow, intent: Intent): void {
  const underWay = row.requestedAt !== null || !RESTING_STAGES.includes(row.stage);
  // a data center that is done has nightly runs and a change feed
  const fits =
    underWay ||
    (intent === 'pause' && row.stage === 'done') ||
    (intent === 'abort' && row.stage === 'failed') ||
    (intent === 'run' && row.intent === 'pause');
  if (!fits)
    throw new RolloutError('wrong_stage', {
      message:
        `Data center "${row.id}" has no rollout under way (stage ${row.stage}), so there is nothing to ` +
        `${intent === 'run' ? 'resume' : intent}.`,
      next: intent === 'abort' && row.stage === 'done' ? adviseEndOfMaintenance(row) : adviseFitting(row.id, row),
    });
  if (row.stage === 'undoing' && intent === 'abort')
    throw new RolloutError('wrong_stage', {
      message: `Data center "${row.id}" is being undone, which cannot be aborted halfway.`,
      next: adviseFitting(row.id, row),
    });
  if (row.intent === 'abort' && intent !== 'abort')
    throw new RolloutError('wrong_stage', {
      message: `The rollout of data center "${row.id}" is being aborted; an abort cannot be undone.`,
      next: adviseFitting(row.id, row),
    });
}

/** A nightly run, a reconciliation or a sweep is no rollout: nothing of it is taken back, and the next one follows. */
const adviseEndOfMaintenance = (row: FitRow): Advice => [
  ...advise`No command ends what runs there at night, on request or after the cut-over; it ends by itself. \
This holds it until you resume it: ${command`pause --dc ${row.id}`} `,
  ...adviseFitting(row.id, row),
];

/** Who delays the confirmation of a pause: the sessions in the cell that still hold its fence. */
export function readFenceHolders(
  context: Pick<EngineContext, 'cells'>,
  dataCenter: string,
): Promise<readonly LockHolder[]> {
  return context.cells.get(dataCenter).inTransaction('state', listFenceHolders);
}
