// Why: what we do in a sign-up must not end it, whatever its isolation level and its time-outs are, and must not let it
// wait where it need not. Old code sees the same functions.
import type { Migration } from '../migration.js';

/**
 * Why: a serializable sign-up that reads what another one writes can fail at its commit, where nothing can be caught.
 * And before the latch a sign-up on credits need not be waited for, so that a latch never has others wait behind it.
 */
export const limitSignUpWaits: Migration = {
  name: '20261130030000_pre_limit_sign_up_waits',
  up: `
-- The share of the caller's own time-outs that is over: 0 without any.
create function credit_rollout.spent_of_timeouts() returns real language sql volatile begin atomic
select greatest(0,
  extract(epoch from clock_timestamp() - statement_timestamp())
    / nullif(extract(epoch from current_setting('statement_timeout')::interval), 0),
  extract(epoch from clock_timestamp() - now())
    / nullif(extract(epoch from current_setting('transaction_timeout', true)::interval), 0))::real;
end;

-- Limits each wait of this transaction for a lock: to 250 ms, and half of what the caller's statement may take.
create function credit_rollout.limit_waits() returns void language sql volatile begin atomic
select set_config('lock_timeout', trunc(greatest(1, least(250, 500 * l.limit_s,
  750 * l.limit_s * (1 - credit_rollout.spent_of_timeouts()))))::text, true)
from (select least(nullif(extract(epoch from current_setting('statement_timeout')::interval), 0),
  nullif(extract(epoch from current_setting('transaction_timeout', true)::interval), 0)) as limit_s) l;
end;

-- False when the lock is not had in time.
create or replace function credit_rollout.wait_for_gate() returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  perform credit_rollout.limit_waits();
  perform pg_advisory_xact_lock_shared(1129467724, -1);
  return true;
exception when others then
  return false;
end $$;

-- The answer of the gate for this transaction: the first one stands. Raises nothing but what cancels the statement.
create or replace function credit_rollout.ask_gate(out model text, out decided_at timestamptz) language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  stamp text := pg_backend_pid() || '/' || extract(epoch from now());
  known text := current_setting('credit_rollout.gate_answer', true);
  old_snapshot boolean := current_setting('transaction_isolation') not in ('read committed', 'read uncommitted');
  locked boolean; over boolean; seen record; asked timestamptz;
begin
  begin
    if split_part(known, '|', 1) = stamp
       and split_part(known, '|', 4) = credit_rollout.mark_gate_answer(left(known, -65)) then
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
      -- a latch waits for answers of legacy alone: the lock goes, and a reversal comes only after a latch
      if over and seen.latched_at is null and not old_snapshot then
        raise exception 'credits' using errcode = 'CR001';
      end if;
    exception when sqlstate 'CR001' then
      null;
    end;
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
      select case when l.last_value > 0 then 'credits' else 'legacy' end into strict model
        from credit_rollout.gate_latches l;
    exception when others then
      model := 'legacy';
    end;
    decided_at := null;
  end;
  begin
    known := concat_ws('|', stamp, model, coalesce(to_json(decided_at) #>> '{}', ''));
    perform set_config('credit_rollout.gate_answer', known || '|' || credit_rollout.mark_gate_answer(known), true);
  exception when others then
    null;
  end;
end $$;

-- Records the model of a sign-up; the first record counts. recorded null: it could not be, or the org is none. Never
-- raises.
create or replace function credit_rollout.record_sign_up(org credit_rollout.org_id, out recorded text, out answer text)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  serial constant boolean := current_setting('transaction_isolation') = 'serializable';
  at timestamptz;
begin
  -- twice: a time-out of the caller ends the first try, and comes no second time in the same statement
  for attempt in 1..2 loop
    begin
      -- serializable: what others write is not read before it is written
      if not serial then
        select s.model into recorded from credit_rollout.sign_ups s where s.org_id = org;
      end if;
      if recorded is null then
        -- an org that was decided before is no sign-up, and its floor must not become one's
        if exists (select from credit_rollout.allotments a where a.org_id = org)
           and not (serial and exists (select from credit_rollout.sign_ups s where s.org_id = org)) then
          answer := 'credits';
          return;
        end if;
        select g.model, g.decided_at into answer, at from credit_rollout.ask_gate() g;
        if at is null then return; end if;
        insert into credit_rollout.sign_ups (org_id, model, decided_at) values (org, answer, at) on conflict do nothing;
        if found then
          recorded := answer;
        else
          select s.model into recorded from credit_rollout.sign_ups s where s.org_id = org;
        end if;
      end if;
      exit;
    exception when query_canceled or others then
      -- what cannot be recorded is left to the sweep
      recorded := null;
      perform set_config('lock_timeout', '10', true);
    end;
  end loop;
  if recorded is null and answer is null then
    begin
      select g.model into answer from credit_rollout.ask_gate() g;
    exception when query_canceled or others then
      select g.model into answer from credit_rollout.ask_gate() g;
    end;
  end if;
exception when query_canceled or others then
  null;
end $$;

-- Notes a sign-up for the workers. Never raises.
create or replace function credit_rollout.note_sign_up(org credit_rollout.org_id) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  for attempt in 1..2 loop
    begin
      insert into credit_rollout.pending_sign_ups (org_id) values (org) on conflict do nothing;
      exit;
    exception when query_canceled or others then
      perform set_config('lock_timeout', '50', true);
    end;
  end loop;
exception when query_canceled or others then
  null;
end $$;

-- Records a sign-up, and writes its allotment where that is cheap.
create function credit_rollout.sign_up(org credit_rollout.org_id) returns text language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  spent constant real := credit_rollout.spent_of_timeouts();
  recorded text; answer text; written boolean := false;
begin
  perform credit_rollout.limit_waits();
  select r.recorded, r.answer into recorded, answer from credit_rollout.record_sign_up(org) r;
  if recorded = 'credits' then
    -- apart, so that nothing which goes wrong here takes the record back, or the note
    begin
      if spent < 0.25 and current_setting('transaction_isolation') <> 'serializable'
         and coalesce((select c.one_org_ms from credit_rollout.cell c), 0) <= 5 then
        perform credit_rollout.grant_sign_up(org);
      end if;
      written := exists (select from credit_rollout.allotments a where a.org_id = org);
    exception when query_canceled or others then
      perform set_config('lock_timeout', '10', true);
    end;
    if not written then perform credit_rollout.note_sign_up(org); end if;
  end if;
  return coalesce(recorded, answer, 'legacy');
end $$;

-- Short, since its own first lines are the only ones that a time-out of the caller can end; what it calls is read and
-- planned inside, and done once more then: in one statement such a time-out comes no second time.
create or replace function credit_rollout.onboard_org(org_id credit_rollout.org_id) returns text language plpgsql
  security definer set search_path = pg_catalog, pg_temp set lock_timeout = '250ms' set row_security = off
  set jit = off set max_parallel_workers_per_gather = 0 set plan_cache_mode = force_generic_plan as $$
begin
  return credit_rollout.sign_up(org_id);
exception when query_canceled or others then
  begin
    return credit_rollout.sign_up(org_id);
  exception when query_canceled or others then
    return 'legacy';
  end;
end $$;

create or replace function credit_rollout.signup_model() returns text language plpgsql
  security definer set search_path = pg_catalog, pg_temp set lock_timeout = '250ms' as $$
begin
  for attempt in 1..2 loop
    begin
      return (select g.model from credit_rollout.ask_gate() g);
    exception when query_canceled or others then
      perform set_config('lock_timeout', '10', true);
    end;
  end loop;
  return (select case when l.last_value > 0 then 'credits' else 'legacy' end from credit_rollout.gate_latches l);
exception when query_canceled or others then
  return 'legacy';
end $$;

revoke all on function credit_rollout.spent_of_timeouts, credit_rollout.limit_waits, credit_rollout.sign_up
  from public;`,
};
