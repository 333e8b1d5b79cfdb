// Why: dates and instants that a login of a cell writes are read by every other process, and whether a worker lives was
// for its login to say.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';

/** What orgs and batches write, many at once; their instants come from the source or are the database's own. */
export const MANY_INSTANTS = [
  'allotments',
  'allotment_changes',
  'changed_orgs',
  'feed',
  'pending_sign_ups',
  'sign_ups',
  'usage_days',
] as const;

export const checkCellInstants: Migration = {
  name: '20261201095900_pre_check_instants',
  up: `${checkInstantsSql('credit_rollout', MANY_INSTANTS)}

create function credit_rollout.sign_seen() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  new.seen_at := clock_timestamp();
  new.started_at := case when tg_op = 'INSERT' then new.seen_at else old.started_at end;
  return new;
end $$;
create trigger workers_sign_seen before insert or update on credit_rollout.workers
  for each row execute function credit_rollout.sign_seen();
delete from credit_rollout.workers where not isfinite(seen_at) or seen_at > clock_timestamp();
revoke all on function credit_rollout.sign_seen from public;`,
};

/**
 * Why: a run that was aborted was written as failed, and then opened again with the seal that it had begun with. Only
 * a run that is open ends; what it ended as stays, but for a failed one that is opened again.
 */
export const endRunsOnce: Migration = {
  name: '20261201020600_pre_end_runs_once',
  up: `
create function credit_rollout.end_run_once() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return new;
  end if;
  raise exception 'a run ends once' using errcode = 'restrict_violation';
end $$;
create trigger runs_end_once before update on credit_rollout.runs for each row
  when (old.state <> 'open' and new.state not in (old.state, 'open'))
  execute function credit_rollout.end_run_once();
revoke all on function credit_rollout.end_run_once from public;`,
};
