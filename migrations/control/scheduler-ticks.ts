// Why: a scheduler whose ticks fail as a whole was shown as alive, and nobody was told that nothing moves.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';

/** Why: every command must see it, with its code and since when. Old schedulers write nothing here. */
export const recordSchedulerTicks: Migration = {
  name: '20261201120000_pre_record_scheduler_ticks',
  up: `
alter table credit_rollout_control.schedulers
  add tick_error text check (tick_error ~ '^[0-9A-Za-z_]{1,40}$'),
  add tick_error_since timestamptz;
comment on column credit_rollout_control.schedulers.tick_error is
  'error code of its last tick; null: it ended, or was the first';
comment on column credit_rollout_control.schedulers.tick_error_since is
  'since when its ticks have failed without one that ended in between';
create function credit_rollout_control.record_tick_error() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.tick_error_since := case
    when new.tick_error is null then null
    when tg_op = 'UPDATE' then coalesce(old.tick_error_since, clock_timestamp())
    else clock_timestamp() end;
  return new;
end $$;
create trigger schedulers_record_tick before insert or update on credit_rollout_control.schedulers
  for each row execute function credit_rollout_control.record_tick_error();
revoke all on function credit_rollout_control.record_tick_error from public;
${checkInstantsSql('credit_rollout_control', [])}`,
};
