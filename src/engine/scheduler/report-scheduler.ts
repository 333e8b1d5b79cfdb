// Takes a scheduler's sign of life back at a clean stop, so that status tells the truth at once.
import { deleteScheduler } from '../../stores/control/schedulers.js';
import type { EngineContext } from '../context.js';

export async function reportSchedulerGone(context: Pick<EngineContext, 'control'>, schedulerId: string): Promise<void> {
  await context.control.inTransaction((tx) => deleteScheduler(tx, schedulerId));
}
