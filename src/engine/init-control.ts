// Makes the control schema and its rows for the configured data centers; idempotent.
import type { RolloutConfig } from '../domain/config/rollout-config.js';
import { migrateControl } from '../stores/control/control-database.js';
import { saveDataCenter } from '../stores/control/data-centers.js';
import type { EngineContext } from './context.js';

/** Returns the names of the migrations that ran. */
export async function initControl(
  context: Pick<EngineContext, 'control'>,
  config: RolloutConfig,
): Promise<readonly string[]> {
  return context.control.inTransaction(async (tx) => {
    const names = await migrateControl(tx);
    for (const [position, { id, zone }] of config.dataCenters.entries())
      await saveDataCenter(tx, { id, position, zone });
    return names;
  });
}
