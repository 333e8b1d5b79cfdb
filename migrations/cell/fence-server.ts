// Why: an older copy of a cell that is put back has the fence as it was, perhaps open, on the same timeline. Workers,
// who do not know control, would go on where it was, while another data center is rolled out.
import type { Migration } from '../migration.js';

/** Why: a fence is open on the server that it was opened on, until that one ends. Old code never reads it. */
export const bindFenceToServer: Migration = {
  name: '20261130031000_pre_bind_fence_to_server',
  up: `
alter table credit_rollout.fence add column server_started_at timestamptz;
comment on column credit_rollout.fence.server_started_at is
  'when the server that it was opened on had started: on any other it is not open';
create function credit_rollout.record_fence_server() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.server_started_at := pg_postmaster_start_time();
  return new;
end $$;
create trigger fence_records_server before update on credit_rollout.fence for each row
  when (new.state <> 'closed' and (new.epoch <> old.epoch or old.state = 'closed'))
  execute function credit_rollout.record_fence_server();
revoke all on function credit_rollout.record_fence_server from public;`,
};
