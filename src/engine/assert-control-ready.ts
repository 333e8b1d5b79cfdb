// Whether control can be used: it answers, and has our schema.
import { RolloutError } from '../kernel/rollout-error.js';
import { isControlReady } from '../stores/control/control-database.js';
import type { EngineContext } from './context.js';

/** @throws not_initialised before the first `init`, and what the database answers */
export async function assertControlReady({ control }: Pick<EngineContext, 'control'>): Promise<void> {
  if (await control.inTransaction(isControlReady)) return;
  throw new RolloutError('not_initialised', { message: 'The control database has not been initialised.' });
}
