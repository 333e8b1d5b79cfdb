// Why: a check whose limit no cell can hold keeps each run and each night of the fleet from opening.
import type { Migration } from '../migration.js';

/** Why: 1e400 is a number in JSON. What is proposed has a limit that a cell stores; what is in force is not asked. */
export const boundCheckLimits: Migration = {
  name: '20261204040050_pre_bound_check_limits',
  up: `
create or replace function credit_rollout_control.is_check(entry jsonb) returns boolean language plpgsql immutable
  set search_path = pg_catalog, pg_temp as $$
begin
  return jsonb_typeof(entry) = 'object' and entry - '{name,limit,query,holds}'::text[] = '{}'
    and credit_rollout_control.are_texts(jsonb_build_array(entry -> 'name'), '^[a-z][A-Za-z0-9_-]{0,30}$')
    and (entry -> 'query' is null or jsonb_typeof(entry -> 'query') = 'string'
      and credit_rollout_control.is_readable_query(entry ->> 'query'))
    and (entry -> 'limit' is null or case when jsonb_typeof(entry -> 'limit') = 'number'
      then abs((entry ->> 'limit')::numeric) <= 1e15 else credit_rollout_control.is_duration(entry ->> 'limit') end)
    and credit_rollout_control.are_texts(coalesce(entry -> 'holds', '[]'), '^(start|write|bake)$');
end $$;`,
};
