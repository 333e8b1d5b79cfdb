// Why: what a scheduler read in a cell stays in control for ever, in the audit and in the log of holds. A scheduler of
// an earlier version passed on any text that a login of the cell had written.
import type { Migration } from '../migration.js';
import { CODE_FORM } from '../plain-texts.js';

/** Holds whose value is a text of a cell. */
const IS_CODE = `code not in ('cell_trouble', 'plan_failed', 'bake_query_failed') or value ~ ${CODE_FORM}`;

/** Why: a scheduler of an earlier version fails, instead of passing on what is no code. */
export const keepCodesOnly: Migration = {
  name: '20261130056000_pre_keep_codes_only',
  up: `
update credit_rollout_control.hold_log set value = 'other' where not (${IS_CODE});
delete from credit_rollout_control.holds where not (${IS_CODE});
alter table credit_rollout_control.holds add constraint holds_value_check check (${IS_CODE}) not valid;
alter table credit_rollout_control.hold_log add constraint hold_log_value_check check (${IS_CODE}) not valid;
alter table credit_rollout_control.audit
  add constraint audit_failure_check check (details ->> 'failure' ~ ${CODE_FORM}) not valid;
-- the roles of its cell would be those of control
alter table credit_rollout_control.data_centers add constraint data_centers_id_check check (id <> 'control') not valid;`,
};
