// Compares a configuration with the policy in control, and puts the policy in its place. Reads only.
import {
  applyPolicy,
  listPolicyDifferences,
  type Policy,
  type PolicyDifference,
  showSetting,
} from '../../domain/config/policy.js';
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { advise, command } from '../../kernel/advice.js';
import { cutText } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { readPolicy } from '../../stores/control/policy.js';
import { readRollout } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';

export type { PolicyDifference } from '../../domain/config/policy.js';

export interface ComparedConfig {
  /** With the policy in the place of its own settings. */
  readonly config: RolloutConfig;
  readonly differences: readonly PolicyDifference[];
}

/** Before the first `init` the configuration is as it is. */
export function compareConfig(
  { control }: Pick<EngineContext, 'control'>,
  config: RolloutConfig,
): Promise<ComparedConfig> {
  return control.inTransaction(async (tx) => {
    const policy = await readPolicy(tx);
    return { config: applyPolicy(config, policy), differences: await compare(tx, config, policy) };
  });
}

export async function findPolicyDifferences(
  tx: ControlTransaction,
  config: RolloutConfig,
): Promise<readonly PolicyDifference[]> {
  return compare(tx, config, await readPolicy(tx));
}

async function compare(
  tx: ControlTransaction,
  config: RolloutConfig,
  policy: Policy,
): Promise<readonly PolicyDifference[]> {
  if (policy.size === 0) return [];
  return listPolicyDifferences(config, policy, (await readRollout(tx)).pinnedAt !== null);
}

/** Throws policy_differs, with both values of each setting. */
export function rejectOtherPolicy(differences: readonly PolicyDifference[]): void {
  if (differences.length === 0) return;
  throw new RolloutError('policy_differs', {
    message: `${differences.map(describeDifference).join(' ')} The policy of control counts, so nothing was done.`,
    next: advise`Write these values in the configuration, or leave the keys out. To change the policy, propose it: ${command('settings propose --from-config --reason TEXT --execute')}`,
  });
}

/** Of a value that is shown, in characters. */
const MAX_SHOWN = 200;
const showShort = (value: PolicyDifference['configured']): string => cutText(showSetting(value), MAX_SHOWN);

export const describeDifference = ({ name, configured, inForce }: PolicyDifference): string =>
  `${name} is ${showShort(configured)} in the configuration, but ${showShort(inForce)} in the policy.`;
