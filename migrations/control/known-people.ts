// Why: the number of a login that is gone, or that another login got, said who asked for something.
import { addPowersSql } from '../login-powers.js';
import type { Migration } from '../migration.js';

/**
 * Why: who had asked for a rollout approved a plan of it, and who had proposed something decided it, after their login
 * was made again and got another name. A number counts while its login has the name that it had. Where no login has
 * both, nobody is known to be another person, and it is asked for again.
 */
export const knowPeopleNow: Migration = {
  name: '20261203020300_pre_know_people_now',
  up: `
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
       and d.requested_by is not null
       and (d.requested_by = new.approver or not exists (
         select from pg_roles r where r.oid = d.requested_login and r.rolname = d.requested_by)))
     and exists (select from pg_roles r where r.rolname = new.author
       and pg_has_role(r.oid, to_regrole('credit_rollout_control_scheduler'), 'member')) then
    raise exception '% asked for this rollout, or it is not known who did: its plan cannot be used', new.approver
      using errcode = 'check_violation', constraint = 'approvals_two_people_check';
  end if;
  return new;
end $$;

create or replace function credit_rollout_control.check_two_logins() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if credit_rollout_control.is_own_login(new.author_login)
     or not exists (select from pg_roles r where r.oid = coalesce(new.author_login, r.oid))
       and not (select r.embedded from credit_rollout_control.rollout r) then
    raise exception 'a login cannot approve what it proposed under another name'
      using errcode = 'check_violation', constraint = tg_argv[0];
  end if;
  return new;
end $$;

-- A proposal to accept falls and a request may both be open.
create or replace function credit_rollout_control.sign_run() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.requested_by := case new.kind
    when 'migrate' then (select d.requested_by from credit_rollout_control.data_centers d where d.id = new.data_center)
    else (select q.requested_by from credit_rollout_control.reconcile_requests q
      where q.data_center = new.data_center and q.ended_at is null and q.requested_by = new.requested_by limit 1) end;
  new.opened_at := clock_timestamp();
  return new;
end $$;
${addPowersSql('credit_rollout_control')}`,
};
