// Why: a copy of control from before an abort opened the fence for a run that the cell had ended. Nothing was written,
// and no worker, check or command said why it stood still.
import type { Migration } from '../migration.js';

/** Why: what was aborted is never opened again; it is rolled out under a new plan. Old code calls the same function. */
export const refuseAbortedRuns: Migration = {
  name: '20261207020000_pre_refuse_aborted_runs',
  up: `
do $do$
declare
  old constant text := pg_get_functiondef('credit_rollout.open_sealed_run(jsonb)'::regprocedure);
  new constant text := replace(old, '  perform credit_rollout.adopt_plan(run);',
    '  if exists (select from credit_rollout.runs r where r.run_id = run and r.state = ''aborted'') then
    raise exception ''the run was aborted'' using errcode = ''restrict_violation'', constraint = ''seal_used'';
  end if;
  perform credit_rollout.adopt_plan(run);');
begin
  if new = old then raise exception 'open_sealed_run is not as it was released'; end if;
  execute new;
end $do$;`,
};
