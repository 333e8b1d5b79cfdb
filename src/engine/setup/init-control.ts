// `init` of control: creates or upgrades its schema, and adds a row for each configured data center. Idempotent.
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { migrateControl } from '../../stores/control/control-database.js';
import { saveDataCenter } from '../../stores/control/data-centers.js';
import { saveEmbedded } from '../../stores/control/person.js';
import { grantControlRoles } from '../../stores/control/roles.js';
import { saveReconcile } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';

/**
 * Returns the names of the migrations that ran. With an `actor`, everybody shares one login, as on the embedded
 * servers. Throws not_permitted for a login that does not own the schema.
 */
export async function initControl(
  { control, actor = null }: Pick<EngineContext, 'control'> & Partial<Pick<EngineContext, 'actor'>>,
  config: RolloutConfig,
): Promise<readonly string[]> {
  try {
    return await control.inTransaction(async (tx) => {
      const names = await migrateControl(tx);
      await grantControlRoles(tx);
      await saveEmbedded(tx, actor === null ? 'own_logins' : 'embedded');
      for (const [position, { id, zone }] of config.dataCenters.entries())
        await saveDataCenter(tx, { id, position, zone });
      await saveReconcile(tx, config.reconcile);
      return names;
    });
  } catch (error) {
    throw explainInit(error);
  }
}

/** No GRANT would help: only the owner can change the schema. */
function explainInit(error: unknown): unknown {
  const known = explainFailure(error);
  if (!isRolloutError(known) || known.code !== 'not_permitted') return known;
  return new RolloutError('not_permitted', {
    message: `${known.message.replace(/\.$/u, '')}: init works only as the owner of the control database.`,
    next:
      "Run it with its owner's URL as controlDatabase; an operator's login cannot: " +
      'docs/how-to/install-a-fleet.md#people-and-logins.',
    cause: error,
  });
}
