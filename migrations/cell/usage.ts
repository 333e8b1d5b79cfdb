// Why: plans, the API details page and exceptions need to know what each org uses. The meter counts, and writes what it
// counted here.
import type { Migration } from '../migration.js';

/** For how many days usage is kept: 30 are shown and compared, and a quarter tells a change from a season. */
const USAGE_DAYS = 92;

// Of each kind the larger counters, of {"list": {"calls": 3, "credits": 9}}. Written out: Postgres calls a function
// with a subquery for each row.
const LARGER_KINDS = `case when u.kinds = excluded.kinds then u.kinds else (
        select coalesce(jsonb_object_agg(e.kind, case
          when (u.kinds -> e.kind) is null or u.kinds -> e.kind = e.counters then e.counters
          -- of a kind that both have, e has the counters of excluded
          when (excluded.kinds -> e.kind) is not null then jsonb_build_object(
            'calls', greatest((u.kinds -> e.kind ->> 'calls')::bigint, (e.counters ->> 'calls')::bigint),
            'credits', greatest((u.kinds -> e.kind ->> 'credits')::bigint, (e.counters ->> 'credits')::bigint))
          else e.counters end), '{}')
        from jsonb_each(u.kinds || excluded.kinds) e (kind, counters)) end`;

/** `given`: what is recorded of what a meter sends, from the unnested row `g`. */
export const defineRecordUsage = (given: string): string =>
  `function credit_rollout.record_usage(org_ids text[], days date[], models text[], calls bigint[],
    credits bigint[], calls_given_back bigint[], credits_given_back bigint[], refused_by_credits bigint[],
    refused_by_concurrency bigint[], peaks_in_flight bigint[], kinds jsonb[],
    out rejected integer, out alerts_80 integer, out alerts_100 integer)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  ids credit_rollout.org_id[] := credit_rollout.read_org_ids($1);
  today date := (select (clock_timestamp() at time zone c.zone)::date from credit_rollout.cell c);
  taken integer;
begin
  with given as (
    select ${given} from unnest(ids, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) g (org_id, day, model, calls, credits,
      calls_given_back, credits_given_back, refused_by_credits, refused_by_concurrency, peak_in_flight, kinds)
    where g.org_id is not null and g.day between today - ${USAGE_DAYS} and today + 1
  ), recorded as (
    insert into credit_rollout.usage_days as u (org_id, day, model, calls, credits, calls_given_back,
      credits_given_back, refused_by_credits, refused_by_concurrency, peak_in_flight, kinds)
    -- in one order, so that two who write the same orgs take turns
    select g.org_id, g.day, max(g.model), max(g.calls), max(g.credits), max(g.calls_given_back),
      max(g.credits_given_back), max(g.refused_by_credits), max(g.refused_by_concurrency), max(g.peak_in_flight),
      case when count(*) = 1 then (array_agg(g.kinds))[1] else (
        select coalesce(jsonb_object_agg(k.kind, k.counters), '{}') from (
          select e.kind, jsonb_build_object('calls', max((e.counters ->> 'calls')::bigint),
            'credits', max((e.counters ->> 'credits')::bigint)) as counters
          from unnest(array_agg(g.kinds)) n (kinds) cross join jsonb_each(n.kinds) e (kind, counters)
          group by e.kind) k) end
    from given g group by g.org_id, g.day order by g.org_id, g.day
    on conflict (org_id, day) do update set
      model = greatest(u.model, excluded.model),
      calls = greatest(u.calls, excluded.calls),
      credits = greatest(u.credits, excluded.credits),
      calls_given_back = greatest(u.calls_given_back, excluded.calls_given_back),
      credits_given_back = greatest(u.credits_given_back, excluded.credits_given_back),
      refused_by_credits = greatest(u.refused_by_credits, excluded.refused_by_credits),
      refused_by_concurrency = greatest(u.refused_by_concurrency, excluded.refused_by_concurrency),
      peak_in_flight = greatest(u.peak_in_flight, excluded.peak_in_flight),
      kinds = ${LARGER_KINDS},
      recorded_at = excluded.recorded_at
    -- what is known already writes nothing
    where excluded.model > u.model or excluded.calls > u.calls or excluded.credits > u.credits
      or excluded.calls_given_back > u.calls_given_back or excluded.credits_given_back > u.credits_given_back
      or excluded.refused_by_credits > u.refused_by_credits
      or excluded.refused_by_concurrency > u.refused_by_concurrency or excluded.peak_in_flight > u.peak_in_flight
      or excluded.kinds <> u.kinds
    returning u.org_id, u.day, u.model, u.credits - u.credits_given_back as used, u.refused_by_credits as refused
  ), alerted as (
    insert into credit_rollout.usage_alerts as l (org_id, day, threshold)
    select r.org_id, r.day, t.threshold
    from recorded r join credit_rollout.allotments a on a.org_id = r.org_id
    cross join (values (80::smallint), (100::smallint)) t (threshold)
    where r.model = 'credits' and r.day = today
      and (r.used > 0 and r.used::numeric * 100 >= a.total_credits::numeric * t.threshold or r.refused > 0)
    order by r.org_id, t.threshold
    on conflict do nothing
    returning l.threshold
  )
  select (select count(*) from given), (select count(*) from alerted l where l.threshold = 80),
    (select count(*) from alerted l where l.threshold = 100)
    into taken, alerts_80, alerts_100;
  rejected := cardinality(ids) - taken;
end $$;`;

/**
 * Why: what a meter counted stays in the cell of its orgs. Counters only grow, so that what is written twice, late or
 * in another order changes nothing. Old code does not know it.
 */
export const createUsage: Migration = {
  name: '20261130020000_pre_create_usage',
  up: `
-- room on each page, and no index on a counter: the counters of a day are written over and over
create table credit_rollout.usage_days (
  org_id credit_rollout.org_id not null,
  day date not null,
  model text not null check (model in ('legacy', 'credits')),
  calls bigint not null check (calls >= 0),
  credits bigint not null check (credits >= 0),
  calls_given_back bigint not null check (calls_given_back >= 0),
  credits_given_back bigint not null check (credits_given_back >= 0),
  refused_by_credits bigint not null check (refused_by_credits >= 0),
  refused_by_concurrency bigint not null check (refused_by_concurrency >= 0),
  peak_in_flight bigint not null check (peak_in_flight >= 0),
  kinds jsonb not null check (jsonb_typeof(kinds) = 'object'),
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (org_id, day)
) with (fillfactor = 70);
comment on table credit_rollout.usage_days is
  'what each org used on each local day, as the meter counted it; used are the credits that were not given back';
-- the usage of a day, and the purge
create index usage_days_day_idx on credit_rollout.usage_days (day);

create table credit_rollout.usage_alerts (
  org_id credit_rollout.org_id not null,
  day date not null,
  threshold smallint not null check (threshold in (80, 100)),
  reached_at timestamptz not null default clock_timestamp(),
  primary key (org_id, day, threshold)
);
comment on table credit_rollout.usage_alerts is
  'that an org on credits reached 80 % of its total, or was left with nothing or refused for it; once per org and day';
create index usage_alerts_day_idx on credit_rollout.usage_alerts (day);

create view credit_rollout.usage_peaks as
select u.org_id, max(u.credits - u.credits_given_back) as peak_credits, max(u.peak_in_flight) as peak_in_flight,
  sum(u.refused_by_credits)::bigint as refused_by_credits,
  sum(u.refused_by_concurrency)::bigint as refused_by_concurrency, count(*)::integer as days
from credit_rollout.usage_days u
where u.day >= (select (now() at time zone c.zone)::date - 30 from credit_rollout.cell c)
  and u.day < (select (now() at time zone c.zone)::date from credit_rollout.cell c)
group by u.org_id;
comment on view credit_rollout.usage_peaks is 'the highest day of each org, of the last 30 whole days';

-- Texts as ids, in their order; null: it is none that fits, or one that would be cut off.
create function credit_rollout.read_org_ids(texts text[]) returns credit_rollout.org_id[] language plpgsql immutable
  set search_path = pg_catalog, pg_temp as $$
declare
  ids credit_rollout.org_id[];
begin
  begin
    ids := texts::credit_rollout.org_id[];
  exception when data_exception or check_violation then
    ids := '{}';
    for number in 1..cardinality(texts) loop
      begin
        ids[number] := texts[number]::credit_rollout.org_id;
      exception when data_exception or check_violation then
        ids[number] := null;
      end;
    end loop;
  end;
  for number in 1..cardinality(texts) loop
    if ids[number]::text <> texts[number] and starts_with(texts[number], ids[number]::text) then
      ids[number] := null;
    end if;
  end loop;
  return ids;
end $$;

-- Records absolute counters of orgs and local days: what is stored afterwards is the larger of both, of each.
-- rejected: days with an id that no org can have, or that are neither kept nor yet here. Then how many orgs reached a
-- threshold.
create ${defineRecordUsage('*')}

-- Deletes usage and alerts that are older than is kept: at most so many rows of each; returns how many.
create function credit_rollout.purge_usage(most integer) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  oldest date := (select (clock_timestamp() at time zone c.zone)::date - ${USAGE_DAYS} from credit_rollout.cell c);
  days integer; alerts integer;
begin
  delete from credit_rollout.usage_days u where (u.org_id, u.day) in (
    select o.org_id, o.day from credit_rollout.usage_days o where o.day < oldest limit greatest(most, 0));
  get diagnostics days = row_count;
  delete from credit_rollout.usage_alerts l where (l.org_id, l.day) in (
    select o.org_id, o.day from credit_rollout.usage_alerts o where o.day < oldest limit greatest(most, 0));
  get diagnostics alerts = row_count;
  return days + alerts;
end $$;
revoke all on function credit_rollout.read_org_ids, credit_rollout.record_usage, credit_rollout.purge_usage
  from public;`,
};
