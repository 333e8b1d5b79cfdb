// The policy of a fleet as a test wants it, without the two people that a change needs.
import pg from 'pg';
import { isSameValue, type SettingValue } from '../../src/domain/config/policy.js';
import type { Fleet } from './fleet.js';

/** Sets settings by their keys, such as `rollout.approval`, as the owner with the triggers off. */
export async function setPolicy(
  { control }: Pick<Fleet, 'control'>,
  settings: Readonly<Record<string, SettingValue>>,
): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    const [literal, json] = [name, JSON.stringify(value)].map((text) => pg.escapeLiteral(text));
    await control(`set local session_replication_role = replica;
      update credit_rollout_control.policy set value = ${json} where name = ${literal}`);
    const [row] = await control('select value from credit_rollout_control.policy where name = $1', [name]);
    if (row === undefined || !isSameValue(row.value as SettingValue, value)) throw new Error(`no setting ${name}`);
  }
}
