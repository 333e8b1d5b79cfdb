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
