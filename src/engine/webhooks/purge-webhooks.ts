// Purges messages that are long over, and webhooks and schedulers that no living process renews. How long they stay is
// fixed, in the functions of control that delete them.
import { deleteGoneSchedulers } from '../../stores/control/schedulers.js';
import { deleteOldWebhooks } from '../../stores/control/webhooks.js';
import type { EngineContext } from '../context.js';

/** Returns how many messages were deleted. */
export const purgeWebhooks = ({ control }: Pick<EngineContext, 'control'>): Promise<number> =>
  control.inTransaction(async (tx) => {
    await deleteGoneSchedulers(tx);
    return deleteOldWebhooks(tx);
  });
