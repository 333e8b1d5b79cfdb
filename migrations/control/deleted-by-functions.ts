// Why: who may delete rows of a table may lock all of it.
import type { Migration } from '../migration.js';

/**
 * Why: a scheduler's login locked holds and schedulers against everybody, and `status` and the other schedulers waited.
 * As in cells, rows are deleted by functions, and rights to update are by column. Old schedulers are refused.
 */
export const deleteHoldsByFunctions: Migration = {
  name: '20261204040030_pre_delete_holds_by_functions',
  up: `
create function credit_rollout_control.delete_holds(place text, kept text[]) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from credit_rollout_control.holds h where h.data_center = place and h.code <> all (kept);
end $$;

create function credit_rollout_control.delete_failed_steps(place text, steps text[]) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from credit_rollout_control.failed_steps f where f.data_center = place and f.step = any (steps);
end $$;

-- One that ends, and every other that was not seen for a day.
create function credit_rollout_control.delete_scheduler(ended text) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from credit_rollout_control.schedulers s
    where s.scheduler_id = ended or s.seen_at < clock_timestamp() - interval '1 day';
end $$;
revoke all on function credit_rollout_control.delete_holds, credit_rollout_control.delete_failed_steps,
  credit_rollout_control.delete_scheduler from public;`,
};
