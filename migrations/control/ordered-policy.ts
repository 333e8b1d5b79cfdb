// Why: what orders decisions must not be a lock that everybody who may connect can take and keep.
import type { Migration } from '../migration.js';

/**
 * Why: an advisory lock has no owner: a viewer held it, and no rollout started and no policy changed. Now it is a row
 * that nobody may lock but these triggers, which run as the owner. And a deferred trigger of a table that belonged to
 * somebody else delayed a commit after its check: what a transaction wrote to stays locked by it.
 */
export const orderPolicyByRow: Migration = {
  name: '20261201020300_pre_order_policy_by_row',
  up: `
create table credit_rollout_control.policy_order (only_row boolean primary key default true check (only_row));
comment on table credit_rollout_control.policy_order is
  'one row: starts of rollouts share its lock, and a change of the policy has it alone';
insert into credit_rollout_control.policy_order default values;
create trigger policy_order_read_committed before insert or update or delete on credit_rollout_control.policy_order
  for each statement execute function credit_rollout_control.require_read_committed();
create or replace function credit_rollout_control.order_policy() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid not in ('credit_rollout_control.policy'::regclass, 'credit_rollout_control.data_centers'::regclass,
      'credit_rollout_control.approvals'::regclass) then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if tg_argv[0] = 'change' then
    perform from credit_rollout_control.policy_order for update;
    return null;
  end if;
  perform from credit_rollout_control.policy_order for share;
  return new;
end $$;

create or replace function credit_rollout_control.can_delay_commit() returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  return not (select r.rolsuper from pg_roles r where r.rolname = session_user)
    and (exists (select from pg_cursors c where c.is_holdable)
      or exists (
        select from pg_locks l join pg_trigger t on t.tgrelid = l.relation and t.tgdeferrable
        join pg_class c on c.oid = t.tgrelid and c.relnamespace <> 'credit_rollout_control'::regnamespace
        where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.mode ~ 'Exclusive'
          and l.database = (select d.oid from pg_database d where d.datname = current_database())));
end $$;
revoke all on function credit_rollout_control.order_policy, credit_rollout_control.can_delay_commit from public;`,
};

/** Why: one row of the audit that no reader expected made all of it unreadable, and it is never deleted. */
export const shapeAudit: Migration = {
  name: '20261201020400_pre_shape_audit',
  up: `
create or replace function credit_rollout_control.sign_audit() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(new.details) is distinct from 'object' or octet_length(new.details::text) > 100000
     or length(new.action) not between 1 and 100 or length(new.reason) > 20000 then
    raise exception 'no row of the audit is like this' using errcode = 'check_violation',
      constraint = 'audit_shape_check';
  end if;
  new.actor := credit_rollout_control.person();
  new.at := clock_timestamp();
  return new;
end $$;
revoke all on function credit_rollout_control.sign_audit from public;`,
};
