// Why: a cell does not believe whoever purges for how long its plans and findings are kept.
import type { Migration } from '../migration.js';

/** Old code never asks for it. */
export const sealControlRetention: Migration = {
  name: '20261129201200_pre_seal_retention',
  up: `
-- For how many days the policy keeps plans and findings of nights.
create function credit_rollout_control.seal_retention(dc text) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(dc, 'retention', jsonb_build_object(
    'plan_days', ceil(credit_rollout_control.milliseconds(coalesce(
      credit_rollout_control.setting('rollout.planRetention'), '"P30D"')) / 86400000.0),
    'drift_days', ceil(credit_rollout_control.milliseconds(coalesce(
      credit_rollout_control.setting('reconcile.driftRetention'), '"P400D"')) / 86400000.0)))
$$;
revoke all on function credit_rollout_control.seal_retention from public;`,
};
