// Why: a request, a pin and an approval follow the policy that is in force, whatever a client sends.
import type { Migration } from '../migration.js';

/** What a plan's counts and the guard-rails say, exactly; the program shows the same, and decides nothing by it. */
export const judgePlans: Migration = {
  name: '20261129020100_pre_judge_plans',
  up: `
create function credit_rollout_control.guard_rails() returns jsonb language sql stable begin atomic
  select coalesce(jsonb_object_agg(substring(p.name from '[^.]+$'), p.value), '{}')
  from credit_rollout_control.policy p
  where p.name like 'rollout.guardRails.%' and p.value <> 'null'::jsonb;
end;

-- Whether a plan with these counts is inside these limits. Counts that are missing or no numbers are inside none.
create function credit_rollout_control.inside_rails(counts jsonb, guard_rails jsonb) returns boolean
  language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
  before_all numeric;
  after_all numeric;
begin
  if exists (
      select from unnest('{orgs,touched,quarantined,protectedTouched,paidFalling}'::text[]) key
      where jsonb_typeof(counts -> key) is distinct from 'number' or (counts ->> key) !~ '^[0-9]+$')
    or exists (
      select from unnest('{before,after}'::text[]) key where coalesce(counts ->> key, '') !~ '^[0-9]+$')
    or exists (
      select from unnest('{maxRaiseFactor,maxFloorOverPlan}'::text[]) key
      where coalesce(jsonb_typeof(counts -> key), 'missing') not in ('number', 'null')) then
    return false;
  end if;
  before_all := (counts ->> 'before')::numeric;
  after_all := (counts ->> 'after')::numeric;
  return coalesce((counts ->> 'maxRaiseFactor')::numeric <= (guard_rails ->> 'maxRaiseFactor')::numeric, true)
    and coalesce((counts ->> 'maxFloorOverPlan')::numeric <= (guard_rails ->> 'floorOverPlan')::numeric, true)
    and coalesce(abs(after_all - before_all) * 100
      <= (guard_rails ->> 'totalChangePercent')::numeric * greatest(before_all, 1), true)
    and coalesce((counts ->> 'touched')::numeric <= (guard_rails ->> 'orgsTouched')::numeric, true)
    and ((counts ->> 'quarantined')::numeric < 10
      or (counts ->> 'quarantined')::numeric
        <= coalesce((guard_rails ->> 'quarantinedShare')::numeric, 0) * greatest((counts ->> 'orgs')::numeric, 1))
    and (counts ->> 'protectedTouched')::numeric = 0
    and (counts ->> 'paidFalling')::numeric = 0;
end $$;

-- Whether a plan may be applied without a person, under the policy in force.
create function credit_rollout_control.approves_itself(plan text) returns boolean language sql stable begin atomic
  select coalesce(bool_and(credit_rollout_control.setting('rollout.approval') = '"auto"'::jsonb
    and credit_rollout_control.inside_rails(p.counts, credit_rollout_control.guard_rails())), false)
  from credit_rollout_control.plans p where p.plan_id = plan;
end;

create function credit_rollout_control.check_rails() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.approves_itself(new.plan_id) then
    raise exception 'plan % needs a person', new.plan_id
      using errcode = 'check_violation', constraint = 'approvals_inside_rails_check';
  end if;
  return new;
end $$;
create trigger approvals_check_rails before insert on credit_rollout_control.approvals for each row
  when (new.kind = 'guard_rails') execute function credit_rollout_control.check_rails();

-- The policy may have changed since the guard-rails approved the plan.
create function credit_rollout_control.check_rails_again() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
      select from credit_rollout_control.approvals a
      where a.plan_id = new.plan_id and a.used_by_run = new.run_id and a.kind = 'guard_rails')
    and not credit_rollout_control.approves_itself(new.plan_id) then
    raise exception 'plan % needs a person now', new.plan_id
      using errcode = 'check_violation', constraint = 'data_centers_canary_inside_rails';
  end if;
  return new;
end $$;
create trigger data_centers_check_rails before update on credit_rollout_control.data_centers for each row
  when (new.stage = 'canary' and old.stage is distinct from 'canary')
  execute function credit_rollout_control.check_rails_again();

-- Plans are kept for as long as the policy says, whoever purges.
create function credit_rollout_control.purge_plans(retention_days integer, kept text[]) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  purged integer;
begin
  if retention_days < 1
     or make_interval(days => retention_days)
        < (credit_rollout_control.setting('rollout.planRetention') #>> '{}')::interval then
    raise exception 'plans are kept for longer' using errcode = 'invalid_parameter_value';
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

/** Requests and pins: their settings come from the policy, and only who may ask asks. */
export const bindRequests: Migration = {
  name: '20261129020200_pre_bind_requests',
  up: `
create function credit_rollout_control.milliseconds(duration jsonb) returns bigint language sql stable begin atomic
  select coalesce((extract(epoch from (duration #>> '{}')::interval) * 1000)::bigint, 0);
end;

-- The part of a request's settings that no request chooses.
create function credit_rollout_control.run_policy() returns jsonb language sql stable begin atomic
  select jsonb_strip_nulls(jsonb_build_object(
    'bakeMs', credit_rollout_control.milliseconds(credit_rollout_control.setting('rollout.bake')),
    'bakeQuery', credit_rollout_control.setting('rollout.bakeQuery'),
    'windows', coalesce(credit_rollout_control.setting('rollout.windows'), '[]'::jsonb),
    'canaryWaitMs', credit_rollout_control.milliseconds(credit_rollout_control.setting('rollout.canaryWait')),
    'approval', credit_rollout_control.setting('rollout.approval'),
    'guardRails', credit_rollout_control.guard_rails()));
end;

-- An operator requests a rollout; a scheduler only that of a data center whose cell is not what was verified. What was
-- requested does not change until it ends; the plan is made, and named, while it waits.
create function credit_rollout_control.bind_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if old.requested_at is null and new.requested_at is not null then
    if not (credit_rollout_control.has_role('operator') and new.stage = old.stage
        or credit_rollout_control.has_role('scheduler') and new.stage = 'pending' and old.stage in ('done', 'baking')) then
      raise exception 'this login may not request a rollout' using errcode = 'insufficient_privilege';
    end if;
    if new.stage not in ('pending', 'done', 'failed', 'aborted', 'undone') or new.plan is null then
      raise exception 'nothing can be requested of % now', new.id using errcode = 'restrict_violation';
    end if;
    new.plan := (new.plan - '{bakeMs,bakeQuery,windows,canaryWaitMs,approval,guardRails}'::text[])
      || credit_rollout_control.run_policy();
  elsif new.plan is distinct from old.plan or new.requested_at is distinct from old.requested_at
        and new.requested_at is not null then
    raise exception 'what was requested of % does not change', new.id using errcode = 'restrict_violation';
  elsif new.plan_id is distinct from old.plan_id and not (
      credit_rollout_control.has_role('scheduler') and new.requested_at is not null
      and old.stage in ('pending', 'done', 'failed', 'aborted', 'undone')) then
    raise exception 'the plan of % does not change', new.id using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger data_centers_bind_request before update on credit_rollout_control.data_centers for each row
  when ((new.requested_at, new.plan, new.plan_id) is distinct from (old.requested_at, old.plan, old.plan_id))
  execute function credit_rollout_control.bind_request();

-- Whether an instant, and its text for people, are what a local time of the policy means in a zone; a date is its
-- first instant.
create function credit_rollout_control.is_instant_of(at timestamptz, shown text, zone text, wanted jsonb)
  returns boolean language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  written text := wanted #>> '{}';
begin
  if written is null or at is null then
    return written is null and at is null and shown is null;
  end if;
  return coalesce(shown = to_char(at at time zone zone, 'YYYY-MM-DD"T"HH24:MI:SS') || ' ' || zone
    and case when length(written) = 10
      then (at at time zone zone)::date = written::date
        and ((at - interval '1 microsecond') at time zone zone)::date < written::date
      else at at time zone zone = written::timestamp end, false);
end $$;

create function credit_rollout_control.check_pin() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  pinned_now boolean := (select r.pinned_at >= transaction_timestamp() from credit_rollout_control.rollout r);
  moved record;
begin
  if old.not_before_at is null and old.cutover_at is null and pinned_now is true then
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
create trigger data_centers_check_pin before update on credit_rollout_control.data_centers for each row
  when ((new.not_before_at, new.not_before_local, new.cutover_at, new.cutover_local, new.cutover_set_at)
    is distinct from (old.not_before_at, old.not_before_local, old.cutover_at, old.cutover_local, old.cutover_set_at))
  execute function credit_rollout_control.check_pin();

-- The card and the moment are pinned once, by this database's clock; an epoch makes no leap that would use up the rest.
create function credit_rollout_control.check_rollout() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if old.pinned_at is not null and (new.pinned_at, new.card_hash, new.card_name)
     is distinct from (old.pinned_at, old.card_hash, old.card_name) then
    raise exception 'the first apply has pinned the card' using errcode = 'restrict_violation';
  end if;
  if new.epoch > old.epoch + 1000000 then
    raise exception 'an epoch grows in small steps' using errcode = 'restrict_violation';
  end if;
  if old.pinned_at is null then
    new.pinned_at := case when new.pinned_at is not null then clock_timestamp() end;
  end if;
  return new;
end $$;
create trigger rollout_check before update on credit_rollout_control.rollout
  for each row execute function credit_rollout_control.check_rollout();

-- The first apply pins every data center, not only those that suit whoever applies.
create function credit_rollout_control.check_every_pin() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
      select from credit_rollout_control.data_centers d
      where not credit_rollout_control.is_instant_of(d.not_before_at, d.not_before_local, d.zone,
          credit_rollout_control.setting('rollout.notBefore'))
        or not credit_rollout_control.is_instant_of(d.cutover_at, d.cutover_local, d.zone,
          credit_rollout_control.setting('signups.cutover'))) then
    raise exception 'the first apply pins the instants of every data center'
      using errcode = 'check_violation', constraint = 'data_centers_pin_policy_check';
  end if;
  return null;
end $$;
create constraint trigger rollout_pins_every_data_center after update on credit_rollout_control.rollout
  deferrable initially deferred for each row
  when (old.pinned_at is null and new.pinned_at is not null)
  execute function credit_rollout_control.check_every_pin();

-- What control has last seen of a cell is a scheduler's to write. Others make it less certain, retry under an epoch
-- that was taken, record a latch that was due, or what an approved reversal did.
create function credit_rollout_control.check_seen() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if new.epoch is distinct from old.epoch and not coalesce(new.epoch > coalesce(old.epoch, 0)
      and new.epoch <= (select r.epoch from credit_rollout_control.rollout r), false) then
    raise exception 'this epoch was not taken' using errcode = 'restrict_violation';
  end if;
  if credit_rollout_control.has_role('scheduler') then
    return new;
  end if;
  if new.quiet and not old.quiet or new.single_writes and not old.single_writes
     or new.failure is distinct from old.failure and new.failure is not null
     or (new.gate_configured_at, new.gate_effective_at, new.gate_latched_at, new.gate_swept_at)
        is distinct from (old.gate_configured_at, old.gate_effective_at, old.gate_latched_at, old.gate_swept_at)
     and not coalesce(
       credit_rollout_control.has_role('operator') and old.gate_latched_at is null and new.gate_latched_at is not null
         and new.gate_swept_at is not distinct from old.gate_swept_at
         and new.cutover_at = old.cutover_at and new.cutover_at <= clock_timestamp() + interval '5 minutes'
       or new.cutover_at <> old.cutover_at and new.gate_configured_at = new.cutover_at
         and new.gate_effective_at is null and new.gate_latched_at is null and new.gate_swept_at is null, false) then
    raise exception 'only a scheduler records what it saw in %', new.id using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger data_centers_check_seen before update on credit_rollout_control.data_centers for each row
  when ((new.epoch, new.quiet, new.single_writes, new.failure,
      new.gate_configured_at, new.gate_effective_at, new.gate_latched_at, new.gate_swept_at) is distinct from
    (old.epoch, old.quiet, old.single_writes, old.failure,
      old.gate_configured_at, old.gate_effective_at, old.gate_latched_at, old.gate_swept_at))
  execute function credit_rollout_control.check_seen();`,
};
