// Why: when a plan was made, and by whom, was for a planner's login to say.
import type { Migration } from '../migration.js';

/** Why: a plan of the year infinity could not be shown, and one of somebody else's name was. */
export const signPlans: Migration = {
  name: '20261201110200_pre_sign_plans',
  up: `
create function credit_rollout.sign_plan() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.snapshot_at := least(new.snapshot_at, clock_timestamp());
  -- a worker makes a plan for whoever asked for it
  if not exists (select from credit_rollout.plan_requests q
       where q.plan_id = new.plan_id and q.author = new.author) then
    new.author := credit_rollout.name_person(new.author);
  end if;
  return new;
end $$;
create trigger plans_signed before insert on credit_rollout.plans
  for each row execute function credit_rollout.sign_plan();
revoke all on function credit_rollout.sign_plan from public;`,
};
