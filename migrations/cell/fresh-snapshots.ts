// Why: a trigger that asks another table sees it as its transaction began, where that is at repeatable read: a freeze,
// an end of a run or of a plan that came since was not seen.
import type { Migration } from '../migration.js';
import { requireReadCommittedSql } from '../read-committed.js';

/** What is decided by the state of the cell. Sign-ups and plans have their own ways, since their callers choose. */
const DECIDED = [
  'batches',
  'cell',
  'detections',
  'drift',
  'feed',
  'fence',
  'freezes',
  'gate',
  'overrides',
  'plan_requests',
  'protected_orgs',
  'quarantine',
  'rate_cards',
  'rates',
  'repaired_orgs',
  'repairs',
  'reversals',
  'runs',
  'stale_orgs',
  'used_seals',
] as const;

export const requireFreshSnapshots: Migration = {
  name: '20261130050300_pre_require_fresh_snapshots',
  up: `
${requireReadCommittedSql('credit_rollout')}
${DECIDED.map(
  (table) => `create trigger ${table}_read_committed before insert or update or delete on credit_rollout.${table}
  for each statement execute function credit_rollout.require_read_committed();`,
).join('\n')}
create trigger exceptions_read_committed before update on credit_rollout.exceptions
  for each statement execute function credit_rollout.require_read_committed();

-- A unique key sees every row: also one that came after the snapshot of a plan that is being made.
create table credit_rollout.plan_ends (plan_id bigint primary key);
comment on table credit_rollout.plan_ends is 'numbers of plans that are finished: nothing is added to them';
insert into credit_rollout.plan_ends (plan_id) select p.plan_id from credit_rollout.plans p;

create or replace function credit_rollout.forget_plan(document jsonb, kept bigint[]) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  old bigint;
begin
  old := credit_rollout.delete_old_plan(credit_rollout.sealed_days(document, 'plan_days'), kept);
  update credit_rollout.cell set forgotten_plan = old where old > coalesce(forgotten_plan, 0);
  -- nothing is added up to the greatest number that was deleted
  delete from credit_rollout.plan_ends e using credit_rollout.cell c where e.plan_id <= c.forgotten_plan;
  return old;
end $$;

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
  begin
    insert into credit_rollout.plan_ends (plan_id) values (plan);
    -- only asked
    if not finishes then raise exception 'open' using errcode = 'triggered_action_exception'; end if;
  exception
    when unique_violation then
      raise exception 'the plan is finished' using errcode = 'restrict_violation';
    when triggered_action_exception then
      null;
  end;
end $$;`,
};
