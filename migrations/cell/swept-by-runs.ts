// Why: what a scheduler says of a sweep is not a fact because it was written.
import type { Migration } from '../migration.js';

/**
 * Why: a scheduler's login marked a cut-over as swept that nothing had swept. It is marked by the transaction that ends
 * its sweep: a run that searched to the end, and has no batch that waits.
 */
export const sweepByRuns: Migration = {
  name: '20261201020800_pre_sweep_by_runs',
  up: `
create function credit_rollout.check_swept() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout.gate'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  if not exists (
      select from credit_rollout.runs r
      where r.kind = 'sweep' and r.state = 'done' and r.xmin = pg_current_xact_id()::xid
        and r.run_id = (select max(s.run_id) from credit_rollout.runs s where s.kind = 'sweep')
        and exists (select from credit_rollout.detections d where d.run_id = r.run_id and d.ended_at is not null)
        and not exists (select from credit_rollout.batches b where b.run_id = r.run_id and b.state <> 'done')) then
    raise exception 'a cut-over is swept by a run' using errcode = 'restrict_violation',
      constraint = 'gate_swept_by_run';
  end if;
  return new;
end $$;
create trigger gate_swept_by_run before update on credit_rollout.gate for each row
  when (new.swept_at is not null and new.swept_at is distinct from old.swept_at)
  execute function credit_rollout.check_swept();
revoke all on function credit_rollout.check_swept from public;`,
};

/**
 * Why: who searches and who found nothing are the same login, and a worker's ended a sweep that had looked at no org. A
 * scheduler asks this before it marks a cut-over as swept. It belongs to the role that reads the source.
 */
export const proveSweeps: Migration = {
  name: '20261203070100_pre_prove_sweeps',
  up: `
-- Orgs from before the cut-over that have no allotment and were not set aside by this run; at most 1000.
create function credit_rollout.count_unswept(run bigint) returns bigint language plpgsql stable
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  cutover timestamptz := (select g.effective_at from credit_rollout.gate g);
begin
  return (select count(*) from (
    select from credit_rollout.source_orgs s
    where s.created_at < cutover
      and not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
      and not exists (select from credit_rollout.quarantine q where q.run_id = run and q.org_id = s.org_id)
    limit 1000) u);
end $$;
revoke all on function credit_rollout.count_unswept from public;`,
};
