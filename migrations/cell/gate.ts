// Why: sign-ups must switch at one instant, by the cell's clock, in the product's own transaction, and must never fail because
// of us. An answer of the gate never changes.
import type { Migration } from '../migration.js';

/** Why: a cut-over happens once. Until then its instant may move; after that, only a reversal undoes it. */
export const guardGate: Migration = {
  name: '20261123050000_pre_guard_gate',
  up: `
alter table credit_rollout.gate
  add constraint gate_armed_check check ((armed_at is null) = (effective_at is null)),
  add constraint gate_early_check check (effective_at >= armed_at and (configured_at is null or effective_at >= configured_at)),
  add constraint gate_latched_check check (latched_at is null or (effective_at is not null and latched_at >= effective_at)),
  add constraint gate_swept_check check (swept_at is null or (latched_at is not null and swept_at >= latched_at));
comment on table credit_rollout.gate is
  'the cut-over of this data center: armed, latched, swept. Only ever changed under the exclusive gate lock.';
comment on column credit_rollout.gate.effective_at is 'the later of the configured instant and the moment of arming; null: not armed';

-- Read without a snapshot: a transaction at repeatable read learns from it that the instant is over.
create sequence credit_rollout.gate_latches minvalue 0 start 0;

create function credit_rollout.keep_gate() returns trigger language plpgsql
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
     and exists (select from credit_rollout.reversals r where coalesce(new.configured_at, r.reversed_at) <= r.reversed_at) then
    raise exception 'this cut-over was reversed' using errcode = 'restrict_violation';
  end if;
  if old.latched_at is not null and (new.configured_at, new.configured_local, new.armed_at, new.effective_at, new.latched_at)
       is distinct from (old.configured_at, old.configured_local, old.armed_at, old.effective_at, old.latched_at)
     or old.swept_at is not null and new.swept_at is distinct from old.swept_at then
    raise exception 'a cut-over that has happened stays as it was' using errcode = 'restrict_violation';
  end if;
  if old.effective_at <= clock_timestamp() and new.effective_at is distinct from old.effective_at then
    raise exception 'the instant of the cut-over is over' using errcode = 'restrict_violation';
  end if;
  if old.latched_at is null and new.latched_at is not null then
    -- not undone with the transaction, and need not be: the instant is over all the same
    perform setval('credit_rollout.gate_latches', 1);
  end if;
  return new;
end $$;
create trigger gate_one_way before update or insert or delete on credit_rollout.gate
  for each row execute function credit_rollout.keep_gate();
create trigger gate_refuse_truncate before truncate on credit_rollout.gate
  for each statement execute function credit_rollout.refuse_change();

create trigger sign_ups_append_only before update or delete or truncate on credit_rollout.sign_ups
  for each statement execute function credit_rollout.refuse_change();
comment on table credit_rollout.sign_ups is 'what the gate answered, by org: decided once';`,
};

/**
 * `ask_gate` was replaced later: guards.ts, sealGateAnswers.
 *
 * Why: the answer, its record and the allotment must be in the sign-up's transaction. The functions call the rule by name
 * (dynamic SQL), so that they stay valid when detach and init drop and create it again.
 */
export const createSignUpFunctions: Migration = {
  name: '20261123050100_pre_create_sign_up_functions',
  up: `
-- The answer of the gate for this transaction: the first one stands. Never raises. decided_at null: not to be recorded.
create function credit_rollout.ask_gate(out model text, out decided_at timestamptz) language plpgsql as $$
declare
  stamp text := pg_backend_pid() || '/' || extract(epoch from now());
  known text := current_setting('credit_rollout.gate_answer', true);
  old_snapshot boolean := current_setting('transaction_isolation') not in ('read committed', 'read uncommitted');
  locked boolean; over boolean; seen record; asked timestamptz;
begin
  if split_part(known, '|', 1) = stamp then
    model := split_part(known, '|', 2);
    decided_at := nullif(split_part(known, '|', 3), '');
    return;
  end if;
  begin
    locked := pg_try_advisory_xact_lock_shared(1129467724, -1);
    if not locked then locked := credit_rollout.wait_for_gate(); end if;
    -- in a statement after the lock, and the clock after it too: it can be neither armed nor latched from here on
    select g.effective_at, g.latched_at into strict seen from credit_rollout.gate g;
    asked := clock_timestamp();
    over := seen.latched_at is not null or coalesce(seen.effective_at <= asked, false);
    if not over and old_snapshot then
      select l.last_value > 0 into over from credit_rollout.gate_latches l;
    end if;
    model := case when over then 'credits' else 'legacy' end;
    -- never inside a line that was reversed: a transaction may have begun before, and clocks go back
    decided_at := greatest((select max(r.reversed_at) from credit_rollout.reversals r where not over), case
      -- the clock may have been set back since the latch
      when over then greatest(asked, seen.effective_at)
      -- it was armed after the snapshot if at all
      when old_snapshot then now()
      -- whoever holds the lock may have armed it: that transaction is cut off long before 10 s are over
      when not locked then now() - interval '10 seconds'
      else asked end);
  exception when others then
    begin
      select case when l.last_value > 0 then 'credits' else 'legacy' end into strict model from credit_rollout.gate_latches l;
    exception when others then
      model := 'legacy';
    end;
    decided_at := null;
  end;
  perform set_config('credit_rollout.gate_answer', concat_ws('|', stamp, model, coalesce(to_json(decided_at) #>> '{}', '')), true);
end $$;

-- False when the lock is not had in time: 250 ms, and no more than half of what the caller's statement may take.
create function credit_rollout.wait_for_gate() returns boolean language plpgsql as $$
begin
  perform set_config('lock_timeout', greatest(1, least(250, nullif(s.setting::bigint, 0) / 2))::text, true)
    from pg_settings s where s.name = 'statement_timeout';
  perform pg_advisory_xact_lock_shared(1129467724, -1);
  return true;
exception when others then
  return false;
end $$;

create function credit_rollout.signup_model() returns text language plpgsql
  security definer set search_path = pg_catalog, pg_temp set lock_timeout = '250ms' as $$
begin
  return (select g.model from credit_rollout.ask_gate() g);
end $$;
comment on function credit_rollout.signup_model is
  'the model of a sign-up in this transaction, before its org exists: credits or legacy. Records nothing; never fails.';

create function credit_rollout.onboard_org(org_id credit_rollout.org_id) returns text language plpgsql
  security definer set search_path = pg_catalog, pg_temp set lock_timeout = '250ms' set row_security = off
  set jit = off set max_parallel_workers_per_gather = 0 set plan_cache_mode = force_custom_plan as $$
declare
  recorded text; answer text; at timestamptz;
begin
  select s.model into recorded from credit_rollout.sign_ups s where s.org_id = onboard_org.org_id;
  if recorded is null then
    -- an org that was decided before is no sign-up, and its floor must not become one's
    if exists (select from credit_rollout.allotments a where a.org_id = onboard_org.org_id) then return 'credits'; end if;
    select g.model, g.decided_at into answer, at from credit_rollout.ask_gate() g;
    if at is null then return answer; end if;
    insert into credit_rollout.sign_ups (org_id, model, decided_at) values (onboard_org.org_id, answer, at) on conflict do nothing;
    if found then
      recorded := answer;
    else
      select s.model into recorded from credit_rollout.sign_ups s where s.org_id = onboard_org.org_id;
    end if;
  end if;
  if recorded = 'credits' then perform credit_rollout.grant_sign_up(onboard_org.org_id); end if;
  return coalesce(recorded, answer);
exception when others then
  -- what could not be recorded is left to the sweep
  return coalesce(recorded, answer, (select g.model from credit_rollout.ask_gate() g));
end $$;
comment on function credit_rollout.onboard_org is
  'for the sign-up''s transaction, after the org was inserted: its model, recorded once, and its allotment when credits; never fails.';

-- The allotment of a sign-up on credits. An org that was retired gets its floor back by night, not a new allotment; and a
-- snapshot that does not know the instant would give it a floor. Where it cannot be written, the sweep and the night do.
create function credit_rollout.grant_sign_up(org credit_rollout.org_id) returns void language plpgsql as $$
begin
  if exists (select from credit_rollout.allotments a where a.org_id = org) then return; end if;
  insert into credit_rollout.allotments (org_id, edition, paid, agents, light_agents, negotiated_limit, base_credits,
      variable_credits, additional_credits, legacy_limit, floor, floor_edition, unpaid_since, grandfathered_credits,
      total_credits, concurrency_limit, winner, rate_card, origin)
    select d.org_id, d.edition, d.paid, d.agents, d.light_agents, d.negotiated_limit, d.base_credits,
      d.variable_credits, d.additional_credits, d.legacy_limit, d.floor, d.floor_edition, d.unpaid_since, d.grandfathered_credits,
      d.total_credits, d.concurrency_limit, d.winner, d.rate_card, 'signup'
    from credit_rollout.decided_first(null, null, array[org], null) d
    where d.reason is null
      and exists (select from credit_rollout.sign_ups s cross join credit_rollout.gate g
        where s.org_id = d.org_id and s.decided_at >= g.effective_at)
      and not exists (select from credit_rollout.allotment_changes c where c.org_id = d.org_id and c.operation = 'delete')
    on conflict do nothing;
exception when others then
  null;
end $$;

revoke all on function credit_rollout.ask_gate, credit_rollout.wait_for_gate, credit_rollout.signup_model,
  credit_rollout.onboard_org, credit_rollout.grant_sign_up from public;`,
};
