// Why: a scheduler runs an undo that somebody asked for, and no other; a cell runs the one that control says it may.
import { checkInstantsSql } from '../instants.js';
import type { Migration } from '../migration.js';
import { checkTextsSql } from '../texts.js';
import { CONTROL_LIMITS } from './texts.js';

/**
 * Why: the request is written once its cell has accepted the undo; where paid orgs fall, that took the seal of a second
 * person's approval (`cell_proposals`). Old schedulers know neither request nor stage, and leave both alone.
 */
export const createUndoRequests: Migration = {
  name: '20261204070000_pre_create_undo_requests',
  up: `
create table credit_rollout_control.undo_requests (
  request_id bigint generated always as identity primary key,
  data_center text not null references credit_rollout_control.data_centers,
  undo_id bigint not null check (undo_id > 0),
  digest text not null check (digest ~ '^[0-9a-f]{64}$'),
  reason text not null check (reason <> ''),
  requested_by text not null,
  requested_at timestamptz not null,
  run_id bigint references credit_rollout_control.runs,
  ended_at timestamptz
);
comment on table credit_rollout_control.undo_requests is
  'undos that are to be run: the number and digest of a plan that its cell has accepted; kept for ever';
comment on column credit_rollout_control.undo_requests.run_id is
  'the run that carries it out; null: none yet, or it never began';
create unique index undo_requests_open_idx on credit_rollout_control.undo_requests (data_center) where ended_at is null;

create function credit_rollout_control.sign_undo_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.requested_by := credit_rollout_control.person();
  new.requested_at := clock_timestamp();
  new.run_id := null;
  new.ended_at := null;
  return new;
end $$;
create trigger undo_requests_signed before insert on credit_rollout_control.undo_requests
  for each row execute function credit_rollout_control.sign_undo_request();

-- It is given to one run of its data center, and ends once.
create function credit_rollout_control.keep_undo_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if old.ended_at is not null or old.run_id is not null and new.run_id is distinct from old.run_id
     or (new.request_id, new.data_center, new.undo_id, new.digest, new.reason, new.requested_by, new.requested_at)
       is distinct from
        (old.request_id, old.data_center, old.undo_id, old.digest, old.reason, old.requested_by, old.requested_at)
     or new.run_id is not null and not exists (select from credit_rollout_control.runs r
       where r.run_id = new.run_id and r.data_center = new.data_center and r.kind = 'undo')
     or new.ended_at is not null and exists (select from credit_rollout_control.runs r
       where r.run_id = new.run_id and r.state = 'open') then
    raise exception 'an undo is run once' using errcode = 'restrict_violation';
  end if;
  if new.ended_at is not null then new.ended_at := clock_timestamp(); end if;
  return new;
end $$;
create trigger undo_requests_kept before update on credit_rollout_control.undo_requests
  for each row execute function credit_rollout_control.keep_undo_request();
create trigger undo_requests_refuse_delete before delete or truncate on credit_rollout_control.undo_requests
  for each statement execute function credit_rollout_control.refuse_change();
create trigger undo_requests_read_committed before insert or update or delete on credit_rollout_control.undo_requests
  for each statement execute function credit_rollout_control.require_read_committed();
create trigger undo_requests_of_member after insert on credit_rollout_control.undo_requests
  for each row execute function credit_rollout_control.refuse_removed();

-- A data center is undone by an open run that carries out its request.
create function credit_rollout_control.require_undo_request() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from credit_rollout_control.undo_requests q
      join credit_rollout_control.runs r on r.run_id = q.run_id
      where q.data_center = new.id and q.run_id = new.run_id and q.ended_at is null
        and r.state = 'open' and r.kind = 'undo') then
    raise exception 'nobody asked for this undo' using errcode = 'restrict_violation',
      constraint = 'data_centers_undo_requested_check';
  end if;
  return new;
end $$;
create trigger data_centers_require_undo before update on credit_rollout_control.data_centers for each row
  when (new.stage = 'undoing' and old.stage is distinct from 'undoing')
  execute function credit_rollout_control.require_undo_request();

-- Who asked for the undo asked for its run; and with the run the request ends.
create or replace function credit_rollout_control.sign_run() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.requested_by := case new.kind
    when 'migrate' then (select d.requested_by from credit_rollout_control.data_centers d where d.id = new.data_center)
    when 'undo' then (select q.requested_by from credit_rollout_control.undo_requests q
      where q.data_center = new.data_center and q.ended_at is null and q.run_id is null)
    else (select q.requested_by from credit_rollout_control.reconcile_requests q
      where q.data_center = new.data_center and q.ended_at is null and q.requested_by = new.requested_by limit 1) end;
  new.opened_at := clock_timestamp();
  return new;
end $$;
create function credit_rollout_control.end_undo_request() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid = 'credit_rollout_control.runs'::regclass then
    update credit_rollout_control.undo_requests q set ended_at = clock_timestamp()
      where q.run_id = new.run_id and q.ended_at is null;
  end if;
  return null;
end $$;
create trigger runs_end_undo_request after update on credit_rollout_control.runs for each row
  when (new.kind = 'undo' and old.state = 'open' and new.state <> 'open')
  execute function credit_rollout_control.end_undo_request();

-- Null: no run of an undo is open in a data center that is being undone.
create function credit_rollout_control.seal_undo(run bigint) returns jsonb language sql volatile
  security definer set search_path = pg_catalog, pg_temp as $$
  select credit_rollout_control.seal(q.data_center, 'undo_run', jsonb_build_object(
    'run_id', r.run_id, 'undo_id', q.undo_id, 'digest', q.digest, 'batch_size', d.plan -> 'batchSize',
    'lanes', d.plan -> 'lanes', 'checks', credit_rollout_control.checks_of(d.id)))
  from credit_rollout_control.runs r
  join credit_rollout_control.undo_requests q on q.run_id = r.run_id and q.data_center = r.data_center
  join credit_rollout_control.data_centers d on d.id = r.data_center
  where r.run_id = run and r.kind = 'undo' and r.state = 'open' and q.ended_at is null
    and d.run_id = run and d.stage = 'undoing'
    and credit_rollout_control.is_committed(r.xmin) and credit_rollout_control.is_committed(d.xmin)
    and credit_rollout_control.are_checks_committed(d.id)
$$;
revoke all on function credit_rollout_control.sign_undo_request, credit_rollout_control.keep_undo_request,
  credit_rollout_control.require_undo_request, credit_rollout_control.end_undo_request,
  credit_rollout_control.seal_undo from public;

${checkInstantsSql('credit_rollout_control', [])}
${checkTextsSql('credit_rollout_control', CONTROL_LIMITS)}`,
};
