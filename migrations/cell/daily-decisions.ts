// Why: a night finds what only a new rate card lowers, and an org that comes back has its floor at once.
import type { Migration } from '../migration.js';

/** Why: what only a new rate card lowers is found by every nightly run. Old code shows the cause by its name. */
export const nameCardFalls: Migration = {
  name: '20261129210100_pre_name_card_falls',
  up: `
alter table credit_rollout.drift drop constraint drift_cause_check, add constraint drift_cause_check
  check (cause in ('late input', 'legacy sign-up', 'missed sign-up', 'manual edit', 'purchase', 'seats', 'edition', 'paid',
    'lapse', 'return', 'release', 'rate card', 'gone', 'restored backup')) not valid;`,
};

/** Why: every reader of the rule looks for orgs that were retired. Old code does not. */
export const indexRetired: Migration = {
  name: '20261129210200_pre_index_retired',
  up: `
-- the view retired
create index allotment_changes_deleted_idx on credit_rollout.allotment_changes (org_id) where operation = 'delete';`,
};
