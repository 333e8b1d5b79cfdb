// Why: where the view has a function that is VOLATILE, one in its FROM, or a cast in its WHERE, Postgres runs that for
// every row, whatever is read: one org for which it fails hid the ids of all others.
import type { Migration } from '../migration.js';

/** So many bytes of ids, one or two thousand, are noted in one reading: each is added to one text. */
const MOST_BYTES = 16_384;
/** Where there are more, only one in so many is noted. */
const ONE_IN = 16;

/**
 * Why: ids are found without reading the rest of a row, so that one that fails is set aside alone. Old code calls
 * split_batch and count_unswept as before.
 */
export const listKeysAlone: Migration = {
  name: '20261207160000_pre_list_keys_alone',
  up: `
-- A condition that is never true: Postgres asks it where it reads an id, before it computes what the view selects. So
-- it has to be STABLE and cheaper than a condition of the view, also than one on a range, which it asks itself. Only
-- the functions below call it, which set its names; noted_of 0: there were too many.
create function credit_rollout.note_key(id credit_rollout.org_id, lowest credit_rollout.org_id,
  highest credit_rollout.org_id) returns boolean language plpgsql stable cost 0.0001
  set search_path = pg_catalog, pg_temp as $$
declare
  one_of constant integer := current_setting('credit_rollout.noted_of')::integer;
  noted text;
begin
  if one_of > 0 and (lowest is null or id >= lowest) and (highest is null or id < highest)
     and (one_of = 1 or ('x' || substr(md5(id::text), 1, 7))::bit(28)::integer % one_of = 0) then
    noted := concat(current_setting('credit_rollout.noted_keys'), to_json(id::text), ',');
    if octet_length(noted) > ${MOST_BYTES} then
      perform set_config('credit_rollout.noted_of', '0', true);
    else
      perform set_config('credit_rollout.noted_keys', noted, true);
    end if;
  end if;
  return false;
end $$;

-- The ids in [lowest, highest), in their order; null bounds are open. Of many only about one in so many. It may
-- have ids that the view leaves out.
create function credit_rollout.list_keys(lowest credit_rollout.org_id, highest credit_rollout.org_id,
  out ids credit_rollout.org_id[], out one_of integer) language plpgsql stable
  set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
begin
  one_of := 1;
  loop
    perform set_config('credit_rollout.noted_keys', '', true),
      set_config('credit_rollout.noted_of', one_of::text, true);
    perform from credit_rollout.source_orgs s
      where (lowest is null or s.org_id >= lowest) and (highest is null or s.org_id < highest)
        and credit_rollout.note_key(s.org_id, lowest, highest);
    exit when current_setting('credit_rollout.noted_of') <> '0';
    one_of := one_of * ${ONE_IN};
  end loop;
  ids := array(select distinct k.id::credit_rollout.org_id
    from json_array_elements_text(('[' || rtrim(current_setting('credit_rollout.noted_keys'), ',') || ']')::json) k (id)
    order by 1);
  perform set_config('credit_rollout.noted_keys', '', true);
end $$;
-- The same of orgs by their updated_at, for the change feed; null: there are too many.
create function credit_rollout.list_updated_keys(since timestamptz, past timestamptz, until timestamptz)
  returns credit_rollout.org_id[] language plpgsql stable
  set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  noted text;
begin
  perform set_config('credit_rollout.noted_keys', '', true), set_config('credit_rollout.noted_of', '1', true);
  -- one condition: of two, the cheaper one would come first
  perform from credit_rollout.source_updates u
    where case when u.updated_at >= since and u.updated_at > past and u.updated_at < until
      then credit_rollout.note_key(u.org_id, null, null) else false end;
  noted := current_setting('credit_rollout.noted_keys');
  perform set_config('credit_rollout.noted_keys', '', true);
  if current_setting('credit_rollout.noted_of') = '0' then return null; end if;
  return array(select distinct k.id::credit_rollout.org_id
    from json_array_elements_text(('[' || rtrim(noted, ',') || ']')::json) k (id));
end $$;
revoke all on function credit_rollout.note_key, credit_rollout.list_keys, credit_rollout.list_updated_keys from public;

create or replace function credit_rollout.split_batch(run bigint, number integer) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  whole credit_rollout.batches := credit_rollout.lock_batch(run, number);
  held integer; middle credit_rollout.org_id; keys record; context text;
begin
  if whole.batch_no is null then return false; end if;
  if whole.kind = 'range' then
    begin
      select count(*) into held from credit_rollout.source_orgs s
        where (whole.lower_id is null or s.org_id >= whole.lower_id)
          and (whole.upper_id is null or s.org_id < whole.upper_id);
      select s.org_id into middle from credit_rollout.source_orgs s
        where (whole.lower_id is null or s.org_id >= whole.lower_id)
          and (whole.upper_id is null or s.org_id < whole.upper_id)
        order by s.org_id offset held / 2 limit 1;
    exception when query_canceled or assert_failure or others then
      get stacked diagnostics context = pg_exception_context;
      if not credit_rollout.is_row_failure(sqlstate, context) then raise; end if;
      keys := credit_rollout.list_keys(whole.lower_id, whole.upper_id);
      held := cardinality(keys.ids) * keys.one_of;
      middle := keys.ids[cardinality(keys.ids) / 2 + 1];
    end;
  end if;
  return credit_rollout.split_batch_at(run, number, middle, held);
end $$;

create or replace function credit_rollout.count_unswept(run bigint) returns bigint language plpgsql stable
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  cutover timestamptz := (select g.effective_at from credit_rollout.gate g);
  -- as a list, which reaches the scan below a view that fails for them
  unreadable credit_rollout.org_id[] := array(select q.org_id from credit_rollout.quarantine q
    where q.run_id = run and q.reason = 'unreadable');
  found_orgs bigint; one credit_rollout.org_id;
begin
  found_orgs := (select count(*) from (
    select from credit_rollout.source_orgs s
    where s.created_at < cutover
      and s.org_id <> all (unreadable)
      and not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
      and not exists (select from credit_rollout.quarantine q where q.run_id = run and q.org_id = s.org_id)
    limit 1000) u);
  for one in
    select q.org_id from credit_rollout.quarantine q
    where q.run_id = run and not exists (select from credit_rollout.allotments a where a.org_id = q.org_id)
      and (q.reason not in ('unreadable', 'other')
        or exists (select from credit_rollout.runs r where r.run_id = run and r.pass <= 5))
    order by random() limit 200
  loop
    begin
      if exists (select from credit_rollout.decided_first(null, null, array[one], null) d
          join credit_rollout.source_orgs s on s.org_id = d.org_id
          where d.reason is null and s.created_at < cutover and d::text <> '' and s::text <> '') then
        found_orgs := found_orgs + 1;
      end if;
    exception when assert_failure or others then null;
    end;
  end loop;
  return least(found_orgs, 1000);
end $$;`,
};
