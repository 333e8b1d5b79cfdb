// Why: plans are large, and one older than rollout.planRetention cannot be applied. The planner may only insert, so a function
// of the schema's owner deletes old plans, but none that a run still needs.
import type { Migration } from '../migration.js';

/** Old code never deletes plans. */
export const createPlanPurge: Migration = {
  name: '20261122060000_pre_forget_plans',
  up: `
-- Forgets the oldest plan that is over and not in kept; null when there is none. One at a time, since one may be large.
-- An hour more than the retention: an apply that was let through just before must find its plan.
create function credit_rollout.forget_plan(retention_days integer, kept bigint[]) returns bigint language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  over timestamptz := clock_timestamp() - make_interval(days => retention_days, hours => 1);
  old bigint;
begin
  if retention_days < 1 then
    raise exception 'plans are kept for a day at least' using errcode = 'invalid_parameter_value';
  end if;
  select p.plan_id into old from credit_rollout.plans p
    where p.made_at < over and p.plan_id <> all (kept) and not exists (
      select from credit_rollout.runs r where r.plan_id = p.plan_id and (r.state = 'open'
        -- retry may open it again
        or r.state = 'failed' and r.run_id = (select max(n.run_id) from credit_rollout.runs n)))
    order by p.plan_id limit 1 for update skip locked;
  if found then
    -- below its number also what plannings left that broke off between their commits: none of them still runs
    with gone as (
      delete from credit_rollout.plan_ranges r where r.plan_id = old
        or r.plan_id < old and not exists (select from credit_rollout.plans p where p.plan_id = r.plan_id)
      returning r.plan_id, r.range_no)
    delete from credit_rollout.plan_groups g using gone where g.plan_id = gone.plan_id and g.range_no = gone.range_no;
    -- with the plan alone gone, a worker would make it again
    delete from credit_rollout.plan_requests where plan_id = old;
    delete from credit_rollout.plans where plan_id = old;
    return old;
  end if;
  delete from credit_rollout.plan_requests q where q.requested_at < over and q.plan_id <> all (kept)
    and not exists (select from credit_rollout.plans p where p.plan_id = q.plan_id);
  return null;
end $$;`,
};

/**
 * Why: every night adds rows, and old ones are not needed. The newest proposal of each org stays until people have decided
 * it. Old code never deletes findings.
 */
export const createDriftPurge: Migration = {
  name: '20261123070000_pre_forget_drift',
  up: `
-- Floors that a night proposed and nobody has decided. What the open window or an edit asks is asked again every night; a
-- contract that changed after the sweep only once.
create view credit_rollout.waiting_floors as
select distinct on (d.org_id) d.run_id, d.org_id, d.cause, a.floor, d.proposed_floor, d.found_at
from credit_rollout.drift d join credit_rollout.allotments a on a.org_id = d.org_id cross join credit_rollout.gate g
where d.proposes and a.floor is distinct from d.proposed_floor
  and (d.run_id = (select max(r.run_id) from credit_rollout.runs r where r.kind = 'reconcile')
    or d.movement <> 'same' and d.found_at >= g.swept_at)
  and not exists (select from credit_rollout.overrides o
    where o.org_id = d.org_id and o.state = 'applied' and o.decided_at > d.found_at)
order by d.org_id, d.run_id desc;
comment on view credit_rollout.waiting_floors is 'floors that nights proposed and nobody has decided yet';

-- Forgets at most so many findings of runs that ended so long ago, and returns how many. Never of the newest night, and none
-- that waits for people.
create function credit_rollout.forget_drift(retention_days integer, most integer) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  forgotten integer;
begin
  if retention_days < 1 then
    raise exception 'findings are kept for a day at least' using errcode = 'invalid_parameter_value';
  end if;
  with old as (
    select r.run_id from credit_rollout.runs r
    where r.kind in ('reconcile', 'sweep') and r.state <> 'open'
      and r.ended_at < clock_timestamp() - make_interval(days => retention_days)
      and r.run_id < (select max(n.run_id) from credit_rollout.runs n where n.kind = 'reconcile')
  ), over as (
    select d.run_id, d.org_id from credit_rollout.drift d join old using (run_id)
    where not exists (select from credit_rollout.waiting_floors w where w.run_id = d.run_id and w.org_id = d.org_id)
    limit most
  )
  delete from credit_rollout.drift d using over where d.run_id = over.run_id and d.org_id = over.org_id;
  get diagnostics forgotten = row_count;
  return forgotten;
end $$;
revoke all on function credit_rollout.forget_drift from public;`,
};
