// The webhooks of the configuration: who a scheduler tells what happens, and how, and what `doctor` asks of them. No
// decisions.
import type { Telling } from '../jobs/processes/scheduler.js';
import type { VariableLookup } from './domain/config/config-text.js';
import { resolveWebhook, type Webhook } from './domain/config/resolve-webhook.js';
import type { RolloutConfig } from './domain/config/rollout-config.js';
import type { WebhookTarget } from './engine/doctor/check-webhooks.js';

export interface ConfiguredWebhooks {
  /** What a scheduler starts with. Throws missing_environment_variable, invalid_config. */
  telling(): Telling;
  readonly targets: readonly WebhookTarget[];
}

export function createConfiguredWebhooks(
  { webhooks }: Pick<RolloutConfig, 'webhooks'>,
  lookup: VariableLookup,
): ConfiguredWebhooks {
  return {
    telling: () => ({
      webhooks: webhooks.map((webhook) => resolveWebhook(webhook, lookup)),
      send: async (...message) => (await import('./http/send-webhook.js')).sendWebhook(...message),
    }),
    targets: webhooks.map((webhook) => ({
      name: webhook.name,
      reach: async () => {
        const resolved: Webhook = resolveWebhook(webhook, lookup);
        return (await import('./http/reach-webhook.js')).reachWebhook(resolved);
      },
    })),
  };
}
