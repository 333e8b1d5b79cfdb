// Tells webhooks what happened. Runs every 5 s in a scheduler that has webhooks in its configuration.
import { type DeliveryContext, deliverWebhooks } from '../src/engine/webhooks/deliver.js';
import type { Service } from './service.js';

export const webhookService = (context: DeliveryContext, webhooks: Parameters<typeof deliverWebhooks>[1]): Service => ({
  name: 'deliver_webhooks',
  intervalMs: 5_000,
  runOnce: async (stopping) => {
    const taken = await deliverWebhooks(context, webhooks, stopping);
    if (taken > 0) context.log.debug('webhooks_delivered', { messages: taken });
    return undefined;
  },
});
