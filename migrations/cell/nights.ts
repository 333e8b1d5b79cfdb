// Why: nothing of a night is needed for ever. What it found is purged by forget_drift; here goes the rest of it.
import type { Migration } from '../migration.js';

/** Old code never deletes runs of nights, their batches and searches, nor what they set aside. */
export const purgeCellNights: Migration = {
  name: '20261129190000_pre_purge_nights',
  up: `
-- Purges at most so many rows of nights and sweeps that ended so long ago, and of workers that were not seen for a
-- day; returns how many. The newest run of each kind stays, the newest reason of each org that could not be decided,
-- and the run of a finding that waits for people.
create function credit_rollout.purge_nights(retention_days integer, most integer) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  old bigint[]; purged integer; total integer := 0;
begin
  if retention_days < 1 then
    raise exception 'nights are kept for a day at least' using errcode = 'invalid_parameter_value';
  end if;
  delete from credit_rollout.workers where seen_at < clock_timestamp() - interval '1 day';
  -- of plannings that broke off: forget_plan has deleted their ranges, which are written together with these
  delete from credit_rollout.plan_parts p
    where not exists (select from credit_rollout.plan_ranges r where r.plan_id = p.plan_id);
  select coalesce(array_agg(r.run_id), '{}') into strict old from credit_rollout.runs r
    where r.kind in ('reconcile', 'sweep') and r.state <> 'open'
      and r.ended_at < clock_timestamp() - make_interval(days => retention_days)
      and r.run_id < (select max(n.run_id) from credit_rollout.runs n where n.kind = r.kind);
  with gone as (select b.run_id, b.batch_no from credit_rollout.batches b where b.run_id = any (old) limit most)
  delete from credit_rollout.batches b using gone where b.run_id = gone.run_id and b.batch_no = gone.batch_no;
  get diagnostics purged = row_count;
  total := total + purged;
  with gone as (
    select q.run_id, q.org_id from credit_rollout.quarantine q where q.run_id = any (old)
      and exists (select from credit_rollout.quarantine n where n.org_id = q.org_id and n.run_id > q.run_id)
    limit most - total)
  delete from credit_rollout.quarantine q using gone where q.run_id = gone.run_id and q.org_id = gone.org_id;
  get diagnostics purged = row_count;
  total := total + purged;
  if total >= most then return total; end if;
  delete from credit_rollout.detections t where t.run_id = any (old);
  get diagnostics purged = row_count;
  total := total + purged;
  delete from credit_rollout.runs r where r.run_id = any (old)
    and not exists (select from credit_rollout.drift d where d.run_id = r.run_id)
    and not exists (select from credit_rollout.quarantine q where q.run_id = r.run_id);
  get diagnostics purged = row_count;
  return total + purged;
end $$;
revoke all on function credit_rollout.purge_nights from public;`,
};
