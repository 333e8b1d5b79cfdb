// Why: guard-rails approve a plan by what it counts, so nobody who makes a plan may choose what is counted.
import { type Migration, macSql } from '../migration.js';

/** Why: the owner's functions write plans and count them; a seal of the cell proves the counts to control. */
export const sealPlans: Migration = {
  name: '20261129180000_pre_seal_plans',
  up: `
create table credit_rollout.plan_parts (
  plan_id bigint not null,
  first_no integer not null,
  card_hash text not null,
  measured json not null,
  primary key (plan_id, first_no)
);
comment on table credit_rollout.plan_parts is
  'what guard-rails measure, for each statement of a plan that is being made; it is added up when the plan is finished';

alter table credit_rollout.plans add measured jsonb;
comment on column credit_rollout.plans.measured is
  'what guard-rails measure, counted by the database; null: made by an earlier version';

-- Raises unless this cell gave the number, the plan is not finished, and this login may make it: a plan that was asked
-- for is made by workers. Several add at once, one finishes, and nothing is added meanwhile.
create function credit_rollout.check_open_plan(plan bigint, finishes boolean) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if finishes then
    perform pg_advisory_xact_lock(1129467726, (plan % 2147483647)::integer);
  else
    perform pg_advisory_xact_lock_shared(1129467726, (plan % 2147483647)::integer);
  end if;
  if exists (select from credit_rollout.plan_requests r where r.plan_id = plan)
     and not has_column_privilege(session_user, 'credit_rollout.batches', 'state', 'update') then
    raise exception 'this plan is made by a worker' using errcode = 'insufficient_privilege';
  end if;
  if plan < 1 or plan > (select case when s.is_called then s.last_value else 0 end from credit_rollout.plan_ids s) then
    raise exception 'this cell has given no such number' using errcode = 'restrict_violation';
  end if;
  if exists (select from credit_rollout.plans p where p.plan_id = plan) then
    raise exception 'the plan is finished' using errcode = 'restrict_violation';
  end if;
end $$;

-- A range of which nothing can be read: one org in quarantine.
create function credit_rollout.add_unreadable_range(plan bigint, number integer, lowest credit_rollout.org_id,
  highest credit_rollout.org_id, card text) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_orgs bigint;
begin
  perform credit_rollout.check_open_plan(plan, false);
  -- what can be counted has more than the one org that this range stands for, or can be planned
  begin
    select count(*) into found_orgs from credit_rollout.source_orgs s
      where (lowest is null or s.org_id >= lowest) and (highest is null or s.org_id < highest);
  exception when others then
    found_orgs := null;
  end;
  if found_orgs > 1 then
    raise exception 'this range has more than one org' using errcode = 'restrict_violation', constraint = 'plan_edited';
  end if;
  begin
    perform from credit_rollout.source_orgs s where s::text <> ''
      and (lowest is null or s.org_id >= lowest) and (highest is null or s.org_id < highest);
    perform from credit_rollout.decided(lowest, highest, null, card) d where d::text <> '';
    raise exception 'this range can be read' using errcode = 'restrict_violation', constraint = 'plan_edited';
  exception when data_exception then
    null;
  end;
  insert into credit_rollout.plan_ranges (plan_id, range_no, lower_id, upper_id, orgs, touched, touched_credits, digest)
    values (plan, number, lowest, highest, 1, 0, 0, 0);
  insert into credit_rollout.plan_parts (plan_id, first_no, card_hash, measured)
    values (plan, number, card, '{"orgs": 1, "quarantined": 1}');
end $$;

-- Adds the plan's own row, with the counts of its parts in the place of those of the report. Returns the digest.
create function credit_rollout.finish_plan(plan bigint, card text, plan_author text, taken_at timestamptz,
  canaries credit_rollout.org_id[], hashes bigint[], report jsonb, listed jsonb) returns text language plpgsql
  security definer set search_path = pg_catalog, pg_temp set extra_float_digits = 1 as $$
declare
  source text := (select c.source_signature from credit_rollout.cell c);
  stored record; counted jsonb; made text;
begin
  perform credit_rollout.check_open_plan(plan, true);
  select count(*) as ranges, sum(r.orgs) as orgs, sum(r.touched) as touched,
      bool_and(case r.place when 1 then r.lower_id is null else coalesce(r.lower_id = r.before, false) end)
        and count(*) filter (where r.upper_id is null) = 1 as whole
    into stored
    from (select g.*, row_number() over w as place, lag(g.upper_id) over w as before
      from credit_rollout.plan_ranges g where g.plan_id = plan window w as (order by g.lower_id nulls first)) r;
  select jsonb_build_object(
      'orgs', sum((p.measured ->> 'orgs')::bigint),
      'touched', coalesce(sum((p.measured ->> 'touched')::bigint), 0),
      'quarantined', sum((p.measured ->> 'quarantined')::bigint),
      'protectedTouched', coalesce(sum((p.measured ->> 'protectedTouched')::bigint), 0),
      'paidFalling', coalesce(sum((p.measured ->> 'paidFalling')::bigint), 0),
      'before', coalesce(sum((p.measured ->> 'before')::numeric), 0)::text,
      'after', coalesce(sum((p.measured ->> 'after')::numeric), 0)::text,
      'maxRaiseFactor', max((p.measured ->> 'maxRaiseFactor')::float8),
      'maxFloorOverPlan', max((p.measured ->> 'maxFloorOverPlan')::float8)) into counted
    from credit_rollout.plan_parts p where p.plan_id = plan and p.card_hash = card;
  -- also where a part was counted under another card
  if stored.whole is distinct from true or (counted ->> 'orgs')::bigint is distinct from stored.orgs
     or (counted ->> 'touched')::bigint is distinct from stored.touched then
    raise exception 'the ranges of the plan are not whole' using errcode = 'restrict_violation',
      constraint = 'plan_edited';
  end if;
  made := credit_rollout.digest_plan(plan, card, source);
  insert into credit_rollout.plans (plan_id, digest, card_hash, source_signature, author, snapshot_at, ranges, orgs,
      touched, canary_ids, canary_hashes, counts, lists, measured)
    values (plan, made, card, source, plan_author, taken_at, stored.ranges, stored.orgs, stored.touched, canaries,
      hashes, jsonb_set(report, '{counts}', coalesce(report -> 'counts', '{}') || counted), listed, counted);
  delete from credit_rollout.plan_parts p where p.plan_id = plan;
  return made;
end $$;

-- What control needs to register a plan, for an hour. Null: there is no such plan, or an earlier version made it.
create function credit_rollout.seal_plan(plan bigint) returns jsonb language plpgsql stable
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  document jsonb; sealed jsonb;
begin
  select jsonb_build_object('kind', 'plan', 'data_center', c.data_center, 'plan_id', c.data_center || '-' || p.plan_id,
      'digest', p.digest, 'card_hash', p.card_hash, 'snapshot_at', p.snapshot_at, 'counts', p.measured,
      'expires_at', clock_timestamp() + interval '1 hour') into document
    from credit_rollout.plans p cross join credit_rollout.cell c where p.plan_id = plan and p.measured is not null;
  if not found then return null; end if;
  select document || jsonb_build_object('mac',
      ${macSql('document')})
    into sealed from credit_rollout.seal_key k;
  if not found then
    raise exception 'this cell has no key for seals: run init'
      using errcode = 'object_not_in_prerequisite_state', constraint = 'seal_key_missing';
  end if;
  return sealed;
end $$;`,
};
