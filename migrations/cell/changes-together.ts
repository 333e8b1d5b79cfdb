// Why: an update of a thousand allotments recorded each by a statement of its own, and asked of each who writes it.
import type { Migration } from '../migration.js';
import { LEFT_ASIDE } from './undo-lineage.js';

/**
 * Why: a statement records what it changed at its end, with one insert, and there its role is asked for. A row is only
 * numbered and signed; one that was not ours, or that no worker writes, is looked at as before.
 */
export const recordChangesTogether: Migration = {
  name: '20261206010000_pre_record_changes_together',
  up: `
create or replace function credit_rollout.record_allotment_change() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  cause text := coalesce(nullif(current_setting('credit_rollout.cause', true), ''), 'manual edit');
begin
  if tg_relid <> 'credit_rollout.allotments'::regclass then
    raise exception 'this function belongs to the triggers of allotments'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  if tg_op = 'DELETE' then return old; end if;
  if new.org_id is distinct from old.org_id then
    raise exception 'an allotment keeps its org' using errcode = 'restrict_violation';
  end if;
  -- apart, and without a sub-select, which would be a query for each row
  if cause in ('override', 'repair', 'undo')
     or old.floor is not null and (new.floor is null or new.floor < old.floor) then
    if cause not in ('edition', 'lapse', 'override', 'repair', 'undo')
       or cause = 'override' and not exists (select from credit_rollout.overrides o
            where o.org_id = old.org_id and o.state = 'proposed' and o.before is not null
              and o.floor is not distinct from new.floor)
       or cause = 'repair' and not exists (select from credit_rollout.repairs p
            join credit_rollout.repaired_orgs o using (repair_id)
            where p.state = 'applying' and o.org_id = old.org_id
              and o.after - '{run_id,version,computed_at,checksum}'::text[]
                = to_jsonb(new) - '{run_id,version,computed_at,checksum}'::text[])
       -- the run by a comparison that no index serves: of one run there may be millions, of one org a few
       or cause = 'undo' and not exists (select from credit_rollout.allotment_changes c
            where c.org_id = old.org_id and c.operation = 'update' and c.run_id is not distinct from (
                select u.undoes from credit_rollout.fence f join credit_rollout.runs u on u.run_id = f.run_id
                where f.state = 'open' and u.state = 'open' and u.kind = 'undo')
              and c.run_id is not null
              and c.before - ${LEFT_ASIDE} = to_jsonb(new) - ${LEFT_ASIDE}) then
      raise exception 'a floor falls only with a named cause, and to what the rule gives'
        using errcode = 'restrict_violation', constraint = 'allotments_floor_falls_only_with_cause';
    end if;
  end if;
  new.version := old.version + 1;
  return new;
end $$;

-- The cause is asked again: code inside the statement can set another one after its rows were looked at.
create function credit_rollout.record_changed_allotments() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp set enable_nestloop = off as $$
declare
  cause text := coalesce(nullif(current_setting('credit_rollout.cause', true), ''), 'manual edit');
  run bigint := nullif(current_setting('credit_rollout.run_id', true), '')::bigint;
begin
  if tg_relid <> 'credit_rollout.allotments'::regclass then
    raise exception 'this function belongs to the triggers of allotments'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  if right(current_setting('role'), 7) = '_worker' and not exists (select from credit_rollout.cell c
       where current_setting('role') = 'credit_rollout_' || replace(c.data_center, '-', '_') || '_worker') then
    raise exception 'this role is the worker of another cell' using errcode = 'insufficient_privilege';
  end if;
  -- never row by row, whatever number of rows is expected
  if cause not in ('edition', 'lapse', 'override', 'repair', 'undo') and exists (
       select from old_rows o join new_rows n on n.org_id = o.org_id
       where o.floor is not null and (n.floor is null or n.floor < o.floor)) then
    raise exception 'a floor falls only with a named cause, and to what the rule gives'
      using errcode = 'restrict_violation', constraint = 'allotments_floor_falls_only_with_cause';
  end if;
  insert into credit_rollout.allotment_changes (org_id, operation, cause, run_id, rate_card, version, before)
    select o.org_id, 'update', cause, run, o.rate_card, o.version, to_jsonb(o) from old_rows o;
  return null;
end $$;
create trigger allotments_record_changes after update on credit_rollout.allotments
  referencing old table as old_rows new table as new_rows
  for each statement execute function credit_rollout.record_changed_allotments();

create or replace function credit_rollout.sign_allotment() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  last credit_rollout.allotments;
begin
  new.checksum := credit_rollout.checksum_of(new);
  -- by its name alone, without a query: allotments_record_changes asks whether it is the worker of this cell
  if tg_op = 'UPDATE' and right(current_setting('role'), 7) = '_worker' and credit_rollout.is_intact(old) then
    return new;
  end if;
  if not exists (select from credit_rollout.cell c where current_setting('role') in (
       'credit_rollout_' || replace(c.data_center, '-', '_') || '_worker',
       'credit_rollout_' || replace(c.data_center, '-', '_') || '_override')) then
    if not (tg_op = 'INSERT' and new.origin = 'signup' and new.run_id is null and new.floor is null and exists (
         select from credit_rollout.sign_ups s where s.org_id = new.org_id and s.model = 'credits')) then
      new.checksum := ~new.checksum;
    end if;
  elsif tg_op = 'UPDATE' and not credit_rollout.is_intact(old)
      and coalesce(current_setting('credit_rollout.cause', true), '') not in ('override', 'repair') then
    select b.* into last from credit_rollout.org_changes c
      cross join lateral jsonb_populate_record(null::credit_rollout.allotments, c.before) b
      where c.org_id = new.org_id and credit_rollout.is_intact(b) order by c.change_id desc limit 1;
    if found and (new.origin, new.floor, new.floor_edition, new.unpaid_since) is distinct from
           (last.origin, last.floor, last.floor_edition, last.unpaid_since)
       or not found and (new.floor is distinct from new.legacy_limit and new.floor is not null) then
      new.checksum := ~new.checksum;
    end if;
  end if;
  return new;
end $$;
revoke all on function credit_rollout.record_changed_allotments from public;`,
};
