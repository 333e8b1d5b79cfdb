// Why: what an approver sees must be what is decided, by whoever may approve at that moment, and by another person.
import type { Migration } from '../migration.js';

/** What a second person decides: the table, the state that decides it, and the check that names two people. */
const PROPOSALS = [
  ['postponements', 'applied'],
  ['reversals', 'applied'],
  ['policy_changes', 'applied'],
  ['reconcile_requests', 'approved'],
  ['cell_proposals', 'approved'],
] as const;

const perProposal = (sql: (table: string, state: string) => string): string =>
  PROPOSALS.map(([table, state]) => sql(table, state)).join('\n');

/**
 * Why: an operator could show one instant and propose another; an approver who was dismissed decided in a transaction
 * that was open; and a login that was renamed approved what it had proposed under its old name.
 */
export const bindDecisions: Migration = {
  name: '20261130033000_pre_bind_decisions',
  up: `
-- The text that people read is made from the instant. A year has four digits.
create function credit_rollout_control.show_instant() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not isfinite(new.to_at) or new.to_at >= '9999-01-01Z' then
    raise exception 'this instant is too far away' using errcode = 'check_violation', constraint = tg_argv[0];
  end if;
  select to_char(new.to_at at time zone d.zone, 'YYYY-MM-DD"T"HH24:MI:SS') || ' ' || d.zone into new.to_local
    from credit_rollout_control.data_centers d where d.id = new.data_center;
  return new;
end $$;
create trigger postponements_show before insert on credit_rollout_control.postponements
  for each row execute function credit_rollout_control.show_instant('postponements_future_check');
create trigger reversals_show before insert on credit_rollout_control.reversals
  for each row execute function credit_rollout_control.show_instant('reversals_future_check');

-- At the end of the transaction, since it may have begun while its approver still was one.
create function credit_rollout_control.check_decider_stayed() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.may_still_approve(new.approver) then
    raise exception '% may no longer approve', new.approver
      using errcode = 'restrict_violation', constraint = 'approvals_approver_left';
  end if;
  return null;
end $$;
${perProposal(
  (table, state) => `create constraint trigger ${table}_decider_stayed after update on credit_rollout_control.${table}
  deferrable initially deferred for each row when (new.state = '${state}' and old.state is distinct from new.state)
  execute function credit_rollout_control.check_decider_stayed();`,
)}

-- Whether this is the login that a number stands for. Where all share one login, one person has many.
create function credit_rollout_control.is_own_login(login oid) returns boolean language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(login = (select r.oid from pg_roles r where r.rolname = session_user), false)
    and not (select r.embedded from credit_rollout_control.rollout r);
end $$;
create function credit_rollout_control.sign_author_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.author_login := (select r.oid from pg_roles r where r.rolname = to_jsonb(new) ->> tg_argv[0]);
  return new;
end $$;
create function credit_rollout_control.check_two_logins() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if credit_rollout_control.is_own_login(new.author_login) then
    raise exception 'a login cannot approve what it proposed under another name'
      using errcode = 'check_violation', constraint = tg_argv[0];
  end if;
  return new;
end $$;
${perProposal((table, state) => {
  const author = table === 'reconcile_requests' ? 'requested_by' : 'author';
  return `alter table credit_rollout_control.${table} add author_login oid;
comment on column credit_rollout_control.${table}.author_login is
  'the number of the author''s login, which a new name does not change';
create trigger ${table}_signed_author before insert on credit_rollout_control.${table}
  for each row execute function credit_rollout_control.sign_author_login('${author}');
create trigger ${table}_two_logins before update on credit_rollout_control.${table}
  for each row when (new.state = '${state}' and old.state is distinct from new.state)
  execute function credit_rollout_control.check_two_logins('${table}_two_people_check');`;
})}
alter table credit_rollout_control.plans add author_login oid;
comment on column credit_rollout_control.plans.author_login is
  'the number of the author''s login, which a new name does not change';
create trigger plans_signed_author before insert on credit_rollout_control.plans
  for each row execute function credit_rollout_control.sign_author_login('author');
create function credit_rollout_control.check_plan_logins() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if credit_rollout_control.is_own_login((
      select p.author_login from credit_rollout_control.plans p where p.plan_id = new.plan_id)) then
    raise exception 'a login cannot approve what it proposed under another name'
      using errcode = 'check_violation', constraint = 'approvals_two_people_check';
  end if;
  return new;
end $$;
create trigger approvals_two_logins before insert on credit_rollout_control.approvals
  for each row when (new.kind = 'person') execute function credit_rollout_control.check_plan_logins();

revoke all on function credit_rollout_control.show_instant, credit_rollout_control.check_decider_stayed,
  credit_rollout_control.is_own_login, credit_rollout_control.sign_author_login,
  credit_rollout_control.check_two_logins, credit_rollout_control.check_plan_logins from public;`,
};
