// Why: a batch of a fixed size takes twice as long on a slow machine; whoever makes a plan measures and chooses.
import type { Migration } from '../migration.js';

/** Old code asks for plans of a fixed size, and makes a plan that was asked for with the number in `range_size`. */
export const choosePlanSizes: Migration = {
  name: '20261205080000_pre_choose_plan_sizes',
  up: `
alter table credit_rollout.plan_requests add column sizing text not null default 'fixed'
  constraint plan_requests_sizing_check check (sizing in ('fixed', 'auto'));
comment on column credit_rollout.plan_requests.sizing is
  'auto: who makes the plan chooses how many orgs a range has; fixed: range_size';`,
};
