// Why: a pause that nobody ends lasts for ever, and a command that was chosen by what a screen showed may undo what
// somebody else has done since.
import type { Migration } from '../migration.js';

/**
 * Why: a pause may end by itself, and everybody sees who paused and why; lanes change while a rollout runs; each change
 * by a command counts a revision. Old code pauses without an end, and knows no revision and no other lanes.
 */
export const recordVerbs: Migration = {
  name: '20261201070000_pre_record_verbs',
  up: `
alter table credit_rollout_control.data_centers
  add revision bigint not null default 1,
  add paused_at timestamptz,
  add paused_by text,
  add pause_reason text,
  add paused_until timestamptz,
  add lanes smallint,
  add lanes_by text,
  add lanes_at timestamptz,
  add constraint data_centers_lanes_check check (lanes between 1 and 32),
  add constraint data_centers_paused_check check (
    intent = 'pause' or (paused_at is null and paused_by is null and pause_reason is null and paused_until is null));
comment on column credit_rollout_control.data_centers.revision is
  'grows with what a command changes, and when a request, a pause or a run ends; commands compare it';
comment on column credit_rollout_control.data_centers.paused_until is
  'when a scheduler resumes it; null: it is not paused, or a person resumes it';
comment on column credit_rollout_control.data_centers.lanes is
  'batches at once, as an operator set them; null: as its rollout was requested';
update credit_rollout_control.data_centers d set (paused_at, paused_by, pause_reason) = (
    select a.at, a.actor, a.reason from credit_rollout_control.audit a
    where a.data_center = d.id and a.action = 'pause' order by a.seq desc limit 1)
  where d.intent = 'pause';

-- Who paused and since when is what this database knows. Nothing pauses for longer than 30 days in advance.
create function credit_rollout_control.record_verb() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if new.intent <> 'pause' then
    new.paused_at := null; new.paused_by := null; new.pause_reason := null; new.paused_until := null;
  elsif old.intent = 'pause'
      and (new.paused_until, new.pause_reason) is not distinct from (old.paused_until, old.pause_reason) then
    new.paused_at := old.paused_at; new.paused_by := old.paused_by;
  else
    if new.paused_until is distinct from old.paused_until
       and new.paused_until > clock_timestamp() + interval '30 days 1 hour' then
      raise exception 'a pause ends within 30 days' using errcode = 'check_violation',
        constraint = 'data_centers_pause_length_check';
    end if;
    new.paused_at := case when old.intent = 'pause' then old.paused_at else clock_timestamp() end;
    new.paused_by := credit_rollout_control.person();
  end if;
  if new.removed_at is not null then new.lanes := null; end if;
  if new.lanes is distinct from old.lanes then
    new.lanes_at := clock_timestamp();
    new.lanes_by := credit_rollout_control.person();
  else
    new.lanes_at := old.lanes_at; new.lanes_by := old.lanes_by;
  end if;
  new.revision := old.revision + (
    (new.intent, new.requested_at, new.paused_by, new.pause_reason, new.paused_until, new.cutover_at,
      new.lanes)
      is distinct from
    (old.intent, old.requested_at, old.paused_by, old.pause_reason, old.paused_until, old.cutover_at,
      old.lanes)
    or new.stage <> old.stage and 'failed' in (new.stage, old.stage))::integer;
  return new;
end $$;
create trigger data_centers_record_verb before update on credit_rollout_control.data_centers
  for each row execute function credit_rollout_control.record_verb();
revoke all on function credit_rollout_control.record_verb from public;`,
};
