// Why: an undo is a run of its own, under the same fence as every other, and a worker undoes nothing but its ranges.
import type { Migration } from '../migration.js';
import { LEFT_ASIDE } from './undo-lineage.js';

/** Why: an undo is a run of its own, under the same fence; and what it took back never goes on. */
export const runUndos: Migration = {
  name: '20261204070002_pre_run_undos',
  up: `
-- Opens the run of an accepted undo, which control sealed, with the ranges of its plan. Idempotent.
create function credit_rollout.open_undo(document jsonb) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  plan credit_rollout.undo_plans; run bigint;
begin
  perform credit_rollout.check_seal(document, 'undo_run');
  run := (document ->> 'run_id')::bigint;
  select * into plan from credit_rollout.undo_plans p where p.undo_id = (document ->> 'undo_id')::bigint for update;
  if plan.digest is distinct from document ->> 'digest' or plan.state is distinct from 'accepted'
       and (plan.state is distinct from 'running' or plan.run_id is distinct from run) then
    raise exception 'this cell has no such undo' using errcode = 'restrict_violation', constraint = 'undo_outdated';
  end if;
  perform pg_advisory_xact_lock(1129467724, -1);
  if exists (select from credit_rollout.gate g where g.effective_at is not null) then
    raise exception 'the gate is armed' using errcode = 'restrict_violation', constraint = 'undo_gate_armed';
  end if;
  if plan.state = 'accepted' then
    if plan.decided_at < clock_timestamp() - interval '72 hours'
       or plan.undoes is distinct from credit_rollout.undoable_run()
       or exists (select from credit_rollout.runs r where r.state = 'open') then
      raise exception 'this undo cannot be run any more' using errcode = 'restrict_violation',
        constraint = 'undo_outdated';
    end if;
    perform credit_rollout.record_seal(document);
    insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes, undoes, cut_at)
      select run, 'undo', r.card_hash, coalesce((document ->> 'batch_size')::integer, 10000),
        coalesce((document ->> 'lanes')::integer, 1), plan.undoes, clock_timestamp()
      from credit_rollout.runs r where r.run_id = plan.undoes;
    insert into credit_rollout.batches (run_id, batch_no, kind, lower_id, upper_id, expected)
      select run, g.range_no, 'range', g.lower_id, g.upper_id, g.orgs
      from credit_rollout.undo_ranges g where g.undo_id = plan.undo_id;
    update credit_rollout.undo_plans p set state = 'running', run_id = run where p.undo_id = plan.undo_id;
  elsif not exists (select from credit_rollout.runs r where r.run_id = run and r.state = 'open') then
    raise exception 'the run is over' using errcode = 'restrict_violation', constraint = 'seal_used';
  end if;
  perform credit_rollout.set_checks_of(document);
end $$;

-- The run that an undo takes back, while its fence is open for it and nothing is frozen; else null. It stays so until
-- this transaction ends.
create function credit_rollout.undo_open(run bigint) returns bigint language plpgsql volatile
  set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'allotments are written at read committed' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  perform pg_advisory_xact_lock_shared(1129467724, 0);
  return (select r.undoes from credit_rollout.fence f join credit_rollout.runs r on r.run_id = f.run_id
    where f.state = 'open' and r.run_id = run and r.state = 'open' and r.kind = 'undo'
      and not exists (select from credit_rollout.freezes z where z.lifted_at is null)
      and not exists (select from credit_rollout.gate g where g.effective_at is not null));
end $$;

-- A pending range of an open undo, its allotments locked; nothing of it is read before that.
create function credit_rollout.lock_undo_range(run bigint, number integer) returns credit_rollout.batches
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  locked credit_rollout.batches;
begin
  if credit_rollout.undo_open(run) is null then
    raise exception 'no undo is open here' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  select * into locked from credit_rollout.batches b
    where b.run_id = run and b.batch_no = number and b.state = 'pending' for update;
  if found then
    perform from credit_rollout.allotments a
      where (locked.lower_id is null or a.org_id >= locked.lower_id)
        and (locked.upper_id is null or a.org_id < locked.upper_id)
      order by a.org_id for update;
  end if;
  return locked;
end $$;

-- Takes back the orgs of a locked range that are still the run's; a paid one falls only where the plan has it, and not
-- lower. The caller says what each has afterwards, as the source gives it.
create function credit_rollout.take_back(run bigint, number integer, ids credit_rollout.org_id[], pays boolean[],
  becoming bigint[], out undone integer, out falls integer, out total numeric) language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  taken constant bigint := credit_rollout.undo_open(run);
  low credit_rollout.org_id; high credit_rollout.org_id;
  deleted credit_rollout.org_id[]; restored credit_rollout.org_id[]; images jsonb[];
begin
  select b.lower_id, b.upper_id into low, high from credit_rollout.batches b
    where b.run_id = run and b.batch_no = number and b.state = 'pending' and b.kind = 'range';
  if taken is null or not found then
    raise exception 'no undo is open here' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  select array_agg(l.org_id) filter (where l.verdict = 'delete'),
      array_agg(l.org_id order by l.org_id) filter (where l.verdict = 'restore'),
      array_agg(l.image || jsonb_build_object('total_credits', g.becomes, 'additional_credits', g.becomes
        - ((l.image ->> 'total_credits')::bigint - (l.image ->> 'additional_credits')::bigint)) order by l.org_id)
        filter (where l.verdict = 'restore'),
      count(*), count(*) filter (where g.becomes < l.total_credits), coalesce(sum(l.total_credits), 0)
    into deleted, restored, images, undone, falls, total
    from credit_rollout.undo_lineage(taken, low, high) l
    join unnest(ids, pays, becoming) g (org_id, paid, becomes) on g.org_id = l.org_id
    left join credit_rollout.undo_falls f on f.org_id = l.org_id
      and f.undo_id = (select p.undo_id from credit_rollout.undo_plans p where p.run_id = run)
      and (low is null or f.org_id >= low) and (high is null or f.org_id < high)
    where l.verdict in ('delete', 'restore')
      and (not (l.paid or g.paid) or g.becomes >= l.total_credits or f.becomes <= g.becomes);
  perform set_config('credit_rollout.cause', 'undo', true), set_config('credit_rollout.run_id', run::text, true);
  delete from credit_rollout.allotments a where a.org_id = any (deleted);
  update credit_rollout.allotments a set edition = t.edition, paid = t.paid, agents = t.agents,
      light_agents = t.light_agents, negotiated_limit = t.negotiated_limit, base_credits = t.base_credits,
      variable_credits = t.variable_credits, additional_credits = t.additional_credits,
      legacy_limit = t.legacy_limit, floor = t.floor, floor_edition = t.floor_edition,
      unpaid_since = t.unpaid_since, grandfathered_credits = t.grandfathered_credits,
      total_credits = t.total_credits, concurrency_limit = t.concurrency_limit, winner = t.winner,
      origin = t.origin, rate_card = t.rate_card, run_id = t.run_id, computed_at = clock_timestamp()
    from unnest(restored, images) z (org_id, image)
    cross join lateral jsonb_populate_record(null::credit_rollout.allotments, z.image) t
    where a.org_id = z.org_id;
  perform set_config('credit_rollout.cause', '', true);
end $$;

-- Undoes one pending range: what of it is left is a conflict.
create function credit_rollout.undo_range(run bigint, number integer, out orgs integer, out undone integer,
  out falls integer, out total numeric) language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  batch credit_rollout.batches := credit_rollout.lock_undo_range(run, number);
  ids credit_rollout.org_id[]; pays boolean[]; becoming bigint[];
begin
  -- a statement after the lock: it sees what was committed while it was waited for
  select count(*), array_agg(t.org_id) filter (where t.verdict in ('delete', 'restore')),
      array_agg(t.paid) filter (where t.verdict in ('delete', 'restore')),
      array_agg(t.becomes) filter (where t.verdict in ('delete', 'restore'))
    into orgs, ids, pays, becoming
    from credit_rollout.undo_targets((select r.undoes from credit_rollout.runs r where r.run_id = run),
      batch.lower_id, batch.upper_id) t;
  select k.undone, k.falls, k.total into undone, falls, total
    from credit_rollout.take_back(run, number, ids, pays, becoming) k;
end $$;

-- What an undo took back, wholly or in part, never goes on: it is rolled out again under a new plan.
create function credit_rollout.keep_undone() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid = 'credit_rollout.runs'::regclass
     and exists (select from credit_rollout.runs u where u.undoes = new.run_id) then
    raise exception 'the run was undone' using errcode = 'restrict_violation', constraint = 'seal_used';
  end if;
  return new;
end $$;
create trigger runs_keep_undone before update on credit_rollout.runs for each row
  when (new.state = 'open' and old.state <> 'open') execute function credit_rollout.keep_undone();

revoke all on function credit_rollout.open_undo, credit_rollout.undo_open, credit_rollout.lock_undo_range,
  credit_rollout.take_back, credit_rollout.undo_range, credit_rollout.keep_undone from public;`,
};

/**
 * Why: a floor falls to what it was before the run that an undo takes back, and to nothing else. And a range is taken
 * away as fast as it was written only if its before-images are one insert.
 */
export const restoreFloors: Migration = {
  name: '20261204070003_pre_restore_floors',
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
  if tg_op = 'DELETE' then return old; end if;
  if new.org_id is distinct from old.org_id then
    raise exception 'an allotment keeps its org' using errcode = 'restrict_violation';
  end if;
  if old.floor is not null and (new.floor is null or new.floor < old.floor)
       and cause not in ('edition', 'lapse', 'override', 'repair', 'undo')
     or cause = 'override' and not exists (select from credit_rollout.overrides o
          where o.org_id = old.org_id and o.state = 'proposed' and o.before is not null
            and o.floor is not distinct from new.floor)
     or cause = 'repair' and not exists (select from credit_rollout.repairs p
          join credit_rollout.repaired_orgs o using (repair_id)
          where p.state = 'applying' and o.org_id = old.org_id
            and o.after - '{run_id,version,computed_at,checksum}'::text[]
              = to_jsonb(new) - '{run_id,version,computed_at,checksum}'::text[])
     -- the run by a comparison that no index serves: of one run there may be millions, of one org a few
     or cause = 'undo' and not exists (select from credit_rollout.allotment_changes c
          where c.org_id = old.org_id and c.operation = 'update' and c.run_id is not distinct from (
              select u.undoes from credit_rollout.fence f join credit_rollout.runs u on u.run_id = f.run_id
              where f.state = 'open' and u.state = 'open' and u.kind = 'undo')
            and c.run_id is not null
            and c.before - ${LEFT_ASIDE} = to_jsonb(new) - ${LEFT_ASIDE}) then
    raise exception 'a floor falls only with a named cause, and to what the rule gives'
      using errcode = 'restrict_violation', constraint = 'allotments_floor_falls_only_with_cause';
  end if;
  new.version := old.version + 1;
  insert into credit_rollout.allotment_changes (org_id, operation, cause, run_id, rate_card, version, before)
  values (old.org_id, 'update', cause, nullif(current_setting('credit_rollout.run_id', true), '')::bigint,
          old.rate_card, old.version, to_jsonb(old));
  return new;
end $$;

create function credit_rollout.record_removed_allotments() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'credit_rollout.allotments'::regclass then
    raise exception 'this function belongs to the triggers of allotments'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  insert into credit_rollout.allotment_changes (org_id, operation, cause, run_id, rate_card, version, before)
    select g.org_id, 'delete',
      coalesce(nullif(current_setting('credit_rollout.cause', true), ''), 'manual edit'),
      nullif(current_setting('credit_rollout.run_id', true), '')::bigint, g.rate_card, g.version, to_jsonb(g)
    from gone g;
  return null;
end $$;
revoke all on function credit_rollout.record_removed_allotments from public;
create trigger allotments_record_removal after delete on credit_rollout.allotments
  referencing old table as gone for each statement execute function credit_rollout.record_removed_allotments();`,
};
