// Why: the product's transaction paid for the rule, and in a session's first sign-up for planning it, which took twenty
// times as long as its own insert. It only records now, in two narrow rows; a worker writes the allotment. Old code
// sees the same functions.
import type { Migration } from '../migration.js';

/**
 * Why: what a sign-up does is as short as it can be, and what is rare about it is another function, which is not even
 * read where nothing is rare. `org_capacity` answers by the record before the allotment is written.
 */
export const recordSignUpsOnly: Migration = {
  name: '20261203040000_pre_record_sign_ups_only',
  up: `
-- Records a sign-up where nothing is rare about it. Null: carefully, please. What it raises is not told to anybody, and
-- takes its locks back. Called by onboard_org, whose settings it has.
drop function credit_rollout.sign_up;
create function credit_rollout.sign_up(org credit_rollout.org_id) returns text language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  seen record; asked timestamptz; model text; known text;
begin
  -- an answer that was given before in this transaction stands
  if current_setting('transaction_isolation') <> 'read committed'
     or coalesce(current_setting('credit_rollout.gate_answer', true), '') <> ''
     or not pg_try_advisory_xact_lock_shared(1129467724, -1) then
    return null;
  end if;
  -- in a statement after the lock, and the clock after it too: it can be neither armed nor latched from here on
  select g.effective_at, g.latched_at,
      (select s.model from credit_rollout.sign_ups s where s.org_id = org) as recorded,
      exists (select from credit_rollout.allotments a where a.org_id = org) as held
    into strict seen from credit_rollout.gate g;
  asked := clock_timestamp();
  if seen.held or seen.recorded = 'legacy' then
    -- an org that was decided before is no sign-up, and its floor must not become one's
    return coalesce(seen.recorded, 'credits');
  end if;
  model := seen.recorded;
  if model is null then
    if seen.latched_at is not null then
      model := 'credits';
      -- the clock may have been set back since the latch
      asked := greatest(asked, seen.effective_at);
    elsif seen.effective_at <= asked then
      -- a latch waits for answers of legacy alone: the lock has to go
      raise exception 'credits' using errcode = 'CR001';
    else
      model := 'legacy';
      -- never inside a line that was reversed: clocks go back
      asked := greatest(asked, (select max(r.reversed_at) from credit_rollout.reversals r));
      known := concat_ws('|', pg_backend_pid() || '/' || extract(epoch from now()), model, to_json(asked) #>> '{}');
      perform set_config('credit_rollout.gate_answer', known || '|' || credit_rollout.mark_gate_answer(known), true);
    end if;
    insert into credit_rollout.sign_ups (org_id, model, decided_at) values (org, model, asked) on conflict do nothing;
    if not found then return null; end if;
  end if;
  if model = 'credits' then
    insert into credit_rollout.pending_sign_ups (org_id) values (org) on conflict do nothing;
  end if;
  return model;
end $$;

-- Records a sign-up whatever is locked, cancelled or missing.
create function credit_rollout.sign_up_carefully(org credit_rollout.org_id) returns text language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  recorded text; answer text; held boolean := false;
begin
  perform credit_rollout.limit_waits();
  select r.recorded, r.answer into recorded, answer from credit_rollout.record_sign_up(org) r;
  if recorded = 'credits' then
    -- apart, so that nothing which goes wrong here takes the record back, or the note
    begin
      held := exists (select from credit_rollout.allotments a where a.org_id = org);
    exception when query_canceled or assert_failure or others then
      perform set_config('lock_timeout', '10', true);
    end;
    if not held then perform credit_rollout.note_sign_up(org); end if;
  end if;
  return coalesce(recorded, answer, 'legacy');
end $$;

-- Short, since its own first lines are the only ones that a time-out of the caller can end; what it calls is read and
-- planned inside, and done once more then: in one statement such a time-out comes no second time.
create or replace function credit_rollout.onboard_org(org_id credit_rollout.org_id) returns text language plpgsql
  security definer set search_path = pg_catalog, pg_temp set lock_timeout = '10ms'
  set plan_cache_mode = force_generic_plan as $$
begin
  return coalesce(credit_rollout.sign_up(org_id), credit_rollout.sign_up_carefully(org_id));
exception when query_canceled or assert_failure or others then
  begin
    return credit_rollout.sign_up_carefully(org_id);
  exception when query_canceled or assert_failure or others then
    return 'legacy';
  end;
end $$;

-- it read the source, and belonged to the role that may do nothing else
do $$ begin
  execute format('alter function credit_rollout.onboard_org(credit_rollout.org_id) owner to %s',
    (select n.nspowner::regrole from pg_namespace n where n.nspname = 'credit_rollout'));
end $$;

drop function credit_rollout.grant_sign_up;
revoke all on function credit_rollout.sign_up, credit_rollout.sign_up_carefully from public;`,
};
