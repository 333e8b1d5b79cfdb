// Why: names and functions of ours must mean the same for every caller. A temporary type, an operator in `public` or a
// trigger function on somebody else's table must not change what the schema decides or records.
import { bindNamesSql, type Migration, randomPads } from '../migration.js';

/**
 * Why: a plpgsql function without a search path of its own finds names through the caller's, where `pg_temp` comes
 * first. SQL functions keep their parsed body instead (BEGIN ATOMIC), since a search path of their own would keep them
 * from being inlined.
 */
export const bindNames: Migration = {
  name: '20261129010000_pre_bind_names',
  up: `${bindNamesSql('credit_rollout')}

create or replace function credit_rollout.planned(plan bigint, range_number integer default null)
returns table (range_no integer, org_id credit_rollout.org_id, edition text, paid boolean, agents bigint,
  light_agents bigint, additional_credits bigint, negotiated_limit bigint, total_credits bigint, winner text,
  movement text)
language sql stable rows 10000 begin atomic
select g.range_no, u.org_id, g.edition, g.paid,
  coalesce(u.agents, (g.wide -> u.org_id::text ->> 0)::bigint),
  case when g.light_agents is null then 0 else coalesce(u.light_agents, (g.wide -> u.org_id::text ->> 1)::bigint) end,
  coalesce(u.additional_credits, 0), u.negotiated_limit, u.total_credits, g.winner, g.movement
from credit_rollout.plan_groups g
cross join lateral unnest(g.org_ids, g.agents, g.light_agents, g.additional_credits, g.negotiated_limits,
  g.total_credits) as u (org_id, agents, light_agents, additional_credits, negotiated_limit, total_credits)
where g.plan_id = plan and (range_number is null or g.range_no = range_number);
end;

create or replace function credit_rollout.digest_sums(card text, source text, orgs bigint, touched bigint,
  credits numeric, hashes numeric)
returns text language sql immutable begin atomic
select encode(sha256(convert_to(
  concat_ws(chr(10), 'credit-rollout plan 1', card, source, orgs, touched, credits, hashes), 'UTF8')), 'hex');
end;

create or replace function credit_rollout.digest_plan(plan bigint, card text, source text) returns text
language sql stable begin atomic
select credit_rollout.digest_sums(card, source, coalesce(sum(r.orgs), 0), coalesce(sum(r.touched), 0),
  coalesce(sum(r.touched_credits), 0), coalesce(sum(r.digest), 0))
from credit_rollout.plan_ranges r where r.plan_id = plan;
end;`,
};

/**
 * Why: the answer of the gate is kept for its transaction in a setting that the product's session can write. With a
 * mark that only the schema's owner can make, a forged answer is none.
 */
export const sealGateAnswers: Migration = {
  name: '20261129010100_pre_seal_gate_answers',
  up: `
create table credit_rollout.gate_secret (
  only_row boolean primary key default true check (only_row),
  inner_pad bytea not null check (length(inner_pad) = 64),
  outer_pad bytea not null check (length(outer_pad) = 64)
);
comment on table credit_rollout.gate_secret is
  'marks the answers of the gate as its own: the two pads of HMAC-SHA256 over a random key. Only the owner reads it.';
do $$
declare
  ${randomPads.declare}
begin
  ${randomPads.fill}
  insert into credit_rollout.gate_secret (inner_pad, outer_pad) values (inner_pad, outer_pad);
end $$;

-- HMAC-SHA256 of an answer, in hex.
create function credit_rollout.mark_gate_answer(answer text) returns text language sql stable begin atomic
select encode(sha256(s.outer_pad || sha256(s.inner_pad || convert_to(answer, 'UTF8'))), 'hex')
from credit_rollout.gate_secret s;
end;
revoke all on function credit_rollout.mark_gate_answer from public;

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
end $$;`,
};

/**
 * Why: the cause of a change is a setting of whoever writes. A floor may fall only to what the rule gives for the org
 * in that moment, or to what an override that is being applied says. Writes need open work, except by the schema's
 * owner.
 */
export const guardFloors: Migration = {
  name: '20261129010200_pre_guard_floors',
  up: `
create or replace function credit_rollout.record_allotment_change() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  cause text := coalesce(nullif(current_setting('credit_rollout.cause', true), ''), 'manual edit');
begin
  if tg_relid <> 'credit_rollout.allotments'::regclass then
    raise exception 'this function belongs to the triggers of allotments'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  if tg_op = 'UPDATE' then
    if new.org_id is distinct from old.org_id then
      raise exception 'an allotment keeps its org' using errcode = 'restrict_violation';
    end if;
    if old.floor is not null and (new.floor is null or new.floor < old.floor)
         and cause not in ('edition', 'lapse', 'override')
       or (old.floor is not null
             and (new.floor is null or new.floor < old.floor or new.floor_edition <> old.floor_edition)
           or new.unpaid_since is distinct from case when not new.paid then coalesce(old.unpaid_since, (
             select (now() at time zone c.zone)::date from credit_rollout.cell c)) end
             and new.unpaid_since is distinct from old.unpaid_since)
          and not (case cause
            when 'override' then exists (select from credit_rollout.overrides o
              where o.org_id = old.org_id and o.state = 'proposed' and o.before is not null
                and o.floor is not distinct from new.floor)
            else exists (select from credit_rollout.decided(null, null, array[old.org_id], null) d
              where d.reason is null and d.floor is not distinct from new.floor
                and d.floor_edition is not distinct from new.floor_edition
                and d.unpaid_since is not distinct from new.unpaid_since) end) then
      raise exception 'a floor falls only with a named cause, and to what the rule gives'
        using errcode = 'restrict_violation', constraint = 'allotments_floor_falls_only_with_cause';
    end if;
    new.version := old.version + 1;
  end if;
  insert into credit_rollout.allotment_changes (org_id, operation, cause, run_id, rate_card, version, before)
  values (old.org_id, lower(tg_op), cause,
          nullif(current_setting('credit_rollout.run_id', true), '')::bigint, old.rate_card, old.version,
          to_jsonb(old));
  return case when tg_op = 'DELETE' then old else new end;
end $$;

-- Batches need an open fence, the change feed its single writes, an override its proposal. The owner's functions and
-- the owner decide for themselves. The lock comes first, as in every batch: a snapshot that is older than the wait for
-- it, or than this statement, would show a fence that was open once.
create function credit_rollout.require_open_work() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return null; end if;
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'allotments are written at read committed' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  perform pg_advisory_xact_lock_shared(1129467724, 0);
  if exists (select from credit_rollout.freezes z where z.lifted_at is null)
     or not exists (select from credit_rollout.fence f join credit_rollout.runs r using (run_id)
          where f.state = 'open' and r.state = 'open')
       and not exists (select from credit_rollout.fence f where f.single_writes)
       and not (tg_op = 'UPDATE' and exists (
         select from credit_rollout.overrides o where o.state = 'proposed' and o.before is not null)) then
    raise exception 'no run is open here that may write allotments' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  return null;
end $$;
create trigger allotments_require_open_work before insert or update or delete on credit_rollout.allotments
  for each statement execute function credit_rollout.require_open_work();`,
};

/**
 * Why: a card is named by the hash of its rates, and plans and approvals name that hash. Whoever may add a card must
 * not add other numbers under its name. The canonical text is that of domain/rate-card/hash-rate-card.ts; a test
 * compares them.
 */
export const checkRates: Migration = {
  name: '20261129010300_pre_check_rates',
  up: `
-- The UTF-16 code units of a text in hex, by which the canonical text sorts editions.
create function credit_rollout.code_units(name text) returns text language sql immutable
  set search_path = pg_catalog, pg_temp begin atomic
select string_agg(case when c.point < 65536 then lpad(to_hex(c.point), 4, '0')
  else to_hex(55296 + ((c.point - 65536) >> 10)) || to_hex(56320 + ((c.point - 65536) & 1023)) end, '' order by c.place)
from (select ascii(q.letter) as point, q.place from regexp_split_to_table(name, '') with ordinality q (letter, place)) c;
end;

create function credit_rollout.check_rates() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if exists (
    select from (select distinct a.card_hash from added a) t
    join credit_rollout.rate_cards c on c.card_hash = t.card_hash
    cross join lateral (
      select string_agg('[' || concat_ws(',', to_json(r.edition)::text, '"' || r.base || '"', '"' || r.per_agent || '"',
          '"' || r.concurrency || '"', case when r.legacy_flat is not null then '"flat","' || r.legacy_flat || '"'
            else '"perUser","' || r.legacy_per_user || '","' || r.legacy_min || '","' || r.legacy_max || '"' end) || ']',
          ',' order by credit_rollout.code_units(r.edition) collate "C") as editions,
        bool_and(r.edition_rank = r.rank and r.unpaid_base = u.base and r.unpaid_per_agent = u.per_agent
          and r.unpaid_concurrency = u.concurrency) as derived
      from (select x.*, dense_rank() over (order by x.base, x.per_agent) - 1 as rank
        from credit_rollout.rates x where x.card_hash = t.card_hash) r
      left join credit_rollout.rates u on u.card_hash = t.card_hash and u.edition = c.unpaid_edition) k
    where k.derived is not true or t.card_hash <> left(encode(sha256(convert_to('["rate-card-1",'
      || c.light_agents_count_as_users || ',' || to_json(c.unpaid_edition)::text || ',[' || k.editions || ']]', 'UTF8')),
      'hex'), 16)
  ) then
    raise exception 'the rates are not those of the card that they name'
      using errcode = 'check_violation', constraint = 'rates_hash_check';
  end if;
  return null;
end $$;
create trigger rates_check_hash after insert on credit_rollout.rates referencing new table as added
  for each statement execute function credit_rollout.check_rates();`,
};

/** Why: a process that runs as a superuser or an owner is stopped by nothing of all this, and somebody must see it. */
export const recordWorkerLogins: Migration = {
  name: '20261129010400_pre_record_worker_logins',
  up: `
alter table credit_rollout.workers add login text, add powers text[] not null default '{}';
comment on column credit_rollout.workers.login is 'the login of the process, as this database authenticated it';
comment on column credit_rollout.workers.powers is
  'what the login may do beyond a worker: superuser, createrole, owner, or other roles of the cell';

create function credit_rollout.record_worker_login() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.login := session_user;
  select case when r.rolsuper then '{superuser}'::text[] else array(
      select p.power from (values
        ('createrole', r.rolcreaterole),
        ('owner', pg_has_role(r.oid, (select t.relowner from pg_class t where t.oid = tg_relid), 'member')),
        ('fencer', pg_has_role(r.oid, to_regrole(c.prefix || 'fencer'), 'member')),
        ('operator', pg_has_role(r.oid, to_regrole(c.prefix || 'operator'), 'member')),
        ('reader', pg_has_role(r.oid, to_regrole(c.prefix || 'reader'), 'member'))) p (power, held)
      where p.held) end
    into new.powers
    from pg_roles r cross join (
      select 'credit_rollout_' || replace(x.data_center, '-', '_') || '_' as prefix from credit_rollout.cell x) c
    where r.rolname = session_user;
  return new;
end $$;
create trigger workers_record_login before insert or update on credit_rollout.workers
  for each row execute function credit_rollout.record_worker_login();`,
};
