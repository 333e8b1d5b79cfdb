// Why: names of ours must mean the same for every caller, and who did something and when must be what this database
// knows, not what a program sends.
import { bindNamesSql, type Migration } from '../migration.js';

/**
 * Why: a function without a search path of its own finds types and operators through the caller's, where `pg_temp`
 * comes first: a temporary domain named `text` changed the name of a person. `person` keeps its parsed body instead.
 */
export const bindControlNames: Migration = {
  name: '20261129010000_pre_bind_names',
  up: `${bindNamesSql('credit_rollout_control')}

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
  -- of a run that begins now, or of one that failed before its canary passed and is retried: the approval of any other
  -- run is used up
  if new.run_id is not distinct from old.run_id and old.stage <> 'failed' or not exists (
      select from credit_rollout_control.approvals a join credit_rollout_control.runs r on r.run_id = a.used_by_run
      where a.plan_id = new.plan_id and a.data_center = new.id and a.used_by_run = new.run_id
        and r.state = 'open' and r.kind = 'migrate' and r.data_center = new.id and r.plan_id = new.plan_id) then
    raise exception 'a canary starts with a used approval of its plan only'
      using errcode = 'restrict_violation', constraint = 'data_centers_canary_needs_approval';
  end if;
  return new;
end $$;
create trigger data_centers_require_approval before update on credit_rollout_control.data_centers for each row
  when (new.stage = 'canary' and old.stage is distinct from 'canary')
  execute function credit_rollout_control.require_approval();

-- Whether the login is a member of this role of control, or owns the schema.
create function credit_rollout_control.has_role(role text) returns boolean language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce(pg_has_role(session_user, to_regrole('credit_rollout_control_' || role), 'member'), false)
    or pg_has_role(session_user,
      (select n.nspowner from pg_namespace n where n.nspname = 'credit_rollout_control'), 'member');
end $$;

-- Who is no scheduler asks for a retry or gives up what failed; every other step belongs to a scheduler.
create function credit_rollout_control.check_step() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.has_role('scheduler')
     and not (old.stage = 'failed' and new.stage in ('canary', 'migrating', 'verifying', 'aborted')) then
    raise exception 'only a scheduler moves a data center from % to %', old.stage, new.stage
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger data_centers_check_step before update on credit_rollout_control.data_centers for each row
  when (new.stage is distinct from old.stage)
  execute function credit_rollout_control.check_step();

-- A run ends once; only one that failed may go on, when an operator retries it.
create function credit_rollout_control.check_run_state() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not (old.state = 'failed' and new.state = 'open'
          or old.state = 'open' and credit_rollout_control.has_role('scheduler')) then
    raise exception 'a run that is % does not become %', old.state, new.state using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger runs_check_state before update on credit_rollout_control.runs for each row
  when (new.state is distinct from old.state)
  execute function credit_rollout_control.check_run_state();

-- With a lower epoch, the number of a run that has ended, and its approval, would come again.
create function credit_rollout_control.keep_epoch_growing() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'an epoch never goes back' using errcode = 'restrict_violation';
end $$;
create trigger rollout_epoch_grows before update on credit_rollout_control.rollout for each row
  when (new.epoch < old.epoch)
  execute function credit_rollout_control.keep_epoch_growing();

-- An approval is used or voided now, not before it expired.
create function credit_rollout_control.sign_approval_end() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if old.used_at is null and new.used_at is not null then new.used_at := clock_timestamp(); end if;
  if old.voided_at is null and new.voided_at is not null then new.voided_at := clock_timestamp(); end if;
  return new;
end $$;
create trigger approvals_sign_end before update on credit_rollout_control.approvals
  for each row execute function credit_rollout_control.sign_approval_end();

-- The second person of a postponement or a reversal is an approver too.
create function credit_rollout_control.check_second_person() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.has_role('approver') then
    raise exception 'this login may not approve' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger postponements_check_approver before update on credit_rollout_control.postponements for each row
  when (new.state = 'applied') execute function credit_rollout_control.check_second_person();
create trigger reversals_check_approver before update on credit_rollout_control.reversals for each row
  when (new.state = 'applied') execute function credit_rollout_control.check_second_person();

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
  for each row execute function credit_rollout_control.check_approver();`,
};

/** Why: a process that runs as a superuser or an owner is stopped by nothing of all this, and somebody must see it. */
export const recordSchedulerLogins: Migration = {
  name: '20261129010300_pre_record_scheduler_logins',
  up: `
alter table credit_rollout_control.schedulers add login text, add powers text[] not null default '{}';
comment on column credit_rollout_control.schedulers.login is
  'the login of the process, as this database authenticated it';
comment on column credit_rollout_control.schedulers.powers is
  'what the login may do beyond a scheduler: superuser, createrole, owner, operator, approver';

create function credit_rollout_control.record_scheduler_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.login := session_user;
  select case when r.rolsuper then '{superuser}'::text[] else array(
      select p.power from (values
        ('createrole', r.rolcreaterole),
        ('owner', pg_has_role(r.oid, (select t.relowner from pg_class t where t.oid = tg_relid), 'member')),
        ('operator', pg_has_role(r.oid, to_regrole('credit_rollout_control_operator'), 'member')),
        ('approver', pg_has_role(r.oid, to_regrole('credit_rollout_control_approver'), 'member'))) p (power, held)
      where p.held) end
    into new.powers from pg_roles r where r.rolname = session_user;
  return new;
end $$;
create trigger schedulers_record_login before insert or update on credit_rollout_control.schedulers
  for each row execute function credit_rollout_control.record_scheduler_login();`,
};
