// Why: what writes allotments with the owner's rights is not bound by the trigger that asks for open work, a number
// below zero passed the promise, and the settings of a session decided what a view gave.
import type { Migration } from '../migration.js';

/** Why: a freeze is acknowledged once nothing that began before it can commit. Old code calls the same functions. */
export const fenceRepairs: Migration = {
  name: '20261130032000_pre_fence_repairs',
  up: `
-- Whether the fence is open for repairs of a run, and nothing is frozen. It stays so until this transaction ends: the
-- lock comes first, as in every batch, and a snapshot that is older than the wait for it would show what was open once.
create or replace function credit_rollout.repairs_open(run bigint, only_nights boolean) returns boolean
  language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'allotments are written at read committed' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  perform pg_advisory_xact_lock_shared(1129467724, 0);
  return exists (select from credit_rollout.fence f join credit_rollout.runs r on r.run_id = f.run_id
      where f.state = 'open' and r.run_id = run and r.state = 'open'
        and (r.kind = 'reconcile' or r.kind = 'sweep' and not only_nights))
    and not exists (select from credit_rollout.freezes z where z.lifted_at is null);
end $$;

create or replace function credit_rollout.write_sign_ups(out tried integer, out written integer) language plpgsql
  security definer set search_path = pg_catalog, pg_temp set row_security = off
  set jit = off set max_parallel_workers_per_gather = 0 set plan_cache_mode = force_generic_plan as $$
declare
  waiting record;
  began constant timestamptz := clock_timestamp();
begin
  tried := 0;
  written := 0;
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'allotments are written at read committed' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  perform pg_advisory_xact_lock_shared(1129467724, 0);
  if exists (select from credit_rollout.freezes z where z.lifted_at is null)
     or not exists (select from credit_rollout.fence f where f.state = 'closed' and f.single_writes
       and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)) then
    return;
  end if;
  for waiting in
    select p.org_id, p.tries from credit_rollout.pending_sign_ups p order by p.tries, p.noted_at
    limit 200 for update skip locked
  loop
    perform credit_rollout.grant_sign_up(waiting.org_id);
    tried := tried + 1;
    if exists (select from credit_rollout.allotments a where a.org_id = waiting.org_id) then
      written := written + 1;
      delete from credit_rollout.pending_sign_ups p where p.org_id = waiting.org_id;
    elsif waiting.tries >= 4 then
      delete from credit_rollout.pending_sign_ups p where p.org_id = waiting.org_id;
    else
      update credit_rollout.pending_sign_ups p set tries = p.tries + 1 where p.org_id = waiting.org_id;
    end if;
    exit when clock_timestamp() > began + interval '1 second';
  end loop;
end $$;

-- when it was written, not when its transaction began
alter table credit_rollout.allotment_changes alter column changed_at set default clock_timestamp();`,
};

/**
 * Why: with negative additional credits, a total was below the floor and the promise held. Not validated where there
 * are allotments: that would keep the product from reading them for as long as it takes, and `verify` finds old ones.
 */
export const rejectNegativeNumbers: Migration = {
  name: '20261130032100_pre_reject_negative_numbers',
  up: `
alter table credit_rollout.allotments add constraint allotments_zero_or_more_check check (
  agents >= 0 and light_agents >= 0 and negotiated_limit >= 0 and base_credits >= 0
  and variable_credits >= 0 and additional_credits >= 0 and legacy_limit >= 0 and floor >= 0
  and grandfathered_credits >= 0 and total_credits >= 0 and concurrency_limit >= 0) not valid;
do $$
begin
  if not exists (select from credit_rollout.allotments) then
    alter table credit_rollout.allotments validate constraint allotments_zero_or_more_check;
  end if;
end $$;`,
};
