// Why: every night adds rows to control too. What people did stays for ever; what the scheduler noted about a night
// that is long over does not.
import type { Migration } from '../migration.js';

/** Old code never deletes nights. */
export const purgeControlNights: Migration = {
  name: '20261129190000_pre_purge_nights',
  up: `
-- Audit rows that a scheduler writes again and again: of a night or a sweep, and of a purge.
create function credit_rollout_control.is_routine(entry credit_rollout_control.audit) returns boolean
language sql stable begin atomic
  select entry.action in ('forget_plans', 'forget_drift', 'forget_nights')
    or entry.action in ('reconcile', 'sweep', 'close_fence', 'end_reconcile', 'end_sweep') and exists (
      select from credit_rollout_control.runs r where r.run_id = entry.run_id and r.kind in ('reconcile', 'sweep'));
end;

create function credit_rollout_control.keep_audit() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout_control.is_routine(old) or not coalesce(old.at < clock_timestamp()
      - (credit_rollout_control.setting('reconcile.driftRetention') #>> '{}')::interval, false) then
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
  end if;
  return old;
end $$;
drop trigger audit_append_only on credit_rollout_control.audit;
create trigger audit_append_only before update or truncate on credit_rollout_control.audit
  for each statement execute function credit_rollout_control.refuse_change();
create trigger audit_kept before delete on credit_rollout_control.audit
  for each row execute function credit_rollout_control.keep_audit();

-- Purges nights and sweeps that ended so long ago, requests for them, and schedulers that were not seen for a day;
-- returns how many rows. Of at most so many runs, and never of the newest of a data center.
create function credit_rollout_control.purge_nights(retention_days integer, most integer) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  over timestamptz := clock_timestamp() - make_interval(days => retention_days);
  old bigint[]; purged integer; total integer := 0;
begin
  if retention_days < 1
     or make_interval(days => retention_days)
        < (credit_rollout_control.setting('reconcile.driftRetention') #>> '{}')::interval then
    raise exception 'nights are kept for longer' using errcode = 'invalid_parameter_value';
  end if;
  delete from credit_rollout_control.schedulers where seen_at < clock_timestamp() - interval '1 day';
  select coalesce(array_agg(o.run_id), '{}') into strict old from (
    select r.run_id from credit_rollout_control.runs r
    where r.kind in ('reconcile', 'sweep') and r.state <> 'open' and r.ended_at < over and exists (
      select from credit_rollout_control.runs n
      where n.data_center = r.data_center and n.kind = r.kind and n.run_id > r.run_id)
      -- its last audit row is a moment younger than its end, and nothing would know it without the run
      and not exists (select from credit_rollout_control.audit a where a.run_id = r.run_id and a.at >= over)
    order by r.run_id limit most) o;
  delete from credit_rollout_control.audit a
    where a.at < over and (a.run_id = any (old) or a.run_id is null) and credit_rollout_control.is_routine(a);
  get diagnostics purged = row_count;
  total := total + purged;
  delete from credit_rollout_control.runs r where r.run_id = any (old);
  get diagnostics purged = row_count;
  total := total + purged;
  delete from credit_rollout_control.due_work w
    where w.kind = 'reconcile' and w.ended_at is not null and w.due_at < over and exists (
      select from credit_rollout_control.due_work n
      where n.data_center = w.data_center and n.kind = w.kind and n.local_date > w.local_date);
  get diagnostics purged = row_count;
  total := total + purged;
  delete from credit_rollout_control.reconcile_requests q where q.ended_at < over;
  get diagnostics purged = row_count;
  return total + purged;
end $$;
revoke all on function credit_rollout_control.purge_nights from public;`,
};
