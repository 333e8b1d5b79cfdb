// Why: a source that reads one org in 10 to 50 ms was read for up to a thousand sign-ups at once. Where each of them
// costs that time, as in a lateral view, that took longer than the limit of a statement, and a crowd was given up.
import type { Migration } from '../migration.js';

/** Why: a list takes a quarter of a second at most there, whatever the view does. Old code calls the same function. */
export const limitSignUpLists: Migration = {
  name: '20261205070000_pre_limit_sign_up_lists',
  up: `
do $$
declare
  old constant text := pg_get_functiondef('credit_rollout.write_sign_ups()'::regprocedure);
  new constant text := replace(old, 'case when coalesce((select c.one_org_ms from credit_rollout.cell c), 0) > 10 then 1000'
      || ' else 1 end',
    'coalesce((select case when c.one_org_ms > 50 then 1000 when c.one_org_ms > 10 then (250 / c.one_org_ms)::integer'
      || ' else 1 end from credit_rollout.cell c), 1)');
begin
  if new = old then raise exception 'write_sign_ups is not as it was released'; end if;
  execute new;
end $$;`,
};
