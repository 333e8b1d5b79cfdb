// Why: what a cell tells control is counts and codes. Whoever writes the rows that a scheduler reads there must not put
// anything else into them.
import type { Migration } from '../migration.js';
import { knownCountsSql } from '../plain-texts.js';

/**
 * Why: a worker's login named an org in a count or as the code of a failure, and control kept it for ever. And a seal
 * was made of what a cursor had seen long ago: a volatile function sees what is true when it runs.
 */
export const keepNumbersOnly: Migration = {
  name: '20261130051000_pre_keep_numbers_only',
  up: `
create function credit_rollout_control.keep_known_counts() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.counts := ${knownCountsSql('new.counts')};
  return new;
end $$;
-- after what checks the seal: they fire in the order of their names
create trigger plans_zz_known_counts before insert on credit_rollout_control.plans
  for each row execute function credit_rollout_control.keep_known_counts();

create function credit_rollout_control.keep_code() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.failure := 'other';
  return new;
end $$;
create trigger data_centers_keep_code before update on credit_rollout_control.data_centers for each row
  -- the cell lets out codes and names of constraints only
  when (new.failure !~ '^[0-9A-Za-z_]{1,63}$')
  execute function credit_rollout_control.keep_code();

alter function credit_rollout_control.seal_run(bigint) volatile;
alter function credit_rollout_control.seal_maintenance(bigint) volatile;
alter function credit_rollout_control.seal_cutover(text) volatile;
alter function credit_rollout_control.seal_reversal(bigint) volatile;
alter function credit_rollout_control.seal_cell_proposal(text, text, bigint, text) volatile;
do $$
declare
  found_function regprocedure;
begin
  for found_function in select p.oid from pg_proc p where p.pronamespace = 'credit_rollout_control'::regnamespace
      and p.proname in ('seal', 'seal_retention') loop
    execute format('alter function %s volatile', found_function);
  end loop;
end $$;
revoke all on function credit_rollout_control.keep_known_counts, credit_rollout_control.keep_code from public;`,
};
