// Why: the limits of a night are policy, and one person alone could have a night go beyond them.
import type { Migration } from '../migration.js';

/**
 * Why: a request that accepts falls is a proposal until a second person approves it. Old schedulers try in vain to take
 * one that waits; what they took before keeps the limits.
 */
export const guardAcceptedFalls: Migration = {
  name: '20261129201000_pre_approve_falls',
  up: `
alter table credit_rollout_control.reconcile_requests
  add state text not null default 'requested' check (state in ('requested', 'proposed', 'approved', 'withdrawn')),
  add approver text,
  add decided_at timestamptz,
  add alone boolean not null default false,
  add constraint reconcile_requests_two_people_check check (approver is null or approver <> requested_by or alone),
  add constraint reconcile_requests_approved_check check (
    state <> 'approved' or (approver is not null and decided_at is not null));
update credit_rollout_control.reconcile_requests set state = 'proposed'
  where allow_falls and run_id is null and ended_at is null;
comment on column credit_rollout_control.reconcile_requests.state is
  'requested; one that accepts falls: proposed, then approved by a second person, or withdrawn';
comment on column credit_rollout_control.reconcile_requests.alone is
  'one person proposed and approved it, which the embedded servers allow';

-- one of a kind is open: what waits for its approval keeps nobody from asking for a night within the limits
drop index credit_rollout_control.reconcile_requests_open_idx;
create unique index reconcile_requests_open_idx on credit_rollout_control.reconcile_requests (data_center)
  where ended_at is null and state <> 'proposed';
create unique index reconcile_requests_proposed_idx on credit_rollout_control.reconcile_requests (data_center)
  where ended_at is null and state = 'proposed';

create or replace function credit_rollout_control.sign_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.requested_by := credit_rollout_control.person();
  new.requested_at := clock_timestamp();
  new.state := case when new.allow_falls then 'proposed' else 'requested' end;
  new.approver := null;
  new.decided_at := null;
  new.alone := false;
  return new;
end $$;

-- A request is given to one run of its data center, and ends once; one that accepts falls is approved before.
create or replace function credit_rollout_control.keep_reconcile_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if old.ended_at is not null or old.run_id is not null and new.run_id is distinct from old.run_id
     or (new.request_id, new.data_center, new.requested_by, new.requested_at, new.reason, new.allow_falls)
       is distinct from
        (old.request_id, old.data_center, old.requested_by, old.requested_at, old.reason, old.allow_falls)
     or new.run_id is not null and (new.state not in ('requested', 'approved')
       or not exists (select from credit_rollout_control.runs r
         where r.run_id = new.run_id and r.data_center = new.data_center and r.kind = 'reconcile')) then
    raise exception 'a request is carried out once' using errcode = 'restrict_violation';
  end if;
  if new.state = old.state then
    new.approver := old.approver;
    new.decided_at := old.decided_at;
    new.alone := old.alone;
    return new;
  end if;
  if not (old.state = 'proposed' and new.state = 'approved'
      or old.state in ('proposed', 'approved') and old.run_id is null and new.state = 'withdrawn') then
    raise exception 'a proposal is decided once' using errcode = 'restrict_violation';
  end if;
  new.decided_at := clock_timestamp();
  if new.state = 'withdrawn' then
    new.ended_at := new.decided_at;
    new.approver := old.approver;
    new.alone := old.alone;
    return new;
  end if;
  if not credit_rollout_control.has_role('approver') then
    raise exception 'this login may not approve' using errcode = 'insufficient_privilege';
  end if;
  if old.requested_at < new.decided_at - interval '72 hours' then
    raise exception 'the proposal has expired'
      using errcode = 'check_violation', constraint = 'reconcile_requests_in_time_check';
  end if;
  new.ended_at := null;
  new.approver := credit_rollout_control.person();
  new.alone := coalesce(new.approver = new.requested_by, false)
    and (select r.embedded from credit_rollout_control.rollout r);
  return new;
end $$;

-- The limits of a night or a sweep, as the policy has them. Falls beyond them are accepted where a second person, who
-- may still approve, approved that within 72 hours. Null: no such run is open.
create or replace function credit_rollout_control.seal_maintenance(run bigint) returns jsonb language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(r.data_center, 'maintenance', jsonb_build_object(
    'run_id', r.run_id, 'of', r.kind, 'batch_size', d.plan -> 'batchSize', 'lanes', d.plan -> 'lanes',
    'max_changed', credit_rollout_control.setting('reconcile.maxChanged'),
    'max_lapsed', credit_rollout_control.setting('reconcile.maxLapsed'),
    'allow_falls', exists (select from credit_rollout_control.reconcile_requests q
      where q.run_id = r.run_id and q.data_center = r.data_center and q.ended_at is null and q.allow_falls
        and q.state = 'approved' and q.decided_at > clock_timestamp() - interval '72 hours'
        and credit_rollout_control.may_still_approve(q.approver)
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
