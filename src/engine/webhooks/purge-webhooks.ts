// Purges messages that are long over, and webhooks that no scheduler has any more. How long they stay is fixed, in the
// function of control that deletes them.
import { deleteOldWebhooks } from '../../stores/control/webhooks.js';
import type { EngineContext } from '../context.js';

/** Returns how many messages were deleted. */
export const purgeWebhooks = ({ control }: Pick<EngineContext, 'control'>): Promise<number> =>
  control.inTransaction(deleteOldWebhooks);
