// Why: what is decided must be decided by somebody who still may, about a data center that is still there, and by no
// transaction that was left behind.
import type { Migration } from '../migration.js';

/** What a second person decides, and the state that decides it. */
const DECIDED = [
  ['postponements', 'applied'],
  ['reversals', 'applied'],
  ['reconcile_requests', 'approved'],
  ['cell_proposals', 'approved'],
] as const;

/**
 * Why: a proposal that is prepared keeps everybody else from proposing, without a session. PostgreSQL prepares no
 * transaction that has notified; nobody listens, and a server that can prepare none is spared it.
 */
export const refusePreparedProposals: Migration = {
  name: '20261130055000_pre_refuse_prepared_proposals',
  up: `
create function credit_rollout_control.refuse_prepare() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('max_prepared_transactions') <> '0' then
    notify credit_rollout_control;
  end if;
  return null;
end $$;
${['approvals', 'policy_changes', ...DECIDED.map(([table]) => table)]
  .map(
    (table) => `create trigger ${table}_refuse_prepare before insert or update on credit_rollout_control.${table}
  for each statement execute function credit_rollout_control.refuse_prepare();`,
  )
  .join('\n')}
revoke all on function credit_rollout_control.refuse_prepare from public;`,
};

/**
 * Why: a run used an approval in a transaction that outlived its approver, and whoever requested a rollout approved a
 * plan of it under a new name.
 */
export const knowApproversOfPlans: Migration = {
  name: '20261130055100_pre_know_approvers_of_plans',
  up: `
-- Asked again at the commit; the second is the probe for SET CONSTRAINTS.
create constraint trigger approvals_approver_stayed after update on credit_rollout_control.approvals
  deferrable initially deferred for each row
  when (old.used_at is null and new.used_at is not null and new.kind = 'person')
  execute function credit_rollout_control.check_decider_stayed();
create constraint trigger approvals_approver_stayed after insert on credit_rollout_control.decision_probes
  deferrable initially deferred for each row when (new.name = 'approvals_approver_stayed')
  execute function credit_rollout_control.note_immediate();

create or replace function credit_rollout_control.check_approver_stayed() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.is_still_approver(new.approver, new.approver_login) then
    raise exception '% may no longer approve', new.approver
      using errcode = 'restrict_violation', constraint = 'approvals_approver_left';
  end if;
  -- a scheduler registers what somebody asked for: then that person is the author
  if not coalesce((select r.embedded from credit_rollout_control.rollout r), false)
     and exists (select from credit_rollout_control.data_centers d where d.id = new.data_center
       and (d.requested_by = new.approver or d.requested_login = new.approver_login))
     and exists (select from pg_roles r where r.rolname = new.author
       and pg_has_role(r.oid, to_regrole('credit_rollout_control_scheduler'), 'member')) then
    raise exception '% asked for this rollout, and cannot approve its plan', new.approver
      using errcode = 'check_violation', constraint = 'approvals_two_people_check';
  end if;
  return new;
end $$;

create or replace function credit_rollout_control.check_plan_logins() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  author oid := (select p.author_login from credit_rollout_control.plans p where p.plan_id = new.plan_id);
begin
  if credit_rollout_control.is_own_login(author)
     or author = 0 and not (select r.embedded from credit_rollout_control.rollout r) then
    raise exception 'a login cannot approve what it proposed under another name'
      using errcode = 'check_violation', constraint = 'approvals_two_people_check';
  end if;
  return new;
end $$;`,
};

/** Why: what waited for a second person was still decided after its data center was taken out. */
export const decideForMembers: Migration = {
  name: '20261130055200_pre_decide_for_members',
  up: `
${DECIDED.map(
  ([table, state]) => `create trigger ${table}_decide_member after update on credit_rollout_control.${table}
  for each row when (new.state = '${state}' and (old.state <> new.state or old.decided_at is distinct from new.decided_at))
  execute function credit_rollout_control.refuse_removed();`,
).join('\n')}
create trigger runs_decide_member after update on credit_rollout_control.runs
  for each row when (new.state = 'open' and old.state <> 'open')
  execute function credit_rollout_control.refuse_removed();
create trigger plans_not_removed before insert on credit_rollout_control.plans
  for each row execute function credit_rollout_control.refuse_removed();
-- After the row too: the foreign key has waited for a removal that had begun.
create trigger runs_still_member after insert on credit_rollout_control.runs
  for each row execute function credit_rollout_control.refuse_removed();`,
};
