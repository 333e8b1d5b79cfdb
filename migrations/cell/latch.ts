// Why: a sequence is not undone with its transaction, so nothing may set it before it is certain that the latch stands.
import type { Migration } from '../migration.js';

/**
 * Why: an UPDATE of the gate that a CHECK refused afterwards told every sign-up at repeatable read that the instant was
 * over. And two leaps of an epoch in control stopped every fence, since a cell followed one of them only.
 */
export const announceLatches: Migration = {
  name: '20261130033000_pre_announce_latches',
  up: `
create or replace function credit_rollout.keep_gate() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op <> 'UPDATE' then
    raise exception 'the gate is one row' using errcode = 'restrict_violation';
  end if;
  -- taken back by two people: only reverse_cutover writes that row, and in the same transaction
  if old.latched_at is not null and (new.armed_at, new.effective_at, new.latched_at, new.swept_at) is not distinct from
       (null::timestamptz, null::timestamptz, null::timestamptz, null::timestamptz)
     and exists (select from credit_rollout.reversals r where r.latched_at = old.latched_at
       and (r.to_at, r.to_local) is not distinct from (new.configured_at, new.configured_local)) then
    return new;
  end if;
  if old.effective_at is null and new.effective_at is not null
     and exists (select from credit_rollout.reversals r
       where coalesce(new.configured_at, r.reversed_at) <= r.reversed_at) then
    raise exception 'this cut-over was reversed' using errcode = 'restrict_violation';
  end if;
  if old.latched_at is not null and (
       new.configured_at, new.configured_local, new.armed_at, new.effective_at, new.latched_at)
       is distinct from (old.configured_at, old.configured_local, old.armed_at, old.effective_at, old.latched_at)
     or old.swept_at is not null and new.swept_at is distinct from old.swept_at then
    raise exception 'a cut-over that has happened stays as it was' using errcode = 'restrict_violation';
  end if;
  if old.effective_at <= clock_timestamp() and new.effective_at is distinct from old.effective_at then
    raise exception 'the instant of the cut-over is over' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;

-- After every check of the row.
create function credit_rollout.announce_latch() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout.gate'::regclass then
    raise exception 'not for this table' using errcode = 'insufficient_privilege';
  end if;
  if new.effective_at > clock_timestamp() then
    raise exception 'the instant of the cut-over has not come' using errcode = 'restrict_violation';
  end if;
  -- not undone with the transaction, and need not be: the instant is over all the same
  perform setval('credit_rollout.gate_latches', 1);
  return null;
end $$;
create trigger gate_announce_latch after update on credit_rollout.gate for each row
  when (old.latched_at is null and new.latched_at is not null)
  execute function credit_rollout.announce_latch();

drop trigger fence_epoch_steps on credit_rollout.fence;
create trigger fence_epoch_steps before update on credit_rollout.fence for each row
  when (new.epoch > old.epoch + 1000000000000)
  execute function credit_rollout.check_epoch_step();

revoke all on function credit_rollout.announce_latch from public;`,
};
