// What the scheduler's process itself reads and writes in control: when it polls again, and its end.
import { decideNextPoll } from '../../domain/rollout/decide-next-poll.js';
import { readControlClock } from '../../stores/control/control-database.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { deleteScheduler } from '../../stores/control/schedulers.js';
import type { EngineContext } from '../context.js';

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

/** Deletes the scheduler's heartbeat at a clean stop, so that `status` is right at once. */
export async function reportSchedulerGone(context: Pick<EngineContext, 'control'>, schedulerId: string): Promise<void> {
  await context.control.inTransaction((tx) => deleteScheduler(tx, schedulerId));
}
