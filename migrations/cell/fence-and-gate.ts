// Why: the fence and the gate are rows that decide for everybody. Who may move them, and which times they may have,
// must not be a matter of the program that writes them.
import type { Migration } from '../migration.js';

/**
 * Why: what opens the fence or moves the gate decides for everybody, and the times of the gate come from whoever writes
 * them. A worker closes its fence when a rule is broken, and never opens one.
 */
export const guardFenceAndGate: Migration = {
  name: '20261129010500_pre_guard_fence_and_gate',
  up: `
create function credit_rollout.check_fence_opens() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  -- whoever may give a fence its epoch may open it
  if not has_column_privilege(tg_relid, 'epoch', 'update') then
    raise exception 'this role closes the fence, and does not open it' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger fence_opened_by_fencer before update on credit_rollout.fence for each row
  when (new.state <> 'closed' and new.state is distinct from old.state or new.single_writes and not old.single_writes)
  execute function credit_rollout.check_fence_opens();

-- A cut-over begins neither in the past nor before its instant, and only under the exclusive lock. A clock may have
-- been set back by a moment between a statement and its trigger.
create function credit_rollout.check_gate_times() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  if (new.effective_at, new.latched_at) is distinct from (old.effective_at, old.latched_at)
     and not pg_try_advisory_xact_lock(1129467724, -1) then
    raise exception 'a sign-up holds the gate' using errcode = 'lock_not_available';
  end if;
  if new.effective_at is distinct from old.effective_at
       and new.effective_at < clock_timestamp() - interval '1 minute'
     or new.latched_at is distinct from old.latched_at and new.latched_at > clock_timestamp() + interval '1 second'
     or new.swept_at is distinct from old.swept_at
       and new.swept_at > greatest(clock_timestamp() + interval '1 second', new.latched_at) then
    raise exception 'the times of the gate are those of its clock' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger gate_times_checked before update on credit_rollout.gate for each row
  when ((new.effective_at, new.latched_at, new.swept_at) is distinct from
        (old.effective_at, old.latched_at, old.swept_at))
  execute function credit_rollout.check_gate_times();`,
};
