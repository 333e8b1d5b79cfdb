// Why: what control keeps of a plan was free text, and its author a number that somebody else may have now.
import type { Migration } from '../migration.js';

const RAILS = 'maxRaiseFactor,floorOverPlan,totalChangePercent,orgsTouched,quarantinedShare,protectedOrgs,paidFalling';
/** What src/domain/plan/guard-rails.ts prints: numbers and their unit. Without question marks, which knex binds. */
const AMOUNT = String.raw`^(none|[-+]{0,1}[0-9][0-9,.]*(| times| orgs{0,1}| %(| up or down|, from [0-9]+ orgs on| \([0-9,]+ orgs{0,1}\))))$`;

/** Why: a guard-rail of a plan named an org, and one without a limit made approve fail after it had approved. */
export const shapeRails: Migration = {
  name: '20261201110300_pre_shape_rails',
  up: `
create function credit_rollout_control.check_plan_rails() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(new.rails) <> 'array' or length(new.rails::text) > 10000
     or exists (select from jsonb_array_elements(new.rails) e (rail)
       where case when jsonb_typeof(e.rail) <> 'object' then true
         else e.rail - '{rail,value,limit,passes}'::text[] <> '{}'
           or jsonb_typeof(e.rail -> 'passes') is distinct from 'boolean'
           or jsonb_typeof(e.rail -> 'value') is distinct from 'string'
           or jsonb_typeof(e.rail -> 'limit') is distinct from 'string'
           or not coalesce(e.rail ->> 'rail' = any ('{${RAILS}}'::text[]), false)
           or e.rail ->> 'value' !~ '${AMOUNT}' or e.rail ->> 'limit' !~ '${AMOUNT}' end) then
    raise exception 'guard-rails of a plan are numbers' using errcode = 'check_violation',
      constraint = 'plans_rails_check';
  end if;
  return new;
end $$;
create trigger plans_check_plan_rails before insert on credit_rollout_control.plans
  for each row execute function credit_rollout_control.check_plan_rails();
revoke all on function credit_rollout_control.check_plan_rails from public;`,
};

/**
 * Why: a login that was made again registered a plan under its old number, which an earlier request of a rollout had,
 * and approved it under a new name. A number counts while its login has the name; a restore may give it to another.
 */
export const knowAuthorsNow: Migration = {
  name: '20261201110400_pre_know_authors_now',
  up: `
create or replace function credit_rollout_control.sign_plan_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.author_login := coalesce(case
    -- a scheduler registers what somebody asked for
    when new.author <> session_user and exists (select from credit_rollout_control.data_centers d
        where d.id = new.data_center and d.requested_by = new.author)
      then (select r.oid from credit_rollout_control.data_centers d join pg_roles r on r.oid = d.requested_login
        where d.id = new.data_center and r.rolname = new.author)
    else (select r.oid from pg_roles r where r.rolname = new.author) end, 0::oid);
  return new;
end $$;

create or replace function credit_rollout_control.check_plan_logins() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  author oid := (select p.author_login from credit_rollout_control.plans p where p.plan_id = new.plan_id);
begin
  if credit_rollout_control.is_own_login(author)
     or not exists (select from pg_roles r where r.oid = coalesce(author, r.oid))
       and not (select r.embedded from credit_rollout_control.rollout r) then
    raise exception 'a login cannot approve what it proposed under another name'
      using errcode = 'check_violation', constraint = 'approvals_two_people_check';
  end if;
  return new;
end $$;`,
};
