// What the scheduler's process itself reads and writes in control: when it polls again, its settings, and its end.
import type { ReconcileSettings } from '../../domain/config/rollout-config.js';
import { decideNextPoll } from '../../domain/rollout/decide-next-poll.js';
import { readControlClock } from '../../stores/control/control-database.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { saveReconcile } from '../../stores/control/rollout.js';
import { deleteScheduler } from '../../stores/control/schedulers.js';
import type { EngineContext } from '../context.js';

export type { ReconcileSettings } from '../../domain/config/rollout-config.js';

/** By control's rows and control's clock, in ms; `usualMs` where control cannot be read. */
export async function nextPollDelay({ control }: Pick<EngineContext, 'control'>, usualMs: number): Promise<number> {
  try {
    return await control.inTransaction(async (tx) =>
      decideNextPoll(await listDataCenters(tx), await readControlClock(tx), usualMs),
    );
  } catch {
    return usualMs;
  }
}

/**
 * When reconciliations run, and their limits, so that every scheduler and command uses the same. The last saved
 * settings hold; a reconciliation that is due already keeps its instant.
 */
export async function saveReconcileSettings(
  { control }: Pick<EngineContext, 'control'>,
  settings: ReconcileSettings,
): Promise<void> {
  await control.inTransaction((tx) => saveReconcile(tx, settings));
}

/** Deletes the scheduler's heartbeat at a clean stop, so that `status` is right at once. */
export async function reportSchedulerGone(context: Pick<EngineContext, 'control'>, schedulerId: string): Promise<void> {
  await context.control.inTransaction((tx) => deleteScheduler(tx, schedulerId));
}
