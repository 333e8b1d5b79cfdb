// Purges plans, and nights with their findings, that are older than their retention in the policy, and usage and
// messages to webhooks that are no longer kept. Runs when a scheduler starts, and then once a day.
import type { EngineContext } from '../src/engine/context.js';
import { purgePlans } from '../src/engine/plan/purge-plans.js';
import { readRetentions } from '../src/engine/purge.js';
import { purgeDrift } from '../src/engine/reconcile/purge-drift.js';
import { purgeNights } from '../src/engine/reconcile/purge-nights.js';
import { purgeUsage } from '../src/engine/usage/purge-usage.js';
import { purgeWebhooks } from '../src/engine/webhooks/purge-webhooks.js';
import type { Service } from './service.js';

/** One after the other; where one fails, the other is purged all the same. */
export function purgeService(context: EngineContext): Service {
  const purge = async (
    what: typeof purgePlans | typeof purgeDrift | typeof purgeNights | typeof purgeUsage | typeof purgeWebhooks,
    retentionDays: number,
    signal: AbortSignal,
  ): Promise<void> => {
    await what(context, { retentionDays, signal }).catch(() => context.log.debug('purge_failed', { what: what.name }));
  };
  return {
    name: 'purge',
    intervalMs: 86_400_000,
    runOnce: async (stopping) => {
      const { planDays, driftDays } = await readRetentions(context);
      await purge(purgePlans, planDays, stopping);
      await purge(purgeDrift, driftDays, stopping);
      await purge(purgeNights, driftDays, stopping);
      await purge(purgeUsage, driftDays, stopping);
      await purge(purgeWebhooks, driftDays, stopping);
    },
  };
}
