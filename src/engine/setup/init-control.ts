// `init` of control: creates or upgrades its schema, and adds a row for each configured data center. Idempotent.
import {
  addToOrder,
  applyPolicy,
  ORDER_SETTING,
  type SettingValue,
  toIds,
  toPolicy,
  toSections,
  zoneSetting,
} from '../../domain/config/policy.js';
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { appendAudit } from '../../stores/control/audit.js';
import { type ControlTransaction, migrateControl } from '../../stores/control/control-database.js';
import { listDataCenters, listRemoved, lockDataCenter, saveDataCenter } from '../../stores/control/data-centers.js';
import { identifyPerson, saveEmbedded } from '../../stores/control/person.js';
import { insertMissingSettings, readPolicy, saveOrder } from '../../stores/control/policy.js';
import { grantControlRoles } from '../../stores/control/roles.js';
import { readRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';
import { explainFailure } from '../database-errors.js';
import { pinInstants } from '../pin-instants.js';
import { findPolicyDifferences, rejectOtherPolicy } from '../settings/compare-policy.js';

export interface InitControlReport {
  /** Names of the migrations that ran. */
  readonly migrations: readonly string[];
  /** The configuration with the policy that control has now. */
  readonly config: RolloutConfig;
  /** Data centers of the configuration that have left the fleet, and were not named to come back. */
  readonly left: readonly string[];
}

/**
 * The first one sets the policy as the configuration has it; a later one adds data centers and what is new. One that
 * has left the fleet comes back only where `comeBack` names it. With an
 * `actor`, everybody shares one login, as on the embedded servers. Throws not_permitted for a login that does not own
 * the schema, policy_differs with nothing changed.
 */
export async function initControl(
  { control, actor = null }: Pick<EngineContext, 'control'> & Partial<Pick<EngineContext, 'actor'>>,
  config: RolloutConfig,
  comeBack: readonly string[] = [],
): Promise<InitControlReport> {
  try {
    return await control.inTransaction(async (tx) => {
      const migrations = await migrateControl(tx);
      await grantControlRoles(tx);
      await saveEmbedded(tx, actor === null ? 'own_logins' : 'embedded');
      await identifyPerson(tx, actor);
      rejectOtherPolicy(await findPolicyDifferences(tx, config));
      const left = (await listRemoved(tx)).filter((id) => !comeBack.includes(id));
      return { migrations, ...(await savePolicy(tx, config, left)) };
    });
  } catch (error) {
    throw explainInit(error);
  }
}

/**
 * Sets what the policy lacks. Returns the configuration with the policy in the place of its own settings, and which of
 * its data centers have left the fleet and stay out.
 */
export async function savePolicy(
  tx: ControlTransaction,
  config: RolloutConfig,
  left: readonly string[] = [],
): Promise<Pick<InitControlReport, 'config' | 'left'>> {
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
  const members = effective.dataCenters.filter(({ id }) => !left.includes(id));
  for (const { id, zone } of members) await saveDataCenter(tx, { id, position: order.indexOf(id), zone });
  if (before.size > 0)
    await welcome(
      tx,
      members.map(({ id }) => id).filter((id) => !rows.some((row) => row.id === id)),
    );
  if (added.length > 0) await appendAudit(tx, { action: 'set_policy', details: { settings: added } });
  return { config: effective, left: ids.filter((id) => left.includes(id)) };
}

/** Data centers that are added later are pinned as the first apply has pinned the others, unless they were before. */
async function welcome(tx: ControlTransaction, added: readonly string[]): Promise<void> {
  const { pinnedAt } = await readRollout(tx);
  const policy = toSections(await readPolicy(tx));
  for (const id of added) {
    await appendAudit(tx, { action: 'add_data_center', dataCenter: id });
    const row = await lockDataCenter(tx, id);
    if (pinnedAt !== null && row?.notBeforeAt === null && row.cutoverAt === null) await pinInstants(tx, id, policy);
  }
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
