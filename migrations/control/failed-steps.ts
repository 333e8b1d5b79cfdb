// Why: a step that fails at every tick was known to the log alone, and the data center looked as if it were at work.
import type { Migration } from '../migration.js';

/** Why: every scheduler and every command must see the same. A row goes when its step is done or no longer due. */
export const recordFailedSteps: Migration = {
  name: '20261129180100_pre_record_failed_steps',
  up: `
create table credit_rollout_control.failed_steps (
  data_center text not null references credit_rollout_control.data_centers on delete cascade,
  step text not null check (step ~ '^[a-z_]{1,40}$'),
  code text not null check (code ~ '^[0-9A-Za-z_]{1,40}$'),
  object text check (length(object) <= 200),
  times integer not null default 1,
  since timestamptz not null default clock_timestamp(),
  primary key (data_center, step)
);
comment on table credit_rollout_control.failed_steps is
  'steps of schedulers that failed the last time they were tried: code, and the object of the catalog that was named';

-- How often in a row, and since when; another code begins anew.
create function credit_rollout_control.count_failed_step() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'UPDATE' and new.code = old.code then
    new.times := least(old.times, 1000000) + 1;
    new.since := old.since;
  else
    new.times := 1;
    new.since := clock_timestamp();
  end if;
  return new;
end $$;
create trigger failed_steps_count before insert or update on credit_rollout_control.failed_steps
  for each row execute function credit_rollout_control.count_failed_step();
revoke all on function credit_rollout_control.count_failed_step from public;`,
};
