// Why: what a purge may delete was decided by the number of days that its caller named.
import type { Migration } from '../migration.js';

/**
 * Why: the policy says for how long plans and findings are kept, and control seals it. Old schedulers purge in vain,
 * and log it.
 */
export const sealCellRetention: Migration = {
  name: '20261129201200_pre_seal_retention',
  up: `
alter table credit_rollout.cell add forgotten_plan bigint;
comment on column credit_rollout.cell.forgotten_plan is
  'the greatest number of a plan that was deleted: no plan up to it is made again';

alter function credit_rollout.forget_plan(integer, bigint[]) rename to delete_old_plan;
alter function credit_rollout.forget_drift(integer, integer) rename to delete_old_drift;
alter function credit_rollout.purge_nights(integer, integer) rename to delete_old_nights;

-- For how many days control's policy keeps these; raises unless control sealed that.
create function credit_rollout.sealed_days(document jsonb, what text) returns integer
  language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  perform credit_rollout.check_seal(document, 'retention');
  return (document ->> what)::integer;
end $$;

create function credit_rollout.forget_plan(document jsonb, kept bigint[]) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  old bigint;
begin
  old := credit_rollout.delete_old_plan(credit_rollout.sealed_days(document, 'plan_days'), kept);
  update credit_rollout.cell set forgotten_plan = old where old > coalesce(forgotten_plan, 0);
  return old;
end $$;

create function credit_rollout.forget_drift(document jsonb, most integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return credit_rollout.delete_old_drift(credit_rollout.sealed_days(document, 'drift_days'), most);
end $$;

create function credit_rollout.purge_nights(document jsonb, most integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  return credit_rollout.delete_old_nights(credit_rollout.sealed_days(document, 'drift_days'), most);
end $$;

revoke all on function credit_rollout.sealed_days, credit_rollout.forget_plan, credit_rollout.forget_drift,
  credit_rollout.purge_nights from public;`,
};

/**
 * Why: an approval may outlive its plan by a few days. Another plan under its number, with the same digest, could have
 * another canary.
 */
export const retirePlanNumbers: Migration = {
  name: '20261129201300_pre_retire_plan_numbers',
  up: `
create or replace function credit_rollout.check_open_plan(plan bigint, finishes boolean) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if finishes then
    perform pg_advisory_xact_lock(1129467726, (plan % 2147483647)::integer);
  else
    perform pg_advisory_xact_lock_shared(1129467726, (plan % 2147483647)::integer);
  end if;
  if exists (select from credit_rollout.plan_requests r where r.plan_id = plan)
     and not has_column_privilege(session_user, 'credit_rollout.batches', 'state', 'update') then
    raise exception 'this plan is made by a worker' using errcode = 'insufficient_privilege';
  end if;
  if plan < 1 or plan > (select case when s.is_called then s.last_value else 0 end from credit_rollout.plan_ids s) then
    raise exception 'this cell has given no such number' using errcode = 'restrict_violation';
  end if;
  if plan <= (select coalesce(c.forgotten_plan, 0) from credit_rollout.cell c) then
    raise exception 'the plan of this number was deleted' using errcode = 'restrict_violation';
  end if;
  if exists (select from credit_rollout.plans p where p.plan_id = plan) then
    raise exception 'the plan is finished' using errcode = 'restrict_violation';
  end if;
end $$;`,
};
