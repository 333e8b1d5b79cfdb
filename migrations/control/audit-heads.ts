// Why: a cell keeps the heads of the audit's chain only where control says that they are its own.
import type { Migration } from '../migration.js';

/** The head as it was committed; null: nothing was recorded yet, or there is no such data center. */
export const sealAuditHeads: Migration = {
  name: '20261206045000_pre_seal_audit_heads',
  up: `
create function credit_rollout_control.seal_audit_head(dc text) returns jsonb language sql volatile
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(d.id, 'audit_head', jsonb_build_object('link', h.link, 'hash', h.hash))
  from credit_rollout_control.audit_head h cross join credit_rollout_control.data_centers d
  where d.id = dc and h.link > 0 and credit_rollout_control.is_committed(h.xmin)
$$;
revoke all on function credit_rollout_control.seal_audit_head from public;`,
};
