// Why: a trigger that runs for each row evaluates an expression with a sub-select by starting and ending a query, even
// where its first terms have decided it.
import type { Migration } from '../migration.js';
import { LEFT_ASIDE } from './undo-lineage.js';

/** Why: most changes let no floor fall and need no proof, and are recorded without a look for one. */
export const quickenChanges: Migration = {
  name: '20261205010100_pre_quicken_changes',
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
  -- apart, and without a sub-select: see above
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
  insert into credit_rollout.allotment_changes (org_id, operation, cause, run_id, rate_card, version, before)
  values (old.org_id, 'update', cause, nullif(current_setting('credit_rollout.run_id', true), '')::bigint,
          old.rate_card, old.version, to_jsonb(old));
  return new;
end $$;`,
};
