// Why: a sign-up that could not be written in five tries was forgotten: nothing counted it, nobody saw it, and where a
// night could not read its org either, nobody ever did.
import type { Migration } from '../migration.js';

/**
 * Why: it stays, with what it met, and is tried again every ten minutes until it is written, or its org is gone from
 * the source for a day. Old code calls the same function; what it counts as waiting includes these.
 */
export const keepGivenUpSignUps: Migration = {
  name: '20261203040100_pre_keep_given_up_sign_ups',
  up: `
alter table credit_rollout.pending_sign_ups add why text constraint pending_sign_ups_why_check
  check (why in ('undecidable', 'absent', 'left_to_night', 'unreadable', 'too_slow'));
comment on table credit_rollout.pending_sign_ups is
  'sign-ups on credits whose allotment is not written yet; after five tries one is tried every ten minutes';

create or replace function credit_rollout.write_sign_ups(out tried integer, out written integer, out read_ms real,
    out failure text) language plpgsql
  security definer set search_path = pg_catalog, pg_temp set row_security = off
  set jit = off set max_parallel_workers_per_gather = 0 set plan_cache_mode = force_generic_plan as $$
declare
  card constant text := (select c.active_card from credit_rollout.cell c);
  -- above 10 ms one key does not reach the inside of the view: many orgs take little longer than one
  list_size constant integer :=
    case when coalesce((select c.one_org_ms from credit_rollout.cell c), 0) > 10 then 1000 else 1 end;
  began constant timestamptz := clock_timestamp();
  part record; since timestamptz; one jsonb; found jsonb[]; named credit_rollout.org_id[]; terms jsonb[] := '{}';
  asked credit_rollout.org_id[] := '{}'; split credit_rollout.org_id[] := '{}'; slow credit_rollout.org_id[] := '{}';
  undecidable credit_rollout.org_id[] := '{}'; unreadable credit_rollout.org_id[] := '{}';
  decided credit_rollout.org_id[] := '{}'; later credit_rollout.org_id[] := '{}'; context text;
begin
  tried := 0;
  written := 0;
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'allotments are written at read committed' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  if not pg_try_advisory_xact_lock(1129467724, -5) or not credit_rollout.single_writes_open() then return; end if;
  for part in
    select array_agg(q.org_id) as ids, count(*)::integer as orgs
    from (
      select p.org_id, p.due_at, p.size, row_number() over (partition by p.size order by p.due_at) - 1 as place
      from (
        -- a list that failed is read again in smaller ones, down to the org that fails; what was read stays in lists
        select d.org_id, d.due_at, case when d.why in ('undecidable', 'absent', 'left_to_night') then list_size
          else greatest(1, list_size / (8 ^ least(d.tries, 4))::integer) end as size
        from credit_rollout.pending_sign_ups d
        -- nothing is put off for so long: the clock was set back
        where d.due_at <= began or d.due_at > began + interval '15 minutes' order by d.due_at limit 1000) p
    ) q
    group by q.size, q.place / q.size
    order by min(q.due_at)
  loop
    since := clock_timestamp();
    begin
      if part.orgs = 1 then
        select array_agg(to_jsonb(d)) filter (where d.reason is null),
          array_agg(d.org_id) filter (where d.reason is not null) into found, named
          from credit_rollout.decided_one(part.ids[1], null) d;
      else
        -- planned for these ids: they are compared by a hash
        execute 'select array_agg(to_jsonb(d)) filter (where d.reason is null),
            array_agg(d.org_id) filter (where d.reason is not null)
          from credit_rollout.decided_first(null, null, $1, null) d' into found, named using part.ids;
      end if;
      asked := asked || part.ids;
      terms := terms || found;
      undecidable := undecidable || named;
    exception when query_canceled or assert_failure or others then
      failure := sqlstate;
      get stacked diagnostics context = pg_exception_context;
      if credit_rollout.is_row_failure(failure, context) then
        if part.orgs > 1 then split := split || part.ids; else
          asked := asked || part.ids;
          unreadable := unreadable || part.ids;
        end if;
      elsif failure = '57014' then
        slow := slow || part.ids;
      else
        later := later || part.ids;
      end if;
    end;
    read_ms := greatest(read_ms, (extract(epoch from clock_timestamp() - since) * 1000)::real);
    -- what no org caused, such as a missing grant, is the same for the others
    exit when clock_timestamp() > began + interval '1 second' or cardinality(slow || later) > 0;
  end loop;

  perform pg_advisory_xact_lock_shared(1129467724, 0);
  if not credit_rollout.single_writes_open() or card is distinct from (select c.active_card from credit_rollout.cell c)
  then return; end if;
  begin
    perform credit_rollout.insert_sign_up(t.terms) from unnest(terms) t (terms);
  exception when others then
    -- one of them stops it: apart, so that it stops no other
    foreach one in array terms loop
      begin
        perform credit_rollout.insert_sign_up(one);
      exception when others then
        failure := sqlstate;
      end;
    end loop;
  end;
  tried := cardinality(asked) + cardinality(split) + cardinality(slow);
  delete from credit_rollout.pending_sign_ups p where p.org_id = any (asked)
    and exists (select from credit_rollout.allotments a where a.org_id = p.org_id);
  get diagnostics written = row_count;
  decided := array(select (t.terms ->> 'org_id')::credit_rollout.org_id from unnest(terms) t (terms));
  update credit_rollout.pending_sign_ups p set tries = least(p.tries + 1, 5),
    why = case when p.org_id = any (split) then null
               when p.org_id = any (slow) then 'too_slow'
               when p.org_id = any (unreadable) then 'unreadable'
               when p.org_id = any (undecidable) then 'undecidable'
               when p.org_id = any (decided) then 'left_to_night'
               else 'absent' end,
    due_at = clock_timestamp() + case when p.org_id = any (split) and p.tries < 5 then interval '0'
                                      when p.tries >= 4 then interval '10 minutes'
                                      when p.org_id = any (slow) then interval '1 minute'
                                      else make_interval(secs => 2 ^ p.tries) end
  where p.org_id = any (asked || split || slow);
  -- it may be caused by one of them after all: others come first next time
  update credit_rollout.pending_sign_ups p set due_at = clock_timestamp()
  where p.org_id = any (later);
  -- an org that signed up and left
  delete from credit_rollout.pending_sign_ups p where p.why = 'absent' and p.org_id = any (asked)
    and p.noted_at < clock_timestamp() - interval '1 day';
end $$;`,
};

/**
 * Why: an org whose id has over 2,000 bytes is left out of the source, so its allotment is never written: one that
 * waits for it would be shown as given up for ever. The gate's answer is recorded all the same.
 */
export const noteNoLongIds: Migration = {
  name: '20261203070200_pre_note_no_long_ids',
  up: `
create function credit_rollout.skip_long_id() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  return null;
end $$;
create trigger pending_sign_ups_skip_long before insert on credit_rollout.pending_sign_ups for each row
  when (octet_length(new.org_id::text) > 2000) execute function credit_rollout.skip_long_id();
revoke all on function credit_rollout.skip_long_id from public;`,
};
