// Why: a worker that brings a meter's counts into its cell needs the role `meter`, and was then told to have too much.
import type { Migration } from '../migration.js';

/** Old code reads the same column. */
export const letWorkersDrain: Migration = {
  name: '20261203070300_pre_let_workers_drain',
  up: `
do $$ begin
  execute replace(pg_get_functiondef('credit_rollout.record_worker_login()'::regprocedure), '_(worker|planner)$',
    '_(worker|planner|meter)$');
end $$;`,
};
