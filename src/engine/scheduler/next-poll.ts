// When a scheduler looks again by itself, from control's rows and control's clock.
import type { ReconcileSettings } from '../../domain/config/rollout-config.js';
import { decideNextPoll } from '../../domain/rollout/decide-next-poll.js';
import { readControlClock } from '../../stores/control/control-database.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { saveReconcile } from '../../stores/control/rollout.js';
import { deleteScheduler } from '../../stores/control/schedulers.js';
import type { EngineContext } from '../context.js';

/** In ms; `usualMs` where control cannot be read. */
export async function nextPollDelay({ control }: Pick<EngineContext, 'control'>, usualMs: number): Promise<number> {
  try {
    return await control.inTransaction(async (tx) =>
      decideNextPoll(await listDataCenters(tx), await readControlClock(tx), usualMs),
    );
  } catch {
    return usualMs;
  }
}

// Takes a scheduler's sign of life back at a clean stop, so that status tells the truth at once.

export async function reportSchedulerGone(context: Pick<EngineContext, 'control'>, schedulerId: string): Promise<void> {
  await context.control.inTransaction((tx) => deleteScheduler(tx, schedulerId));
}

// Remembers the nights' time and caps, so that every scheduler and command goes by the same.

export type { ReconcileSettings } from '../../domain/config/rollout-config.js';

/** The newest word holds; a night that is due already keeps its instant. */
export async function saveReconcileSettings(
  { control }: Pick<EngineContext, 'control'>,
  settings: ReconcileSettings,
): Promise<void> {
  await control.inTransaction((tx) => saveReconcile(tx, settings));
}
