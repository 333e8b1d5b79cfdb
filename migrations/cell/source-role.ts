// Why: a view of the product may run any code wherever it is read, so nothing reads it with the rights of our schema's
// owner. What reads it for somebody belongs to another role (source-functions.ts), and has the owner's functions write.
import type { Migration } from '../migration.js';

/** Why: functions that read and wrote are now two. Old code calls them by the same names. */
export const readSourceAsRole: Migration = {
  name: '20261129220000_pre_read_source_as_role',
  up: `
-- of runs without a plan, which an earlier version had
drop function credit_rollout.cut_first_ranges;
drop function credit_rollout.cut_ranges;
drop function credit_rollout.split_range;

create or replace function credit_rollout.record_allotment_change() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  cause text := coalesce(nullif(current_setting('credit_rollout.cause', true), ''), 'manual edit');
begin
  if tg_relid <> 'credit_rollout.allotments'::regclass then
    raise exception 'this function belongs to the triggers of allotments'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  if tg_op = 'UPDATE' then
    if new.org_id is distinct from old.org_id then
      raise exception 'an allotment keeps its org' using errcode = 'restrict_violation';
    end if;
    if old.floor is not null and (new.floor is null or new.floor < old.floor)
         and cause not in ('edition', 'lapse', 'override', 'repair')
       or cause = 'override' and not exists (select from credit_rollout.overrides o
            where o.org_id = old.org_id and o.state = 'proposed' and o.before is not null
              and o.floor is not distinct from new.floor)
       or cause = 'repair' and not exists (select from credit_rollout.repairs p
            join credit_rollout.repaired_orgs o using (repair_id)
            where p.state = 'applying' and o.org_id = old.org_id
              and o.after - '{run_id,version,computed_at,checksum}'::text[]
                = to_jsonb(new) - '{run_id,version,computed_at,checksum}'::text[]) then
      raise exception 'a floor falls only with a named cause, and to what the rule gives'
        using errcode = 'restrict_violation', constraint = 'allotments_floor_falls_only_with_cause';
    end if;
    new.version := old.version + 1;
  end if;
  insert into credit_rollout.allotment_changes (org_id, operation, cause, run_id, rate_card, version, before)
  values (old.org_id, lower(tg_op), cause,
          nullif(current_setting('credit_rollout.run_id', true), '')::bigint, old.rate_card, old.version,
          to_jsonb(old));
  return case when tg_op = 'DELETE' then old else new end;
end $$;

-- What a worker lowers, or calls unpaid since another day, is what the rule gives in that moment. With the rights of
-- whoever writes: inside the owner's functions, and for the owner, it asks nothing.
create function credit_rollout.check_floor_falls() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  if old.floor is not null and (new.floor is null or new.floor < old.floor or new.floor_edition <> old.floor_edition)
     or new.unpaid_since is distinct from (case when not new.paid then coalesce(old.unpaid_since, (
       select (now() at time zone c.zone)::date from credit_rollout.cell c)) end) then
    if not exists (select from credit_rollout.decided(null, null, array[old.org_id], null) d
        where d.reason is null and d.floor is not distinct from new.floor
          and d.floor_edition is not distinct from new.floor_edition
          and d.unpaid_since is not distinct from new.unpaid_since) then
      raise exception 'a floor falls only with a named cause, and to what the rule gives'
        using errcode = 'restrict_violation', constraint = 'allotments_floor_falls_only_with_cause';
    end if;
  end if;
  return new;
end $$;
create trigger allotments_floor_falls before update on credit_rollout.allotments for each row
  when (old.floor is not null
      and (new.floor is null or new.floor < old.floor or new.floor_edition <> old.floor_edition)
    or new.unpaid_since is distinct from old.unpaid_since)
  execute function credit_rollout.check_floor_falls();

-- Retires allotments of orgs that a night found gone; returns whose. Kept as before-images.
create function credit_rollout.retire_gone(run bigint, gone credit_rollout.org_id[])
  returns setof credit_rollout.org_id language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout.repairs_open(run, true) then return; end if;
  perform set_config('credit_rollout.cause', 'gone', true), set_config('credit_rollout.run_id', run::text, true);
  return query delete from credit_rollout.allotments a
    where a.org_id = any (gone)
      and exists (select from credit_rollout.drift d where d.run_id = run and d.org_id = a.org_id
        and d.movement = 'gone' and d.outcome = 'to_heal')
    returning a.org_id;
end $$;

-- The same for those of them that the source still does not hold.
create or replace function credit_rollout.retire_allotments(run bigint, ids credit_rollout.org_id[])
  returns setof credit_rollout.org_id language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query select credit_rollout.retire_gone(run, array(
    select i from unnest(ids) i
    where not exists (select from credit_rollout.source_orgs s where s.org_id = i)));
end $$;

-- Cutting and halving take turns, so that no two ranges take one number.
create function credit_rollout.lock_batch(run bigint, number integer) returns credit_rollout.batches language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  locked credit_rollout.batches;
begin
  perform from credit_rollout.runs where run_id = run for no key update;
  select * into locked from credit_rollout.batches
    where run_id = run and batch_no = number and state = 'pending' and kind in ('range', 'repair') for update;
  return locked;
end $$;

-- Splits a pending batch: a repair in the middle of its list, a range at an id inside it. Both halves of a range go on
-- writing the range of the plan that the whole one wrote.
create function credit_rollout.split_batch_at(run bigint, number integer, middle credit_rollout.org_id, held integer)
  returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  whole credit_rollout.batches := credit_rollout.lock_batch(run, number);
begin
  if whole.kind = 'repair' then
    held := cardinality(whole.org_ids);
    if held < 2 then return false; end if;
    update credit_rollout.batches set org_ids = whole.org_ids[1:held / 2], expected = held / 2
      where run_id = run and batch_no = number;
  elsif held < 2 or middle is null or exists (select where middle <= whole.lower_id or middle >= whole.upper_id) then
    return false;
  else
    update credit_rollout.batches set upper_id = middle, expected = held / 2 where run_id = run and batch_no = number;
  end if;
  insert into credit_rollout.batches
      (run_id, batch_no, kind, lower_id, upper_id, org_ids, expected, plan_range, cause)
    select run, max(b.batch_no) + 1, whole.kind, case whole.kind when 'range' then middle end, whole.upper_id,
      whole.org_ids[held / 2 + 1:], held - held / 2, whole.plan_range, whole.cause
    from credit_rollout.batches b where b.run_id = run;
  return true;
end $$;

-- Halves a pending batch; false when it holds one org or none.
create or replace function credit_rollout.split_batch(run bigint, number integer) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  whole credit_rollout.batches := credit_rollout.lock_batch(run, number);
  held integer; middle credit_rollout.org_id;
begin
  if whole.batch_no is null then return false; end if;
  if whole.kind = 'range' then
    select count(*) into held from credit_rollout.source_orgs s
      where (whole.lower_id is null or s.org_id >= whole.lower_id)
        and (whole.upper_id is null or s.org_id < whole.upper_id);
    select s.org_id into middle from credit_rollout.source_orgs s
      where (whole.lower_id is null or s.org_id >= whole.lower_id)
        and (whole.upper_id is null or s.org_id < whole.upper_id)
      order by s.org_id offset held / 2 limit 1;
  end if;
  return credit_rollout.split_batch_at(run, number, middle, held);
end $$;
revoke all on function credit_rollout.check_floor_falls, credit_rollout.retire_gone, credit_rollout.lock_batch,
  credit_rollout.split_batch_at from public;`,
};
