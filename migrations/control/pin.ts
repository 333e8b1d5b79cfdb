// Why: a rollout follows a plan. The plan is made when the rollout's turn comes, or named in the request.
import type { Migration } from '../migration.js';

/** Old code leaves it null. */
export const pinDataCenters: Migration = {
  name: '20261122040200_pre_pin_data_centers',
  up: `
alter table credit_rollout_control.data_centers add plan_id text;
comment on column credit_rollout_control.data_centers.plan_id is 'the plan that the request or the run follows; null: none yet';
alter table credit_rollout_control.runs add plan_id text;`,
};
