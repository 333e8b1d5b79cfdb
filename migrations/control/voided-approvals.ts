// Why: who lost the right to approve and got it back within 72 hours approved again what they had approved before, and
// so did another person's login of the same name.
import type { Migration } from '../migration.js';

/** Why: a login is known by its number, which no other gets, and a loss is recorded by the next tick that sees it. */
export const voidLostApprovalsForGood: Migration = {
  name: '20261129201100_pre_void_lost_for_good',
  up: `
alter table credit_rollout_control.approvals add approver_login oid;
alter table credit_rollout_control.reconcile_requests add approver_login oid;
alter table credit_rollout_control.cell_proposals add approver_login oid;
comment on column credit_rollout_control.approvals.approver_login is
  'the number of the approver''s login: one of the same name that is made later has another';
comment on column credit_rollout_control.reconcile_requests.approver_login is
  'the number of the approver''s login: one of the same name that is made later has another';
comment on column credit_rollout_control.cell_proposals.approver_login is
  'the number of the approver''s login: one of the same name that is made later has another';

create function credit_rollout_control.sign_approver_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.approver_login := (select r.oid from pg_roles r where r.rolname = session_user);
  return new;
end $$;
create trigger approvals_sign_login before insert on credit_rollout_control.approvals for each row
  when (new.kind = 'person') execute function credit_rollout_control.sign_approver_login();
create trigger reconcile_requests_sign_login before update on credit_rollout_control.reconcile_requests for each row
  when (new.state = 'approved' and old.state is distinct from 'approved')
  execute function credit_rollout_control.sign_approver_login();
create trigger cell_proposals_sign_login before update on credit_rollout_control.cell_proposals for each row
  when (new.state = 'approved') execute function credit_rollout_control.sign_approver_login();

-- Whether who approved could approve now, with the same login; null: it was approved before logins had their numbers
-- recorded.
create function credit_rollout_control.is_still_approver(person text, login oid) returns boolean language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
begin
  return credit_rollout_control.may_still_approve(person)
    and (login is null or coalesce((select r.embedded from credit_rollout_control.rollout r), false)
      or exists (select from pg_roles r where r.oid = login and r.rolname = person));
end $$;

create or replace function credit_rollout_control.check_approver_stayed() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.is_still_approver(new.approver, new.approver_login) then
    raise exception '% may no longer approve', new.approver
      using errcode = 'restrict_violation', constraint = 'approvals_approver_left';
  end if;
  -- a scheduler registers what somebody asked for: then that person is the author
  if not coalesce((select r.embedded from credit_rollout_control.rollout r), false)
     and new.approver = (select d.requested_by from credit_rollout_control.data_centers d where d.id = new.data_center)
     and exists (select from pg_roles r where r.rolname = new.author
       and pg_has_role(r.oid, to_regrole('credit_rollout_control_scheduler'), 'member')) then
    raise exception '% asked for this rollout, and cannot approve its plan', new.approver
      using errcode = 'check_violation', constraint = 'approvals_two_people_check';
  end if;
  return new;
end $$;

create or replace function credit_rollout_control.void_lost_approvals() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  update credit_rollout_control.approvals a
    set voided_at = clock_timestamp(), void_reason = 'its approver may no longer approve'
    where a.plan_id = new.plan_id and a.kind = 'person' and a.used_at is null and a.voided_at is null
      and not credit_rollout_control.is_still_approver(a.approver, a.approver_login);
  return new;
end $$;

-- Voids for ever what nobody has used yet and whose approver may no longer approve; returns how many. Every tick of a
-- scheduler calls it.
create function credit_rollout_control.record_lost_approvals() returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  plans integer; nights integer;
begin
  update credit_rollout_control.approvals a
    set voided_at = clock_timestamp(), void_reason = 'its approver may no longer approve'
    where a.kind = 'person' and a.used_at is null and a.voided_at is null and a.expires_at > clock_timestamp()
      and not credit_rollout_control.is_still_approver(a.approver, a.approver_login);
  get diagnostics plans = row_count;
  update credit_rollout_control.reconcile_requests q set state = 'withdrawn'
    where q.state = 'approved' and q.run_id is null and q.ended_at is null
      and not credit_rollout_control.is_still_approver(q.approver, q.approver_login);
  get diagnostics nights = row_count;
  return plans + nights;
end $$;
revoke all on function credit_rollout_control.record_lost_approvals from public;

create or replace function credit_rollout_control.seal_cell_proposal(dc text, action text, num bigint, hash text)
  returns jsonb language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(p.data_center, p.kind, jsonb_build_object(
    'number', p.number, 'digest', p.digest, 'author', p.author, 'approver', p.approver))
  from credit_rollout_control.cell_proposals p
  where p.data_center = dc and p.kind = action and p.number = num and p.state = 'approved'
    and p.digest = hash and p.decided_at > clock_timestamp() - interval '1 hour'
    and credit_rollout_control.is_still_approver(p.approver, p.approver_login)
    and credit_rollout_control.is_committed(p.xmin)
$$;

create or replace function credit_rollout_control.seal_maintenance(run bigint) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(r.data_center, 'maintenance', jsonb_build_object(
    'run_id', r.run_id, 'of', r.kind, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'max_changed', credit_rollout_control.setting('reconcile.maxChanged'),
    'max_lapsed', credit_rollout_control.setting('reconcile.maxLapsed'),
    'allow_falls', exists (select from credit_rollout_control.reconcile_requests q
      where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null and q.allow_falls
        and q.state = 'approved' and q.decided_at > clock_timestamp() - interval '72 hours'
        and credit_rollout_control.is_still_approver(q.approver, q.approver_login)
        and credit_rollout_control.is_committed(q.xmin))))
  from credit_rollout_control.runs r join credit_rollout_control.data_centers d on d.id = r.data_center
  where r.run_id = run and r.state = 'open' and credit_rollout_control.is_committed(r.xmin)
    and (r.kind = 'sweep' or r.kind = 'reconcile' and (
      exists (select from credit_rollout_control.reconcile_requests q
        where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null)
      or exists (select from credit_rollout_control.due_work w
        where w.run_id = r.run_id and w.data_center = r.data_center and w.kind = 'reconcile' and w.state = 'running')))
$$;`,
};
