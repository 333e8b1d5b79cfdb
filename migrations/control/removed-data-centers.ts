// Why: a data center that leaves the fleet keeps its history in control, and nothing of it holds up the others.
import type { Migration } from '../migration.js';

/**
 * Why: which data centers there are is the owner's to say: init adds one, and this takes one out. Old schedulers still
 * see a row that was taken out: it rests and asks for nothing.
 */
export const removeDataCenters: Migration = {
  name: '20261130033500_pre_remove_data_centers',
  up: `
alter table credit_rollout_control.data_centers
  add removed_at timestamptz,
  add removed_by text,
  add constraint data_centers_removed_check check (
    (removed_at is null) = (removed_by is null) and (removed_at is null or requested_at is null
      and stage in ('pending', 'done', 'failed', 'aborted', 'undone')));
comment on column credit_rollout_control.data_centers.removed_at is
  'when it was taken out of the fleet; null: it belongs to it. Its history stays.';
comment on column credit_rollout_control.data_centers.removed_by is 'who took it out';

-- The owner alone has a right to it. What was due of it is missed, and what is open of it, as when its cell was lost,
-- is aborted. With forget, its cell has nothing of ours any more, and its row is as if it had never been rolled out.
create function credit_rollout_control.remove_data_center(dc text, forget boolean) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  delete from credit_rollout_control.holds where data_center = dc;
  delete from credit_rollout_control.failed_steps where data_center = dc;
  update credit_rollout_control.due_work set state = 'missed', ended_at = clock_timestamp(),
    note = 'its data center was taken out' where data_center = dc and state in ('due', 'running');
  update credit_rollout_control.runs set state = 'aborted', ended_at = clock_timestamp()
    where data_center = dc and state = 'open';
  update credit_rollout_control.reconcile_requests set ended_at = clock_timestamp()
    where data_center = dc and ended_at is null and state in ('requested', 'approved');
  update credit_rollout_control.data_centers
    set stage = case when stage in ('canary', 'migrating', 'verifying', 'undoing', 'baking') then 'aborted'
        else stage end,
      requested_at = null, removed_at = coalesce(removed_at, clock_timestamp()),
      removed_by = coalesce(removed_by, credit_rollout_control.person()), intent = 'run', single_writes = false
    where id = dc;
  if not forget then return; end if;
  delete from credit_rollout_control.seal_keys where data_center = dc;
  -- its triggers keep a row that is in use
  alter table credit_rollout_control.data_centers disable trigger user;
  update credit_rollout_control.data_centers
    set stage = 'pending', stage_since = clock_timestamp(), quiet = true, requested_by = null, request_reason = null,
      run_id = null, epoch = null, not_before_at = null, not_before_local = null, cutover_at = null,
      cutover_local = null, cutover_set_at = null, verified_at = null, bake_until = null, failure = null,
      plan_id = null, plan = null, done_at = null, gate_configured_at = null, gate_effective_at = null,
      gate_latched_at = null, gate_swept_at = null, version = version + 1
    where id = dc;
  alter table credit_rollout_control.data_centers enable trigger user;
end $$;

-- A data center that the owner adds after the first apply gets the instants of the policy too.
create or replace function credit_rollout_control.check_pin() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  pinned_at timestamptz := (select r.pinned_at from credit_rollout_control.rollout r);
  moved record;
begin
  if old.not_before_at is null and old.cutover_at is null and (pinned_at >= transaction_timestamp()
      or pinned_at is not null and pg_has_role(session_user,
        (select c.relowner from pg_class c where c.oid = tg_relid), 'usage')) then
    if not (credit_rollout_control.is_instant_of(new.not_before_at, new.not_before_local, new.zone,
          credit_rollout_control.setting('rollout.notBefore'))
        and credit_rollout_control.is_instant_of(new.cutover_at, new.cutover_local, new.zone,
          credit_rollout_control.setting('signups.cutover'))) then
      raise exception 'the instants of % are not those of the policy', new.id
        using errcode = 'check_violation', constraint = 'data_centers_pin_policy_check';
    end if;
    new.cutover_set_at := case when new.cutover_at is not null then clock_timestamp() end;
    return new;
  end if;
  select m.* into moved from (
    select p.from_at, p.to_at, p.to_local, p.decided_at from credit_rollout_control.postponements p
      where p.data_center = new.id and p.state = 'applied'
    union all
    select r.from_at, r.to_at, r.to_local, r.decided_at from credit_rollout_control.reversals r
      where r.data_center = new.id and r.state = 'applied') m
    order by m.decided_at desc limit 1;
  if (new.not_before_at, new.not_before_local) is distinct from (old.not_before_at, old.not_before_local)
     or new.cutover_at is not distinct from old.cutover_at or moved is null
     or (moved.from_at, moved.to_at, moved.to_local)
        is distinct from (old.cutover_at, new.cutover_at, new.cutover_local) then
    raise exception 'the instants of % are pinned', new.id using errcode = 'restrict_violation';
  end if;
  new.cutover_set_at := moved.decided_at;
  return new;
end $$;

-- The first apply pins every data center that belongs to the fleet, not only those that suit whoever applies.
create or replace function credit_rollout_control.check_every_pin() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
      select from credit_rollout_control.data_centers d
      where d.removed_at is null
        and (not credit_rollout_control.is_instant_of(d.not_before_at, d.not_before_local, d.zone,
            credit_rollout_control.setting('rollout.notBefore'))
          or not credit_rollout_control.is_instant_of(d.cutover_at, d.cutover_local, d.zone,
            credit_rollout_control.setting('signups.cutover')))) then
    raise exception 'the first apply pins the instants of every data center'
      using errcode = 'check_violation', constraint = 'data_centers_pin_policy_check';
  end if;
  return null;
end $$;
revoke all on function credit_rollout_control.remove_data_center from public;`,
};
