// Why: a transaction could hold a lock of everybody at its commit, or wait there after it was checked.
import type { Migration } from '../migration.js';
import { boundNumbersSql } from '../numbers.js';

/**
 * Why: whoever writes to the audit takes its head at the commit, and could keep it; and a decision that was checked at
 * the commit waited behind that. The head is now taken before the check, and nobody takes it who can delay the commit:
 * by a cursor that outlives it, a deferred trigger of their own, or a temporary table, which is emptied or dropped
 * then.
 */
export const checkLast: Migration = {
  name: '20261203020200_pre_check_last',
  up: `
create or replace function credit_rollout_control.can_delay_commit() returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  return not (select r.rolsuper from pg_roles r where r.rolname = session_user)
    and (exists (select from pg_cursors c where c.is_holdable)
      or exists (select from pg_class c where c.relnamespace = pg_my_temp_schema())
      or exists (
        select from pg_locks l join pg_trigger t on t.tgrelid = l.relation and t.tgdeferrable
        join pg_class c on c.oid = t.tgrelid and c.relnamespace <> 'credit_rollout_control'::regnamespace
        where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.mode ~ 'Exclusive'
          and l.database = (select d.oid from pg_database d where d.datname = current_database())));
end $$;

create or replace function credit_rollout_control.check_decider_stayed() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('credit_rollout_control', '');
  perform set_config('credit_rollout_control.immediate', 'no', true);
  insert into credit_rollout_control.decision_probes (name) values (tg_name);
  delete from credit_rollout_control.decision_probes;
  if current_setting('credit_rollout_control.immediate') <> 'no' or credit_rollout_control.can_delay_commit() then
    raise exception 'this is checked when the transaction commits, and not before'
      using errcode = 'restrict_violation', constraint = 'decided_at_commit';
  end if;
  -- what is entered in the audit waits for it: not after the check
  perform from credit_rollout_control.audit_head for update;
  if not credit_rollout_control.may_still_approve(new.approver) then
    raise exception '% may no longer approve', new.approver
      using errcode = 'restrict_violation', constraint = 'approvals_approver_left';
  end if;
  return null;
end $$;

create or replace function credit_rollout_control.chain_entry() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.audit'::regclass then
    raise exception 'this is the trigger of the audit' using errcode = 'insufficient_privilege';
  end if;
  perform set_config('credit_rollout_control.immediate', 'no', true);
  insert into credit_rollout_control.decision_probes (name) values (tg_name);
  delete from credit_rollout_control.decision_probes;
  if current_setting('credit_rollout_control.immediate') <> 'no' or credit_rollout_control.can_delay_commit() then
    raise exception 'an entry is chained when its transaction commits, and not before'
      using errcode = 'restrict_violation', constraint = 'decided_at_commit';
  end if;
  perform credit_rollout_control.append_link(new);
  return null;
end $$;

${boundNumbersSql('credit_rollout_control', [])}`,
};
