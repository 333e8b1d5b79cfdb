// Why: where no key reaches the inside of the view, each sign-up that waited cost a read of all of it, under the lock
// of the fence, and one org that could not be read was tried again before the others.
import type { Migration } from '../migration.js';

/**
 * Why: a read of such a view decides up to a thousand sign-ups, oldest first, before the lock of the fence is taken;
 * the worker rests after it. Old code calls the same function, which answers it in more columns.
 */
export const writeSignUpsTogether: Migration = {
  name: '20261201040000_pre_write_sign_ups_together',
  up: `
alter table credit_rollout.pending_sign_ups add due_at timestamptz not null default clock_timestamp();
create index pending_sign_ups_due_at_idx on credit_rollout.pending_sign_ups (due_at);
comment on index credit_rollout.pending_sign_ups_due_at_idx is 'write_sign_ups: the oldest that are due';

create table credit_rollout.sign_up_writer (
  one boolean primary key default true check (one),
  rest_until timestamptz,
  read_ms real,
  failure text constraint sign_up_writer_failure_check check (failure ~ '^[0-9A-Z]{5}$')
);
comment on table credit_rollout.sign_up_writer is
  'one row: until when workers leave the source alone after they read it for sign-ups, and what that took or met';
insert into credit_rollout.sign_up_writer default values;

-- Whether single orgs may be written now. Needs the lock of the fence, in a statement before it.
create function credit_rollout.single_writes_open() returns boolean language sql volatile
  set search_path = pg_catalog, pg_temp begin atomic
select exists (select from credit_rollout.fence f where f.state = 'closed' and f.single_writes
    and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))
  and not exists (select from credit_rollout.freezes z where z.lifted_at is null);
end;

-- Writes sign-ups that are due, for about a second, one writer at a time, and none unless single writes are allowed.
-- The source is read first, for as long as the caller's statement may take: the lock of the fence is held for the
-- writes only, and an edit in between is found by the feed, which reads again what was edited while a transaction was
-- open. read_ms: what reading once took at most. failure: its last SQLSTATE; the others were written all the same.
drop function credit_rollout.write_sign_ups;
create function credit_rollout.write_sign_ups(out tried integer, out written integer, out read_ms real,
    out failure text) language plpgsql
  security definer set search_path = pg_catalog, pg_temp set row_security = off
  set jit = off set max_parallel_workers_per_gather = 0 set plan_cache_mode = force_generic_plan as $$
declare
  card constant text := (select c.active_card from credit_rollout.cell c);
  -- above 50 ms one key does not reach the inside of the view: many orgs take no longer than one
  list_size constant integer :=
    case when coalesce((select c.one_org_ms from credit_rollout.cell c), 0) > 50 then 1000 else 1 end;
  began constant timestamptz := clock_timestamp();
  part record; since timestamptz; one jsonb; found jsonb[]; terms jsonb[] := '{}';
  asked credit_rollout.org_id[] := '{}'; split credit_rollout.org_id[] := '{}'; slow credit_rollout.org_id[] := '{}';
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
      select p.org_id, p.due_at, p.tries, row_number() over (partition by p.tries order by p.due_at) - 1 as place
      from (select * from credit_rollout.pending_sign_ups d where d.due_at <= began order by d.due_at limit 1000) p
    ) q
    -- a list that failed is read again in smaller ones, down to the org that fails
    group by q.tries, q.place / greatest(1, list_size / (8 ^ least(q.tries, 4))::integer)
    order by min(q.due_at)
  loop
    since := clock_timestamp();
    begin
      if part.orgs = 1 then
        select array_agg(to_jsonb(d)) into found from credit_rollout.decided_one(part.ids[1], null) d
        where d.reason is null;
      else
        -- planned for these ids: they are compared by a hash
        execute 'select array_agg(to_jsonb(d)) from credit_rollout.decided_first(null, null, $1, null) d
          where d.reason is null' into found using part.ids;
      end if;
      asked := asked || part.ids;
      terms := terms || found;
    exception when query_canceled or others then
      failure := sqlstate;
      if failure = '57014' then
        slow := slow || part.ids;
      elsif failure ~ '^(22|21|P0)' then
        if part.orgs > 1 then split := split || part.ids; else asked := asked || part.ids; end if;
      end if;
    end;
    read_ms := greatest(read_ms, (extract(epoch from clock_timestamp() - since) * 1000)::real);
    -- what no org caused, such as a missing grant, is the same for the others
    exit when clock_timestamp() > began + interval '1 second' or failure !~ '^(22|21|P0)';
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
  delete from credit_rollout.pending_sign_ups p where p.org_id = any (asked || slow) and p.tries >= 4;
  update credit_rollout.pending_sign_ups p set tries = p.tries + 1, due_at = clock_timestamp()
    + case when p.org_id = any (split) then interval '0'
           when p.org_id = any (slow) then interval '1 minute'
           else make_interval(secs => 2 ^ p.tries) end
  where p.org_id = any (asked || split || slow);
end $$;
revoke all on function credit_rollout.write_sign_ups, credit_rollout.single_writes_open from public;`,
};
