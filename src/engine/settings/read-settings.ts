// The policy for people: every setting in force, who set it and when, and the changes that wait. Reads only.
import { ORDER_SETTING, POLICY_SETTINGS } from '../../domain/config/policy.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { listPolicyChanges, listSettings, type PolicyChange, type SettingRow } from '../../stores/control/policy.js';
import { listSchedulerDifferences } from '../../stores/control/schedulers.js';
import type { EngineContext } from '../context.js';

export interface SettingReport extends SettingRow {
  /** The change that set it; null: `init` did. */
  readonly change: PolicyChange | null;
}

export interface SettingsReport {
  /** In the order of the configuration, the data centers at the end. */
  readonly settings: readonly SettingReport[];
  /** Those that wait for a second person, the oldest first. */
  readonly open: readonly PolicyChange[];
  /** The newest ones that were withdrawn, the newest first. */
  readonly withdrawn: readonly PolicyChange[];
  /** Settings that the configuration of a running scheduler writes otherwise; it uses the policy. */
  readonly schedulersDiffer: readonly string[];
}

/** Throws not_initialised before the first `init`. */
export function readSettings({ control }: Pick<EngineContext, 'control'>): Promise<SettingsReport> {
  return control.inTransaction(async (tx) => {
    const rows = await listSettings(tx);
    if (rows.length === 0)
      throw new RolloutError('not_initialised', { message: 'The control database has no policy yet.' });
    const changes = await listPolicyChanges(tx, 'all');
    return {
      settings: rows
        .toSorted((one, other) => place(one.name) - place(other.name))
        .map((row) => ({ ...row, change: changes.find(({ changeId }) => changeId === row.changeId) ?? null })),
      open: changes.filter(({ state }) => state === 'proposed'),
      withdrawn: changes
        .filter(({ state }) => state === 'withdrawn')
        .slice(-LISTED_WITHDRAWN)
        .toReversed(),
      schedulersDiffer: await listSchedulerDifferences(tx),
    };
  });
}

const LISTED_WITHDRAWN = 5;

const PLACES: readonly string[] = [...POLICY_SETTINGS, ORDER_SETTING];

const place = (name: string): number => (PLACES.includes(name) ? PLACES.indexOf(name) : PLACES.length);
