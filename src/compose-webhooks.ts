// Who a scheduler tells what happens, and how. No decisions.
import type { Telling } from '../jobs/processes/scheduler.js';
import type { VariableLookup } from './domain/config/config-text.js';
import { resolveWebhook } from './domain/config/resolve-webhook.js';
import type { RolloutConfig } from './domain/config/rollout-config.js';
import { sendWebhook } from './http/send-webhook.js';

/** @throws missing_environment_variable, invalid_config */
export const createTelling = ({ webhooks }: Pick<RolloutConfig, 'webhooks'>, lookup: VariableLookup): Telling => ({
  webhooks: webhooks.map((webhook) => resolveWebhook(webhook, lookup)),
  send: sendWebhook,
});
