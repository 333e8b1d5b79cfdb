// Why: what was asked as a transaction committed was answered long before the commit, where the session had something
// else to do in between.
import type { Migration } from '../migration.js';

/**
 * Why: a deferred trigger of the approver's own, or a cursor that outlives the transaction, runs after the question
 * whether they may still approve, and takes as long as they like. A superuser is not asked.
 */
export const commitPromptly: Migration = {
  name: '20261130055400_pre_commit_promptly',
  up: `
create function credit_rollout_control.can_delay_commit() returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  return not (select r.rolsuper from pg_roles r where r.rolname = session_user)
    and (exists (select from pg_cursors c where c.is_holdable)
      or exists (
        select from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
        where t.tgdeferrable and c.relnamespace <> 'credit_rollout_control'::regnamespace
          and (pg_has_role(session_user, c.relowner, 'member') or pg_has_role(session_user, p.proowner, 'member'))));
end $$;

create or replace function credit_rollout_control.check_decider_stayed() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.may_still_approve(new.approver) then
    raise exception '% may no longer approve', new.approver
      using errcode = 'restrict_violation', constraint = 'approvals_approver_left';
  end if;
  perform pg_notify('credit_rollout_control', '');
  perform set_config('credit_rollout_control.immediate', 'no', true);
  insert into credit_rollout_control.decision_probes (name) values (tg_name);
  delete from credit_rollout_control.decision_probes;
  if current_setting('credit_rollout_control.immediate') <> 'no' or credit_rollout_control.can_delay_commit() then
    raise exception 'this is checked when the transaction commits, and not before'
      using errcode = 'restrict_violation', constraint = 'decided_at_commit';
  end if;
  return null;
end $$;
revoke all on function credit_rollout_control.can_delay_commit from public;`,
};
