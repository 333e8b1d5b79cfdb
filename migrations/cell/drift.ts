// Why: what a nightly run found and did is org data, so it stays in the cell; control gets counts.
import type { Migration } from '../migration.js';

export const createDrift: Migration = {
  name: '20261123020000_pre_create_drift',
  up: `
create table credit_rollout.drift (
  run_id bigint not null references credit_rollout.runs,
  org_id credit_rollout.org_id not null,
  cause text not null check (cause in ('late input', 'legacy sign-up', 'missed sign-up', 'manual edit', 'purchase', 'seats',
    'edition', 'paid', 'lapse', 'return', 'release', 'gone', 'restored backup')),
  movement text not null check (movement in ('first', 'raise', 'fall', 'inputs', 'same', 'gone')),
  before_total bigint,
  after_total bigint,
  before_floor bigint,
  after_floor bigint,
  proposed_floor bigint,
  proposes boolean generated always as (proposed_floor is not null) stored,
  outcome text not null check (outcome in ('to_heal', 'healed', 'proposed', 'unchanged')),
  capped boolean not null default false,
  batch_no integer,
  found_at timestamptz not null default clock_timestamp(),
  primary key (run_id, org_id)
);
comment on table credit_rollout.drift is 'orgs whose allotment was not what their inputs give, by run; proposed: left for a person';
comment on column credit_rollout.drift.capped is 'a fall, a lapse or a gone org: the limits of the run decide about all of them together';
comment on column credit_rollout.drift.batch_no is 'the batch that heals it; null: none yet';
-- add_repairs
create index drift_unbatched_idx on credit_rollout.drift (run_id, cause, org_id) where outcome = 'to_heal' and batch_no is null;
-- healCapped
create index drift_capped_idx on credit_rollout.drift (run_id, movement, cause) where capped;

-- listWaitingFloors
create index drift_proposes_idx on credit_rollout.drift (org_id) where proposes;

create table credit_rollout.detections (
  run_id bigint not null references credit_rollout.runs,
  pass integer not null,
  next_id credit_rollout.org_id,
  orgs bigint not null default 0,
  allotments bigint not null default 0,
  ended_at timestamptz,
  primary key (run_id, pass)
);
comment on table credit_rollout.detections is 'how far the search for drift has come: it goes on where it was killed';
comment on column credit_rollout.detections.next_id is 'the range that is searched next begins here; null: at the bottom';

alter table credit_rollout.batches drop constraint batches_kind_check, drop constraint batches_org_ids_check;
alter table credit_rollout.batches
  add cause text,
  add constraint batches_kind_check check (kind in ('range', 'canary', 'follow_up', 'repair')),
  add constraint batches_org_ids_check check ((org_ids is null) = (kind = 'range')),
  add constraint batches_cause_check check ((cause is not null) = (kind = 'repair'));
comment on column credit_rollout.batches.cause is 'why the orgs of a repair are written: the cause of their before-images';

alter table credit_rollout.runs
  add pass integer not null default 1,
  add allow_falls boolean not null default false,
  add max_changed integer,
  add max_lapsed integer;
comment on column credit_rollout.runs.allow_falls is 'a person accepted the falls beyond the caps';
comment on column credit_rollout.runs.pass is 'a sweep looks again until a pass finds nothing';

-- nights look up single orgs: what was edited by hand, and who was set aside before
create index allotment_changes_manual_idx on credit_rollout.allotment_changes (org_id, version) where cause = 'manual edit';
create index quarantine_org_id_idx on credit_rollout.quarantine (org_id);`,
};

/** Why: a worker may heal what was found only through these functions and under an open fence; it may delete nothing else. */
export const createRepairs: Migration = {
  name: '20261123020100_pre_create_repairs',
  up: `
-- Makes at most so many batches of what is to be healed, one cause each; 0 when nothing is left: then all of it is known.
create function credit_rollout.add_repairs(run bigint, most integer) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  size integer; made integer := 0; number integer; named text; ids credit_rollout.org_id[];
begin
  select least(r.batch_size, 2000) into strict size from credit_rollout.runs r
    where r.run_id = run and r.kind in ('reconcile', 'sweep') for no key update;
  if not exists (select from credit_rollout.detections t join credit_rollout.runs r using (run_id, pass)
      where t.run_id = run and t.ended_at is not null) then
    raise exception 'the search for drift has not ended' using errcode = 'object_not_in_prerequisite_state';
  end if;
  while made < most loop
    select array_agg(p.org_id order by p.org_id), min(p.cause) into ids, named from (
      select d.org_id, d.cause from credit_rollout.drift d
      where d.run_id = run and d.outcome = 'to_heal' and d.batch_no is null and d.cause = (
        select min(n.cause) from credit_rollout.drift n
        where n.run_id = run and n.outcome = 'to_heal' and n.batch_no is null)
      order by d.org_id limit size) p;
    if ids is null then
      if made = 0 then
        update credit_rollout.runs set cut_at = clock_timestamp() where run_id = run and cut_at is null;
      end if;
      return made;
    end if;
    select coalesce(max(b.batch_no), 0) + 1 into number from credit_rollout.batches b where b.run_id = run;
    insert into credit_rollout.batches (run_id, batch_no, kind, org_ids, expected, cause)
      values (run, number, 'repair', ids, cardinality(ids), named);
    update credit_rollout.drift set batch_no = number where run_id = run and org_id = any (ids);
    made := made + 1;
  end loop;
  return made;
end $$;

create function credit_rollout.repairs_open(run bigint, only_nights boolean) returns boolean language sql stable
  set search_path = pg_catalog, pg_temp as $$
select exists (select from credit_rollout.fence f join credit_rollout.runs r on r.run_id = f.run_id
  where f.state = 'open' and r.run_id = run and r.state = 'open'
    and (r.kind = 'reconcile' or r.kind = 'sweep' and not only_nights))
$$;

-- Retires the allotments of orgs that a night found gone, and that still are; returns whose. Kept as before-images.
create function credit_rollout.retire_allotments(run bigint, ids credit_rollout.org_id[]) returns setof credit_rollout.org_id
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout.repairs_open(run, true) then return; end if;
  perform set_config('credit_rollout.cause', 'gone', true), set_config('credit_rollout.run_id', run::text, true);
  return query delete from credit_rollout.allotments a
    where a.org_id = any (ids)
      and exists (select from credit_rollout.drift d where d.run_id = run and d.org_id = a.org_id
        and d.movement = 'gone' and d.outcome = 'to_heal')
      and not exists (select from credit_rollout.source_orgs s where s.org_id = a.org_id)
    returning a.org_id;
end $$;

-- Brings back the last form of allotments that were retired or lost: their floors and their unpaid time count on. Not
-- those that an undo took away. Returns whose.
create function credit_rollout.restore_retired(run bigint, ids credit_rollout.org_id[]) returns setof credit_rollout.org_id
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not credit_rollout.repairs_open(run, false) then return; end if;
  return query insert into credit_rollout.allotments
    select b.* from (
      select distinct on (c.org_id) c.org_id, c.cause, c.before from credit_rollout.allotment_changes c
      where c.org_id = any (ids) order by c.org_id, c.change_id desc) l
    cross join lateral jsonb_populate_record(null::credit_rollout.allotments,
      l.before || jsonb_build_object('version', 1, 'computed_at', clock_timestamp())) b
    where l.cause <> 'undo' and exists (select from credit_rollout.drift d
      where d.run_id = run and d.org_id = l.org_id and d.movement = 'first' and d.outcome = 'to_heal')
    order by b.org_id
    on conflict do nothing returning allotments.org_id;
end $$;`,
};

/** Why: an org of a repair that is too slow or unreadable must not stop the others. Old code splits ranges only. */
export const splitRepairs: Migration = {
  name: '20261123020200_pre_split_repairs',
  up: `
alter function credit_rollout.split_batch(bigint, integer) rename to split_range;
create function credit_rollout.split_batch(run bigint, number integer) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  whole credit_rollout.batches; held integer;
begin
  perform from credit_rollout.runs where run_id = run for no key update;
  select * into whole from credit_rollout.batches
    where run_id = run and batch_no = number and state = 'pending' and kind = 'repair' for update;
  if not found then return credit_rollout.split_range(run, number); end if;
  held := cardinality(whole.org_ids);
  if held < 2 then return false; end if;
  update credit_rollout.batches set org_ids = whole.org_ids[1:held / 2], expected = held / 2
    where run_id = run and batch_no = number;
  insert into credit_rollout.batches (run_id, batch_no, kind, org_ids, expected, cause)
    select run, max(b.batch_no) + 1, 'repair', whole.org_ids[held / 2 + 1:], held - held / 2, whole.cause
    from credit_rollout.batches b where b.run_id = run;
  return true;
end $$;
revoke all on function credit_rollout.split_range from public;`,
};
