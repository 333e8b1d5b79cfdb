// `init` of control: creates or upgrades its schema, and adds a row for each configured data center. Idempotent.
import {
  addToOrder,
  applyPolicy,
  ORDER_SETTING,
  type SettingValue,
  toIds,
  toPolicy,
  zoneSetting,
} from '../../domain/config/policy.js';
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type ControlTransaction, migrateControl } from '../../stores/control/control-database.js';
import { listDataCenters, saveDataCenter } from '../../stores/control/data-centers.js';
import { identifyPerson, saveEmbedded } from '../../stores/control/person.js';
import { insertMissingSettings, readPolicy, saveOrder } from '../../stores/control/policy.js';
import { grantControlRoles } from '../../stores/control/roles.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import { findPolicyDifferences, rejectOtherPolicy } from '../settings/compare-policy.js';

export interface InitControlReport {
  /** Names of the migrations that ran. */
  readonly migrations: readonly string[];
  /** The configuration with the policy that control has now. */
  readonly config: RolloutConfig;
}

/**
 * The first one sets the policy as the configuration has it; a later one adds data centers and what is new. With an
 * `actor`, everybody shares one login, as on the embedded servers. Throws not_permitted for a login that does not own
 * the schema, policy_differs with nothing changed.
 */
export async function initControl(
  { control, actor = null }: Pick<EngineContext, 'control'> & Partial<Pick<EngineContext, 'actor'>>,
  config: RolloutConfig,
): Promise<InitControlReport> {
  try {
    return await control.inTransaction(async (tx) => {
      const migrations = await migrateControl(tx);
      await grantControlRoles(tx);
      await saveEmbedded(tx, actor === null ? 'own_logins' : 'embedded');
      await identifyPerson(tx, actor);
      rejectOtherPolicy(await findPolicyDifferences(tx, config));
      return { migrations, config: await savePolicy(tx, config) };
    });
  } catch (error) {
    throw explainInit(error);
  }
}

/** Sets what the policy lacks. Returns the configuration with the policy in the place of its own settings. */
export async function savePolicy(tx: ControlTransaction, config: RolloutConfig): Promise<RolloutConfig> {
  const rows = await listDataCenters(tx);
  const before = await readPolicy(tx);
  const ids = config.dataCenters.map(({ id }) => id);
  // an installation of an earlier version may have data centers that this configuration does not name
  const known = before.has(ORDER_SETTING)
    ? toIds(before.get(ORDER_SETTING))
    : [...ids, ...rows.map(({ id }) => id).filter((id) => !ids.includes(id))];
  const order = addToOrder(known, ids);
  const zones = rows.map(({ id, zone }): [string, SettingValue] => [zoneSetting(id), zone]);
  const wanted = new Map<string, SettingValue>([...zones, ...toPolicy(config), [ORDER_SETTING, order]]);
  const added = await insertMissingSettings(tx, wanted);
  await saveOrder(tx, order);
  const effective = applyPolicy(config, await readPolicy(tx));
  for (const { id, zone } of effective.dataCenters) await saveDataCenter(tx, { id, position: order.indexOf(id), zone });
  if (added.length > 0) await appendAudit(tx, { action: 'set_policy', details: { settings: added } });
  return effective;
}

/** No GRANT would help: only the owner can change the schema. */
function explainInit(error: unknown): unknown {
  const known = explainFailure(error);
  if (!isRolloutError(known) || known === error || known.code !== 'not_permitted') return known;
  return new RolloutError('not_permitted', {
    message: `${known.message.replace(/\.$/u, '')}: init works only as the owner of the control database.`,
    next:
      "Run it with its owner's URL as controlDatabase; an operator's login cannot: " +
      'docs/how-to/install-a-fleet.md#people-and-logins.',
    cause: error,
  });
}
