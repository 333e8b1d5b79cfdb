// Why: a run of a rollout that nobody began kept the real one from ever beginning, and nothing said so.
import type { Migration } from '../migration.js';

/**
 * Why: a scheduler's login left an open run with a data center at rest. Its approved rollout then waited for ever: the
 * index that allows one open run refused the real one. A rollout's run and the step that begins it are one
 * transaction, so this is asked as it commits. The owner is not asked.
 */
export const beginRunsWithRollouts: Migration = {
  name: '20261204040010_pre_begin_runs_with_rollouts',
  up: `
create function credit_rollout_control.check_run_begun() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role(session_user, (select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then
    return null;
  end if;
  if not exists (select from credit_rollout_control.data_centers d
      where d.id = new.data_center and d.run_id = new.run_id) then
    raise exception 'run % of a rollout begins with it', new.run_id using errcode = 'restrict_violation',
      constraint = 'runs_rollout_begun_check';
  end if;
  return null;
end $$;
create constraint trigger runs_begun after insert on credit_rollout_control.runs
  deferrable initially deferred for each row when (new.kind = 'migrate')
  execute function credit_rollout_control.check_run_begun();
revoke all on function credit_rollout_control.check_run_begun from public;`,
};
