// Why: names of ours must mean the same for every caller, and who did something and when must be what this database
// knows, not what a program sends.
import type { Migration } from '../migration.js';

/**
 * Why: a function without a search path of its own finds types and operators through the caller's, where `pg_temp`
 * comes first: a temporary domain named `text` changed the name of a person. `person` keeps its parsed body instead.
 */
export const bindControlNames: Migration = {
  name: '20261129010000_pre_bind_names',
  up: `
do $$
declare
  unbound regprocedure;
begin
  for unbound in
    select p.oid from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid = p.prolang
    where p.pronamespace = 'credit_rollout_control'::regnamespace and l.lanname = 'plpgsql'
      and not exists (select from unnest(p.proconfig) s where s like 'search_path=%')
  loop
    execute format('alter function %s set search_path = pg_catalog, pg_temp', unbound);
  end loop;
end $$;

create or replace function credit_rollout_control.person() returns text language sql stable begin atomic
  select case when r.embedded
    then coalesce(nullif(current_setting('credit_rollout_control.person', true), ''), session_user::text)
    else session_user::text end
  from credit_rollout_control.rollout r;
end;`,
};

/** Why: author, actor, requester and every time come from the login and the clock of this database. */
export const recordPeople: Migration = {
  name: '20261129010100_pre_record_people',
  up: `
create function credit_rollout_control.sign_audit() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.actor := credit_rollout_control.person();
  new.at := clock_timestamp();
  return new;
end $$;
create trigger audit_signed before insert on credit_rollout_control.audit
  for each row execute function credit_rollout_control.sign_audit();

-- A plan that a scheduler registers was made for whoever asked for the rollout, and is that person's.
create function credit_rollout_control.sign_plan() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  requester text;
begin
  if pg_has_role(session_user, to_regrole('credit_rollout_control_scheduler'), 'member') then
    select d.requested_by into requester from credit_rollout_control.data_centers d
      where d.id = new.data_center and d.plan_id = new.plan_id and d.requested_at is not null;
  end if;
  new.author := coalesce(requester, credit_rollout_control.person());
  new.registered_at := clock_timestamp();
  return new;
end $$;
create trigger plans_signed before insert on credit_rollout_control.plans
  for each row execute function credit_rollout_control.sign_plan();

create function credit_rollout_control.sign_rollout_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if new.requested_at is not null and new.requested_at is distinct from old.requested_at then
    new.requested_at := clock_timestamp();
    new.requested_by := credit_rollout_control.person();
  else
    new.requested_by := old.requested_by;
  end if;
  return new;
end $$;
create trigger data_centers_sign_request before update on credit_rollout_control.data_centers for each row
  when ((new.requested_at, new.requested_by) is distinct from (old.requested_at, old.requested_by))
  execute function credit_rollout_control.sign_rollout_request();

-- Who asked for a run is who asked for the rollout or the reconciliation that it carries out; nobody asked for a night.
create function credit_rollout_control.sign_run() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.requested_by := case new.kind
    when 'migrate' then (select d.requested_by from credit_rollout_control.data_centers d where d.id = new.data_center)
    else (select q.requested_by from credit_rollout_control.reconcile_requests q
      where q.data_center = new.data_center and q.ended_at is null and q.requested_by = new.requested_by) end;
  new.opened_at := clock_timestamp();
  return new;
end $$;
create trigger runs_signed before insert on credit_rollout_control.runs
  for each row execute function credit_rollout_control.sign_run();

create or replace function credit_rollout_control.sign_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.requested_by := credit_rollout_control.person();
  new.requested_at := clock_timestamp();
  return new;
end $$;`,
};

/**
 * Why: no statement of an operator or a scheduler may start a rollout that no second person or guard-rail let through.
 */
export const requireApprovals: Migration = {
  name: '20261129010200_pre_require_approvals',
  up: `
create function credit_rollout_control.require_approval() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from credit_rollout_control.approvals a
      where a.plan_id = new.plan_id and a.data_center = new.id and a.used_by_run = new.run_id) then
    raise exception 'a canary starts with a used approval of its plan only'
      using errcode = 'restrict_violation', constraint = 'data_centers_canary_needs_approval';
  end if;
  return new;
end $$;
create trigger data_centers_require_approval before update on credit_rollout_control.data_centers for each row
  when (new.stage = 'canary' and old.stage is distinct from 'canary')
  execute function credit_rollout_control.require_approval();

-- A person's approval needs the role for it; whoever may plan may let a plan inside its guard-rails through.
create function credit_rollout_control.check_approver() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not (case new.kind
      when 'person' then pg_has_role(session_user, to_regrole('credit_rollout_control_approver'), 'member')
      else pg_has_role(session_user, to_regrole('credit_rollout_control_operator'), 'member')
        or pg_has_role(session_user, to_regrole('credit_rollout_control_scheduler'), 'member') end) then
    raise exception 'this login may not give such an approval' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger approvals_check_approver before insert on credit_rollout_control.approvals
  for each row execute function credit_rollout_control.check_approver();

-- Deletes registered plans that are older than so many days and that nothing needs; approvals stay. Returns how many.
create function credit_rollout_control.purge_plans(retention_days integer, kept text[]) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  purged integer;
begin
  if retention_days < 1 then
    raise exception 'plans are kept for a day at least' using errcode = 'invalid_parameter_value';
  end if;
  delete from credit_rollout_control.plans p
    where p.registered_at < clock_timestamp() - make_interval(days => retention_days)
      and p.plan_id <> all (kept)
      and not exists (select from credit_rollout_control.approvals a where a.plan_id = p.plan_id
        and a.used_at is null and a.voided_at is null and a.expires_at > clock_timestamp())
      and not exists (select from credit_rollout_control.runs r where r.plan_id = p.plan_id and r.state = 'open')
      and not exists (select from credit_rollout_control.data_centers d where d.plan_id = p.plan_id
        and (d.requested_at is not null or d.stage not in ('pending', 'done', 'aborted', 'undone')));
  get diagnostics purged = row_count;
  return purged;
end $$;`,
};
