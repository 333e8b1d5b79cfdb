// Why: the database that a cell was copied from has the same identity as before, so who still has its URL would go on
// there. Only the copy that two people adopted has the seal of that.
import type { Migration } from '../migration.js';

/** Why: a scheduler must find out that it is at a cell that was left behind. Old code does not ask. */
export const tellAdoptions: Migration = {
  name: '20261204030100_pre_tell_adoptions',
  up: `
-- Whether the adoption with this digest was done here, or in what this database was copied from.
create function credit_rollout.has_adoption(adopted text) returns boolean language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from credit_rollout.used_seals u
    where u.document ->> 'kind' = 'adoption' and u.document ->> 'digest' = adopted)
$$;
revoke all on function credit_rollout.has_adoption from public;`,
};
