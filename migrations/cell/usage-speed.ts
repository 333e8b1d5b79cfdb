// Why: of the time that a drain of 100,000 orgs took, one half went into putting together kinds of calls that had only
// grown, and into a check that evaluated everything twice.
import type { Migration } from '../migration.js';

/** For how many days usage is kept, as the migrations before say. */
const USAGE_DAYS = 92;
const MAX_COUNTER = '100000000000000000';

const COUNTERS = ['refused_by_credits', 'refused_by_concurrency', 'peak_in_flight'] as const;
const ALL = ['calls', 'credits', 'calls_given_back', 'credits_given_back', ...COUNTERS] as const;
const each = (write: (counter: string) => string, joint = ', '): string => ALL.map(write).join(joint);
const bound = (counter: string, most: string): string =>
  `case when g.${counter} > g.${most} then g.${most} else g.${counter} end`;

// A list of kinds of which none is smaller replaces the one before as a whole: so it is nearly always, and to put the
// larger ones together costs four times as much.
const LARGER_KINDS = `case when u.kinds = excluded.kinds then u.kinds
        when not exists (select from jsonb_each(u.kinds) e (kind, counters)
          where (excluded.kinds -> e.kind -> 'calls' >= e.counters -> 'calls'
            and excluded.kinds -> e.kind -> 'credits' >= e.counters -> 'credits') is not true) then excluded.kinds
        else (select coalesce(jsonb_object_agg(e.kind, case
          when (u.kinds -> e.kind) is null or u.kinds -> e.kind = e.counters then e.counters
          -- of a kind that both have, e has the counters of excluded
          when (excluded.kinds -> e.kind) is not null then jsonb_build_object(
            'calls', greatest((u.kinds -> e.kind ->> 'calls')::bigint, (e.counters ->> 'calls')::bigint),
            'credits', greatest((u.kinds -> e.kind ->> 'credits')::bigint, (e.counters ->> 'credits')::bigint))
          else e.counters end), '{}')
        from jsonb_each(u.kinds || excluded.kinds) e (kind, counters)) end`;

/** `checked`: what it looks at before it records anything. */
const recordUsage = (checked: string): string => `
create or replace function credit_rollout.record_usage(org_ids text[], days date[], models text[], calls bigint[],
    credits bigint[], calls_given_back bigint[], credits_given_back bigint[], refused_by_credits bigint[],
    refused_by_concurrency bigint[], peaks_in_flight bigint[], kinds jsonb[],
    out rejected integer, out alerts_80 integer, out alerts_100 integer)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  ids credit_rollout.org_id[] := credit_rollout.read_org_ids($1);
  today date := (select (clock_timestamp() at time zone c.zone)::date from credit_rollout.cell c);
  -- a drain sends each org and day once
  repeated boolean := exists (
    select from unnest(ids, $2) g (org_id, day) group by g.org_id, g.day having count(*) > 1);
  taken integer;
begin
${checked}  with given as (
    select g.org_id, g.day, g.model, g.calls, g.credits, ${bound('calls_given_back', 'calls')} as calls_given_back,
      ${bound('credits_given_back', 'credits')} as credits_given_back,
      ${COUNTERS.map((counter) => `g.${counter}`).join(', ')}, g.kinds
    from unnest(ids, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) g (org_id, day, model, ${each((one) => one)}, kinds)
    where g.org_id is not null and g.day between today - ${USAGE_DAYS} and today + 1
  ), once as (
    select g.org_id, g.day, g.model, ${each((one) => `g.${one}`)}, g.kinds from given g where not repeated
    union all
    select g.org_id, g.day, max(g.model), ${each((one) => `max(g.${one})`)},
      case when count(*) = 1 then (array_agg(g.kinds))[1] else (
        select coalesce(jsonb_object_agg(k.kind, k.counters), '{}') from (
          select e.kind, jsonb_build_object('calls', max((e.counters ->> 'calls')::bigint),
            'credits', max((e.counters ->> 'credits')::bigint)) as counters
          from unnest(array_agg(g.kinds)) n (kinds) cross join jsonb_each(n.kinds) e (kind, counters)
          group by e.kind) k) end
    from given g where repeated group by g.org_id, g.day
  ), recorded as (
    insert into credit_rollout.usage_days as u (org_id, day, model, ${each((one) => one)}, kinds)
    -- in one order, so that two who write the same orgs take turns
    select o.* from once o order by o.org_id, o.day
    on conflict (org_id, day) do update set model = greatest(u.model, excluded.model),
      ${each((one) => `${one} = greatest(u.${one}, excluded.${one})`, ',\n      ')},
      kinds = ${LARGER_KINDS},
      recorded_at = excluded.recorded_at
    -- what is known already writes nothing
    where excluded.model > u.model or ${each((one) => `excluded.${one} > u.${one}`, '\n      or ')}
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

// What is missing, or no number, makes the comparison unknown, and exists() of nothing false. A question mark is a
// binding to knex.
const IN_RANGE = ['calls', 'credits'].map((name) => `@.${name} >= 0 && @.${name} <= ${MAX_COUNTER}`).join(' && ');
const FORM = String.raw`kinds = '{}' or octet_length(kinds::text) <= 20000 and kinds::text !~ ': *[0-9]+[.]'
  and not jsonb_path_exists(kinds, 'strict $.* \? (!exists(@ \? (${IN_RANGE})))')`;

/**
 * The check says the same as before. What is there has passed it: it is looked at once more afterwards, while meters
 * write.
 */
export const quickenUsage: Migration = {
  name: '20261203050000_pre_quicken_usage',
  up: `${recordUsage('')}
alter table credit_rollout.usage_days drop constraint usage_days_kinds_form_check,
  add constraint usage_days_kinds_form_check check (${FORM}) not valid;`,
};

export const validateUsage: Migration = {
  name: '20261203050100_pre_validate_usage',
  up: 'alter table credit_rollout.usage_days validate constraint usage_days_kinds_form_check;',
};

// most have no point, and most texts are shorter than those that must be measured
const KINDS = String.raw`g.kinds = '{}' or jsonb_typeof(g.kinds) = 'object' and (g.kinds::text not like '%.%'
      or g.kinds::text !~ ': *[0-9]+[.]')
      and not jsonb_path_exists(g.kinds, 'strict $.* \? (!exists(@ \? (${IN_RANGE})))')`;
const SIZE = 'pg_column_size(kinds) <= 2000 or octet_length(kinds::text) <= 20000';

/**
 * Why: a third of the time that recording takes went into the check of the kinds, which an upsert evaluates for what it
 * inserts and once more for what it updates. What is given is looked at once instead, since nobody but these functions
 * writes here; the table still bounds what they put together.
 */
export const checkGivenKinds: Migration = {
  name: '20261206030000_pre_check_given_kinds',
  up: `
alter table credit_rollout.usage_days
  add constraint usage_days_kinds_size_check check (${SIZE}) not valid;
${recordUsage(`  if exists (
    select from unnest(ids, $2, $11) g (org_id, day, kinds)
    where g.org_id is not null and g.day between today - ${USAGE_DAYS} and today + 1 and not (${KINDS})) then
    raise exception 'a meter sent kinds of calls in another form'
      using errcode = 'check_violation', constraint = 'usage_days_kinds_form_check';
  end if;
`)}
alter table credit_rollout.usage_days drop constraint usage_days_kinds_form_check;`,
};

export const validateKindsSize: Migration = {
  name: '20261206030100_pre_validate_kinds_size',
  up: 'alter table credit_rollout.usage_days validate constraint usage_days_kinds_size_check;',
};
