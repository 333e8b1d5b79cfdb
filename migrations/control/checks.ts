// Why: what slows our writes in a cell, or holds a start or a bake, judges a rollout: it belongs to the policy.
import type { Migration } from '../migration.js';

/**
 * Why: a request gets the checks of the policy, as it gets its windows. Where the policy has none yet, because `init`
 * has not run since, those that are on by default. Old code passes over them.
 */
export const bindChecks: Migration = {
  name: '20261201060000_pre_bind_checks',
  up: `
create or replace function credit_rollout_control.run_policy() returns jsonb language sql stable begin atomic
  select jsonb_strip_nulls(jsonb_build_object(
    'bakeMs', credit_rollout_control.milliseconds(credit_rollout_control.setting('rollout.bake')),
    'bakeQuery', credit_rollout_control.setting('rollout.bakeQuery'),
    'checks', coalesce(credit_rollout_control.setting('rollout.checks'),
      '[{"name": "probe"}, {"name": "lockWaits"}, {"name": "batchTime"}]'::jsonb),
    'windows', coalesce(credit_rollout_control.setting('rollout.windows'), '[]'::jsonb),
    'canaryWaitMs', credit_rollout_control.milliseconds(credit_rollout_control.setting('rollout.canaryWait')),
    'approval', credit_rollout_control.setting('rollout.approval'),
    'guardRails', credit_rollout_control.guard_rails()));
end;`,
};
