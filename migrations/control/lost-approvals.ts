// Why: who may no longer approve must not decide any more, by what they approved while they could.
import type { Migration } from '../migration.js';

/** Why: an approval is used up to 72 hours after it was given; its approver may have left meanwhile. */
export const voidLostApprovals: Migration = {
  name: '20261129180200_pre_void_lost_approvals',
  up: `
-- Whether a person could approve now: their login exists, may log in, and has the role. Where everybody shares one
-- login nobody can leave.
create function credit_rollout_control.may_still_approve(person text) returns boolean language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((select r.embedded from credit_rollout_control.rollout r), false) or exists (
    select from pg_roles r
    where r.rolname = person and r.rolcanlogin and coalesce(r.rolvaliduntil > clock_timestamp(), true)
      and (coalesce(pg_has_role(r.oid, to_regrole('credit_rollout_control_approver'), 'member'), false)
        or pg_has_role(r.oid,
          (select n.nspowner from pg_namespace n where n.nspname = 'credit_rollout_control'), 'member')));
end $$;

create function credit_rollout_control.check_approver_stayed() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.may_still_approve(new.approver) then
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
create trigger approvals_check_stayed before update on credit_rollout_control.approvals for each row
  when (old.used_at is null and new.used_at is not null and new.kind = 'person')
  execute function credit_rollout_control.check_approver_stayed();

-- An approval of somebody who left makes room for that of somebody else.
create function credit_rollout_control.void_lost_approvals() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  update credit_rollout_control.approvals a
    set voided_at = clock_timestamp(), void_reason = 'its approver may no longer approve'
    where a.plan_id = new.plan_id and a.kind = 'person' and a.used_at is null and a.voided_at is null
      and not credit_rollout_control.may_still_approve(a.approver);
  return new;
end $$;
create trigger approvals_void_lost before insert on credit_rollout_control.approvals
  for each row execute function credit_rollout_control.void_lost_approvals();

-- Null: nobody approved it, the approval is older than an hour, or its approver may no longer approve.
create or replace function credit_rollout_control.seal_cell_proposal(dc text, action text, num bigint, hash text)
  returns jsonb language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(p.data_center, p.kind, jsonb_build_object(
    'number', p.number, 'digest', p.digest, 'author', p.author, 'approver', p.approver))
  from credit_rollout_control.cell_proposals p
  where p.data_center = dc and p.kind = action and p.number = num and p.state = 'approved'
    and p.digest = hash and p.decided_at > clock_timestamp() - interval '1 hour'
    and credit_rollout_control.may_still_approve(p.approver)
    and credit_rollout_control.is_committed(p.xmin)
$$;

-- Null: nobody approved it, or its approver may no longer approve. It names the cut-over that it takes back.
create or replace function credit_rollout_control.seal_reversal(reversal bigint) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(r.data_center, 'reversal', jsonb_build_object(
    'reversal_id', r.reversal_id, 'at', r.to_at, 'local', r.to_local, 'from', r.from_at, 'author', r.author,
    'approver', r.approver))
  from credit_rollout_control.reversals r
  where r.reversal_id = reversal and r.state = 'applied' and credit_rollout_control.may_still_approve(r.approver)
$$;`,
};
