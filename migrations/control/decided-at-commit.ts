// Why: who approves must be able to approve when their transaction commits, and not only when they send the statement.
import type { Migration } from '../migration.js';

/** What a second person decides. */
const PROPOSALS = ['postponements', 'reversals', 'policy_changes', 'reconcile_requests', 'cell_proposals'] as const;

/**
 * Why: an approver who was dismissed in the middle decided all the same, with SET CONSTRAINTS or a prepared
 * transaction. The check at the commit finds out whether it runs there: SET CONSTRAINTS names constraints, and every
 * one of that name. A transaction that notifies cannot be prepared. A deferred trigger of the approver's own, or a
 * cursor that outlives the transaction, would run after the check, for as long as they like; a superuser is not asked.
 */
export const decideAtCommit: Migration = {
  name: '20261130050600_pre_decide_at_commit',
  up: `
create table credit_rollout_control.decision_probes (name text);
comment on table credit_rollout_control.decision_probes is
  'always empty: its triggers have the names of those that ask at the commit whether an approver still is one';
create function credit_rollout_control.note_immediate() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  perform set_config('credit_rollout_control.immediate', 'yes', true);
  return null;
end $$;
${PROPOSALS.map(
  (table) => `create constraint trigger ${table}_decider_stayed after insert on credit_rollout_control.decision_probes
  deferrable initially deferred for each row when (new.name = '${table}_decider_stayed')
  execute function credit_rollout_control.note_immediate();`,
).join('\n')}

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

-- An approval of what waits in a cell may be given again, and is checked again.
drop trigger cell_proposals_two_logins on credit_rollout_control.cell_proposals;
create trigger cell_proposals_two_logins before update on credit_rollout_control.cell_proposals
  for each row when (new.state = 'approved' and new.lost_at is null)
  execute function credit_rollout_control.check_two_logins('cell_proposals_two_people_check');
drop trigger cell_proposals_decider_stayed on credit_rollout_control.cell_proposals;
create constraint trigger cell_proposals_decider_stayed after update on credit_rollout_control.cell_proposals
  deferrable initially deferred for each row when (new.state = 'approved' and new.lost_at is null)
  execute function credit_rollout_control.check_decider_stayed();
revoke all on function credit_rollout_control.note_immediate, credit_rollout_control.can_delay_commit from public;`,
};

/**
 * Why: a plan that a scheduler registers belongs to whoever asked for the rollout, and a new name hid who that was.
 */
export const knowRequesters: Migration = {
  name: '20261130050700_pre_know_requesters',
  up: `
alter table credit_rollout_control.data_centers add requested_login oid;
comment on column credit_rollout_control.data_centers.requested_login is
  'the number of the login that asked for the rollout, which a new name does not change';
update credit_rollout_control.data_centers d set requested_login = r.oid
  from pg_roles r where r.rolname = d.requested_by;
create function credit_rollout_control.sign_requester() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.requested_login := case when new.requested_by is distinct from old.requested_by
      or new.requested_at is distinct from old.requested_at
    then (select r.oid from pg_roles r where r.rolname = new.requested_by) else old.requested_login end;
  return new;
end $$;
-- after data_centers_sign_request: they fire in the order of their names
create trigger data_centers_sign_requester before update on credit_rollout_control.data_centers for each row
  when ((new.requested_at, new.requested_by, new.requested_login) is distinct from
        (old.requested_at, old.requested_by, old.requested_login))
  execute function credit_rollout_control.sign_requester();

-- 0: nobody knows which login its author had, so nobody is known to be another person.
comment on column credit_rollout_control.plans.author_login is
  'the number of the author''s login, which a new name does not change; 0: not known';
create function credit_rollout_control.sign_plan_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.author_login := coalesce(
    (select d.requested_login from credit_rollout_control.data_centers d
      where d.id = new.data_center and d.requested_by = new.author),
    (select r.oid from pg_roles r where r.rolname = new.author), 0::oid);
  return new;
end $$;
drop trigger plans_signed_author on credit_rollout_control.plans;
create trigger plans_signed_author before insert on credit_rollout_control.plans
  for each row execute function credit_rollout_control.sign_plan_login();
revoke all on function credit_rollout_control.sign_requester, credit_rollout_control.sign_plan_login from public;`,
};

/** Why: a data center that the owner took out could still be moved by seals, and proposals went on. */
export const sealNothingRemoved: Migration = {
  name: '20261130050800_pre_seal_nothing_removed',
  up: `
create function credit_rollout_control.refuse_removed() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from credit_rollout_control.data_centers d
      where d.id = new.data_center and d.removed_at is not null) then
    raise exception 'data center % was taken out', new.data_center
      using errcode = 'object_not_in_prerequisite_state', constraint = 'data_centers_removed_check';
  end if;
  return new;
end $$;
${['runs', 'postponements', 'reversals', 'cell_proposals', 'reconcile_requests']
  .map(
    (table) => `create trigger ${table}_not_removed before insert on credit_rollout_control.${table}
  for each row execute function credit_rollout_control.refuse_removed();`,
  )
  .join('\n')}
revoke all on function credit_rollout_control.refuse_removed from public;`,
};
