// Why: the source may be a view that takes long for one org, and the product's transaction must neither wait for it nor
// be cancelled by it. What is not cheap is only recorded there, and written by a worker at once.
import type { Migration } from '../migration.js';

/** Why: whatever cancels a statement of ours inside a sign-up, its record and the sign-up itself stay. */
export const writeSignUpsLater: Migration = {
  name: '20261129190100_pre_write_sign_ups_later',
  up: `
alter table credit_rollout.cell add one_org_ms real;
comment on column credit_rollout.cell.one_org_ms is
  'how long reading the source took for one org when init measured it, in ms; above 5, workers write sign-ups';

create table credit_rollout.pending_sign_ups (
  org_id credit_rollout.org_id primary key,
  noted_at timestamptz not null default clock_timestamp(),
  tries integer not null default 0
);
comment on table credit_rollout.pending_sign_ups is
  'sign-ups on credits whose allotment is not written yet; after five tries one is left to the sweep and the night';

-- Writes what the rule gave for a sign-up on credits. Never for an org that was retired: it gets its floor back by
-- night, and not a new allotment.
create function credit_rollout.insert_sign_up(terms jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into credit_rollout.allotments (org_id, edition, paid, agents, light_agents, negotiated_limit, base_credits,
      variable_credits, additional_credits, legacy_limit, floor, floor_edition, unpaid_since, grandfathered_credits,
      total_credits, concurrency_limit, winner, rate_card, origin)
    select d.org_id, d.edition, d.paid, d.agents, d.light_agents, d.negotiated_limit, d.base_credits,
      d.variable_credits, d.additional_credits, d.legacy_limit, d.floor, d.floor_edition, d.unpaid_since,
      d.grandfathered_credits, d.total_credits, d.concurrency_limit, d.winner, d.rate_card, 'signup'
    from jsonb_populate_record(null::credit_rollout.allotments, terms) d
    where exists (select from credit_rollout.sign_ups s cross join credit_rollout.gate g
        where s.org_id = d.org_id and s.decided_at >= g.effective_at)
      and not exists (select from credit_rollout.allotment_changes c
        where c.org_id = d.org_id and c.operation = 'delete')
    on conflict do nothing;
end $$;

create or replace function credit_rollout.grant_sign_up(org credit_rollout.org_id) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from credit_rollout.allotments a where a.org_id = org) then return; end if;
  perform credit_rollout.insert_sign_up(to_jsonb(d))
    from credit_rollout.decided_one(org, null) d where d.reason is null;
-- a time-out of the caller is not among the others, and would end its sign-up
exception when query_canceled or others then
  null;
end $$;

-- Notes a sign-up for the workers. Never raises.
create function credit_rollout.note_sign_up(org credit_rollout.org_id) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into credit_rollout.pending_sign_ups (org_id) values (org) on conflict do nothing;
exception when query_canceled or others then
  null;
end $$;

-- Records the model of a sign-up; the first record counts. recorded null: it could not be, or the org is none. Never
-- raises.
create function credit_rollout.record_sign_up(org credit_rollout.org_id, out recorded text, out answer text)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  at timestamptz;
begin
  -- twice: a time-out of the caller ends the first try, and comes no second time in the same statement
  for attempt in 1..2 loop
    begin
      select s.model into recorded from credit_rollout.sign_ups s where s.org_id = org;
      if recorded is null then
        -- an org that was decided before is no sign-up, and its floor must not become one's
        if exists (select from credit_rollout.allotments a where a.org_id = org) then
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
    end;
  end loop;
  if recorded is null and answer is null then
    select g.model into answer from credit_rollout.ask_gate() g;
  end if;
exception when query_canceled or others then
  null;
end $$;

create or replace function credit_rollout.onboard_org(org_id credit_rollout.org_id) returns text language plpgsql
  security definer set search_path = pg_catalog, pg_temp set lock_timeout = '250ms' set row_security = off
  set jit = off set max_parallel_workers_per_gather = 0 set plan_cache_mode = force_generic_plan as $$
declare
  recorded text; answer text;
begin
  select r.recorded, r.answer into recorded, answer from credit_rollout.record_sign_up(onboard_org.org_id) r;
  if recorded = 'credits' then
    -- apart, so that nothing which goes wrong here takes the record back
    begin
      if coalesce((select c.one_org_ms from credit_rollout.cell c), 0) <= 5 then
        perform credit_rollout.grant_sign_up(onboard_org.org_id);
      end if;
      if not exists (select from credit_rollout.allotments a where a.org_id = onboard_org.org_id) then
        perform credit_rollout.note_sign_up(onboard_org.org_id);
      end if;
    exception when query_canceled or others then
      null;
    end;
  end if;
  return coalesce(recorded, answer);
end $$;

-- Writes sign-ups that wait, for about a second at most, and returns how many were tried and are written: none unless
-- single writes are allowed. The lock of the fence comes first, as for every write.
create function credit_rollout.write_sign_ups(out tried integer, out written integer) language plpgsql
  security definer set search_path = pg_catalog, pg_temp set row_security = off
  set jit = off set max_parallel_workers_per_gather = 0 set plan_cache_mode = force_generic_plan as $$
declare
  waiting record;
  began constant timestamptz := clock_timestamp();
begin
  tried := 0;
  written := 0;
  perform pg_advisory_xact_lock_shared(1129467724, 0);
  if exists (select from credit_rollout.freezes z where z.lifted_at is null)
     or not exists (select from credit_rollout.fence f where f.state = 'closed' and f.single_writes
       and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)) then
    return;
  end if;
  for waiting in
    select p.org_id, p.tries from credit_rollout.pending_sign_ups p order by p.tries, p.noted_at
    limit 200 for update skip locked
  loop
    perform credit_rollout.grant_sign_up(waiting.org_id);
    tried := tried + 1;
    if exists (select from credit_rollout.allotments a where a.org_id = waiting.org_id) then
      written := written + 1;
      delete from credit_rollout.pending_sign_ups p where p.org_id = waiting.org_id;
    elsif waiting.tries >= 4 then
      delete from credit_rollout.pending_sign_ups p where p.org_id = waiting.org_id;
    else
      update credit_rollout.pending_sign_ups p set tries = p.tries + 1 where p.org_id = waiting.org_id;
    end if;
    exit when clock_timestamp() > began + interval '1 second';
  end loop;
end $$;

revoke all on function credit_rollout.insert_sign_up, credit_rollout.grant_sign_up, credit_rollout.note_sign_up,
  credit_rollout.record_sign_up, credit_rollout.write_sign_ups from public;`,
};
