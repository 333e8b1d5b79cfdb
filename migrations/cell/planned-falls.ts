// Why: each range of an undo read the planned falls of all ranges: of two million orgs the last ranges took five times
// as long as the first.
import type { Migration } from '../migration.js';

const WITHIN = `(low is null or f.org_id >= low) and (high is null or f.org_id < high)`;

/** Why: the limits of the range are constants to the planner in a function of its own. Old code calls the same ones. */
export const readPlannedFalls: Migration = {
  name: '20261207010000_pre_read_planned_falls',
  up: `
create function credit_rollout.planned_falls(run bigint, low credit_rollout.org_id, high credit_rollout.org_id)
  returns table (org_id credit_rollout.org_id, becomes bigint) language plpgsql stable rows 2000 security definer
  set search_path = pg_catalog, pg_temp set jit = off set plan_cache_mode = force_custom_plan as $$
begin
  return query select f.org_id, f.becomes from credit_rollout.undo_falls f
    where f.undo_id = (select p.undo_id from credit_rollout.undo_plans p where p.run_id = run) and ${WITHIN};
end $$;
revoke all on function credit_rollout.planned_falls from public;
do $do$
declare
  old constant text := pg_get_functiondef('credit_rollout.take_back'::regproc);
  new constant text := replace(old, 'credit_rollout.undo_falls f on f.org_id = l.org_id
        and f.undo_id = (select p.undo_id from credit_rollout.undo_plans p where p.run_id = run)
        and (low is null or f.org_id >= low) and (high is null or f.org_id < high)) t;',
    'credit_rollout.planned_falls(run, low, high) f on f.org_id = l.org_id) t;');
begin
  if new = old then raise exception 'take_back is not as it was released'; end if;
  execute new;
end $do$;`,
};
