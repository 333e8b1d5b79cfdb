// Purges plans and findings that are older than their retention. Runs when a scheduler starts, and then once a day.
import type { EngineContext } from '../src/engine/context.js';
import { purgePlans } from '../src/engine/plan/purge-plans.js';
import { purgeDrift } from '../src/engine/reconcile/purge-drift.js';
import type { Service } from './service.js';

export interface Retentions {
  /** Undefined: no plan is purged. */
  readonly planRetentionDays?: number | undefined;
  /** Undefined: no finding is purged. */
  readonly driftRetentionDays?: number | undefined;
}

/** One after the other; where one fails, the other is purged all the same. */
export function purgeService(context: EngineContext, { planRetentionDays, driftRetentionDays }: Retentions): Service {
  const purge = async (
    what: typeof purgePlans | typeof purgeDrift,
    retentionDays: number | undefined,
    signal: AbortSignal,
  ): Promise<void> => {
    if (retentionDays === undefined) return;
    await what(context, { retentionDays, signal }).catch(() => context.log.debug('purge_failed', { what: what.name }));
  };
  return {
    name: 'purge',
    intervalMs: 86_400_000,
    runOnce: async (stopping) => {
      await purge(purgePlans, planRetentionDays, stopping);
      await purge(purgeDrift, driftRetentionDays, stopping);
    },
  };
}
