// Why: a scheduler that cannot use its queue goes on by its own polls, so every step comes seconds later; only its own
// terminal knew.
import type { Migration } from '../migration.js';

/** Why: every command must see it, with its code and since when. Old schedulers write nothing here. */
export const recordSchedulerQueues: Migration = {
  name: '20261130031100_pre_record_scheduler_queues',
  up: `
alter table credit_rollout_control.schedulers
  add queue_error text check (queue_error ~ '^[0-9A-Za-z_]{1,40}$'),
  add queue_error_since timestamptz;
comment on column credit_rollout_control.schedulers.queue_error is
  'error code of its last use of the queue; null: it succeeded, or was not tried yet';
comment on column credit_rollout_control.schedulers.queue_error_since is
  'since when its queue has failed without a success in between';
create function credit_rollout_control.record_queue_error() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.queue_error_since := case
    when new.queue_error is null then null
    when tg_op = 'UPDATE' then coalesce(old.queue_error_since, clock_timestamp())
    else clock_timestamp() end;
  return new;
end $$;
create trigger schedulers_record_queue before insert or update on credit_rollout_control.schedulers
  for each row execute function credit_rollout_control.record_queue_error();
revoke all on function credit_rollout_control.record_queue_error from public;`,
};
