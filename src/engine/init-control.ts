// Makes the control schema and its rows for the configured data centers; idempotent.
import type { RolloutConfig } from '../domain/config/rollout-config.js';
import { migrateControl } from '../stores/control/control-database.js';
import { saveDataCenter } from '../stores/control/data-centers.js';
import { saveEmbedded } from '../stores/control/person.js';
import { saveReconcile } from '../stores/control/rollout.js';
import type { EngineContext } from './context.js';

/** Returns the names of the migrations that ran. An actor that the process names means that everybody shares one login. */
export async function initControl(
  { control, actor = null }: Pick<EngineContext, 'control'> & Partial<Pick<EngineContext, 'actor'>>,
  config: RolloutConfig,
): Promise<readonly string[]> {
  return control.inTransaction(async (tx) => {
    const names = await migrateControl(tx);
    await saveEmbedded(tx, actor === null ? 'own_logins' : 'embedded');
    for (const [position, { id, zone }] of config.dataCenters.entries())
      await saveDataCenter(tx, { id, position, zone });
    await saveReconcile(tx, config.reconcile);
    return names;
  });
}
