// Why: who may delete rows of a table may lock all of it.
import type { Migration } from '../migration.js';

/** Why: a worker's login locked the workers of its cell, and `status` waited. Old workers are refused when they end. */
export const deleteWorkersByFunction: Migration = {
  name: '20261204040010_pre_delete_workers_by_function',
  up: `
-- One that ends, and every other that was not seen for a day.
create function credit_rollout.delete_worker(ended text) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from credit_rollout.workers w
    where w.worker_id = ended or w.seen_at < clock_timestamp() - interval '1 day';
end $$;
revoke all on function credit_rollout.delete_worker from public;`,
};
