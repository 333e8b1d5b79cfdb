// Why: plans are large, and nobody applies one that is older than rollout.planRetention. Its planner may only insert, so an
// owner's function takes them away, and never one that a run still needs.
import type { Migration } from '../migration.js';

/** Old code never deletes plans. */
export const forgetPlans: Migration = {
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
