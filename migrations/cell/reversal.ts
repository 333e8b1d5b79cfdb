// Why: only two people can reverse a cut-over, as a whole and with a record. What was decided while it was in effect stays.
import type { Migration } from '../migration.js';

export const createCellReversals: Migration = {
  name: '20261123060000_pre_create_reversals',
  up: `
create table credit_rollout.reversals (
  reversal_id bigint primary key,
  configured_at timestamptz,
  configured_local text,
  armed_at timestamptz not null,
  effective_at timestamptz not null,
  latched_at timestamptz not null unique,
  swept_at timestamptz,
  reversed_at timestamptz not null,
  to_at timestamptz not null,
  to_local text not null,
  author text not null,
  approver text not null,
  constraint reversals_two_people_check check (author <> approver),
  constraint reversals_future_check check (to_at > reversed_at)
);
comment on table credit_rollout.reversals is
  'cut-overs that were taken back: from effective_at until reversed_at sign-ups were decided by that line, and stay so';
create trigger reversals_append_only before update or delete or truncate on credit_rollout.reversals
  for each statement execute function credit_rollout.refuse_change();

-- False: this reversal was carried out before. keep_gate lets a latch go only together with the row that is written here.
create function credit_rollout.reverse_cutover(reversal bigint, new_at timestamptz, new_local text, proposed_by text, approved_by text)
returns boolean language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  gate credit_rollout.gate;
begin
  if exists (select from credit_rollout.reversals r where r.reversal_id = reversal) then return false; end if;
  if not pg_try_advisory_xact_lock(1129467724, -1) then
    raise exception 'a sign-up holds the gate' using errcode = 'lock_not_available';
  end if;
  if exists (select from credit_rollout.fence f where f.state <> 'closed') then
    raise exception 'batches are being written' using errcode = 'object_in_use';
  end if;
  select * into strict gate from credit_rollout.gate for update;
  if gate.latched_at is null then
    raise exception 'the gate is not latched' using errcode = 'object_not_in_prerequisite_state';
  end if;
  insert into credit_rollout.reversals (reversal_id, configured_at, configured_local, armed_at, effective_at, latched_at,
      swept_at, reversed_at, to_at, to_local, author, approver)
    values (reversal, gate.configured_at, gate.configured_local, gate.armed_at, gate.effective_at, gate.latched_at,
      gate.swept_at, clock_timestamp(), new_at, new_local, proposed_by, approved_by);
  update credit_rollout.gate set configured_at = new_at, configured_local = new_local, armed_at = null, effective_at = null,
    latched_at = null, swept_at = null;
  -- last, for it is not undone with the transaction
  perform setval('credit_rollout.gate_latches', 0);
  return true;
end $$;
revoke all on function credit_rollout.reverse_cutover from public;`,
};
