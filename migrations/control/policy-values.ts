// Why: a setting is a document that every reader parses, and a second person decides on what a screen shows of it. The
// program checked both, and SQL did not have to.
import type { Migration } from '../migration.js';

// no question marks: they would be parameters of the statement
const CLOCK = `'^([01][0-9]|2[0-3]):[0-5][0-9]$'`;
const unit = (letter: string): string => `([0-9]{1,7}${letter}){0,1}`;
const DURATION = `'^P${unit('W')}${unit('D')}(T${unit('H')}${unit('M')}${unit('S')}){0,1}$'`;
const LOCAL = `'^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}){0,1}){0,1}$'`;

/**
 * Why: one proposal of another type made `settings` fail for everybody, and a query with 12,000 blanks in it was
 * approved by its beginning. Checked again when it is applied; what is in force already stays. A new setting is refused
 * until it has a type here.
 */
export const typePolicy: Migration = {
  name: '20261201180100_pre_type_policy',
  up: `
-- A query that is read from its beginning to its end: nothing stands behind blanks, beyond what a screen shows.
create function credit_rollout_control.is_readable_query(query text) returns boolean language plpgsql immutable
  set search_path = pg_catalog, pg_temp as $$
begin
  return length(query) between 1 and 2000
    and query !~ '[[:space:][:cntrl:]\\u00a0\\u2000-\\u200f\\u2028-\\u202f\\u3000\\ufeff]{21}';
end $$;

-- At most ten years, as programs read it.
create function credit_rollout_control.is_duration(written text) returns boolean language plpgsql immutable
  set search_path = pg_catalog, pg_temp as $$
begin
  if written !~ ${DURATION} or right(written, 1) in ('P', 'T') then return false; end if;
  return written::interval <= interval '3660 days';
end $$;

-- Whether every member of a list is a text of this form.
create function credit_rollout_control.are_texts(list jsonb, form text) returns boolean language plpgsql immutable
  set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(list) <> 'array' then return false; end if;
  return not exists (select from jsonb_array_elements(list) e (value)
    where jsonb_typeof(e.value) <> 'string' or e.value #>> '{}' !~ form);
end $$;

create function credit_rollout_control.is_window(entry jsonb) returns boolean language plpgsql immutable
  set search_path = pg_catalog, pg_temp as $$
begin
  return jsonb_typeof(entry) = 'object' and entry - '{from,to,days,dates,deny}'::text[] = '{}'
    and credit_rollout_control.are_texts(jsonb_build_array(entry -> 'from', entry -> 'to'), ${CLOCK})
    and credit_rollout_control.are_texts(coalesce(entry -> 'days', '[]'), '^(mon|tue|wed|thu|fri|sat|sun)$')
    and credit_rollout_control.are_texts(coalesce(entry -> 'dates', '[]'), '^[0-9]{4}-[0-9]{2}-[0-9]{2}$')
    and not exists (select from jsonb_array_elements_text(coalesce(entry -> 'dates', '[]')) d (day)
      where d.day::date is null)
    and (entry -> 'days' is null or entry -> 'dates' is null)
    and jsonb_typeof(coalesce(entry -> 'deny', 'true')) = 'boolean';
end $$;

create function credit_rollout_control.is_check(entry jsonb) returns boolean language plpgsql immutable
  set search_path = pg_catalog, pg_temp as $$
begin
  return jsonb_typeof(entry) = 'object' and entry - '{name,limit,query,holds}'::text[] = '{}'
    and credit_rollout_control.are_texts(jsonb_build_array(entry -> 'name'), '^[a-z][A-Za-z0-9_-]{0,30}$')
    and (entry -> 'query' is null or jsonb_typeof(entry -> 'query') = 'string'
      and credit_rollout_control.is_readable_query(entry ->> 'query'))
    and (entry -> 'limit' is null or jsonb_typeof(entry -> 'limit') = 'number'
      or credit_rollout_control.is_duration(entry ->> 'limit'))
    and credit_rollout_control.are_texts(coalesce(entry -> 'holds', '[]'), '^(start|write|bake)$');
end $$;

create function credit_rollout_control.fits_setting(setting text, value jsonb) returns boolean language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  kind constant text := jsonb_typeof(value);
  written constant text := value #>> '{}';
begin
  if setting in ('rollout.notBefore', 'signups.cutover') then
    if kind = 'string' and written ~ ${LOCAL} then return written::timestamp is not null; end if;
    return kind = 'null';
  elsif setting = 'rollout.bakeQuery' then
    return kind = 'null' or kind = 'string' and credit_rollout_control.is_readable_query(written);
  elsif setting in ('rollout.bake', 'rollout.canaryWait') then
    return kind = 'string' and credit_rollout_control.is_duration(written);
  elsif setting in ('rollout.planRetention', 'reconcile.driftRetention', 'grandfathering.lapseGrace') then
    return kind = 'string' and written ~ '^(P[0-9]{1,6}D|PT0S)$'
      and credit_rollout_control.is_duration(written);
  elsif setting = 'rollout.approval' then
    return kind = 'string' and written in ('auto', 'required');
  elsif setting = 'reconcile.at' then
    return kind = 'string' and written ~ ${CLOCK};
  elsif setting in ('reconcile.maxChanged', 'reconcile.maxLapsed', 'rollout.guardRails.orgsTouched') then
    return kind = 'null' or kind = 'number' and written ~ '^[0-9]{1,16}$';
  elsif setting in ('rollout.guardRails.maxRaiseFactor', 'rollout.guardRails.floorOverPlan',
      'rollout.guardRails.totalChangePercent') then
    return kind = 'null' or kind = 'number' and written ~ '^[0-9]{1,16}([.][0-9]{1,6}){0,1}$';
  elsif setting = 'rollout.guardRails.quarantinedShare' then
    return kind = 'number' and written ~ '^(0([.][0-9]{1,6}){0,1}|1([.]0{1,6}){0,1})$';
  elsif setting = 'rollout.windows' then
    return kind = 'array' and not exists (select from jsonb_array_elements(value) e (entry)
      where not coalesce(credit_rollout_control.is_window(e.entry), false));
  elsif setting = 'rollout.checks' then
    return kind = 'array' and jsonb_array_length(value) <= 20 and not exists (
      select from jsonb_array_elements(value) e (entry)
      where not coalesce(credit_rollout_control.is_check(e.entry), false));
  elsif setting = 'dataCenters.order' then
    return credit_rollout_control.are_texts(value, '^[a-z][a-z0-9-]{0,30}$');
  elsif setting ~ '^dataCenters[.].+[.]zone$' then
    return kind = 'string' and exists (select from pg_timezone_names z where lower(z.name) = lower(written));
  elsif setting ~ '^dataCenters[.].+[.]source$' then
    return kind = 'string' and length(written) between 1 and 300;
  end if;
  return false;
exception when invalid_datetime_format or datetime_field_overflow then
  return false;
end $$;

create function credit_rollout_control.check_policy_value() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout_control.policy_changes'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if not coalesce(credit_rollout_control.fits_setting(new.name, new.to_value), false) then
    raise exception 'the setting % has no such value', new.name
      using errcode = 'check_violation', constraint = 'policy_changes_value_check';
  end if;
  return new;
end $$;
create trigger policy_changes_value before insert or update on credit_rollout_control.policy_changes for each row
  when (new.state in ('proposed', 'applied')) execute function credit_rollout_control.check_policy_value();

revoke all on function credit_rollout_control.is_readable_query, credit_rollout_control.is_duration,
  credit_rollout_control.are_texts, credit_rollout_control.is_window, credit_rollout_control.is_check,
  credit_rollout_control.fits_setting, credit_rollout_control.check_policy_value from public;`,
};
