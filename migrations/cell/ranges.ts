// Why: a function of the schema's owner cuts the ranges in the cell, so that a worker can never write a batch row itself.
import type { Migration } from '../migration.js';

export const createRangeFunctions: Migration = {
  name: '20261122040000_pre_create_range_functions',
  up: `
-- Cuts ranges of the run's batch size off its uncut tail. MOVE walks the index without shipping rows.
-- The tail always exists until the end, so the ranges cover every possible id at every moment.
create function credit_rollout.cut_ranges(run bigint, most integer) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  size integer; tail credit_rollout.batches; bound credit_rollout.org_id; scan refcursor;
  taken integer := 0; moved integer; made integer := 0;
begin
  -- cutting and halving take turns, so that no two ranges take one number
  select batch_size into strict size from credit_rollout.runs where run_id = run for no key update;
  select * into tail from credit_rollout.batches where run_id = run and state = 'uncut' for update;
  if not found then return 0; end if;
  open scan for select org_id from credit_rollout.source_orgs
    where tail.lower_id is null or org_id >= tail.lower_id order by org_id;
  while made < most loop
    move forward size - taken in scan;
    get diagnostics moved = row_count;
    loop -- a range begins at an id that the one before does not hold, duplicates included
      fetch scan into bound;
      exit when not found or tail.lower_id is null or bound <> tail.lower_id;
    end loop;
    if not found then
      update credit_rollout.batches set state = 'pending', expected = taken + moved
        where run_id = run and batch_no = tail.batch_no;
      update credit_rollout.runs set cut_at = clock_timestamp() where run_id = run;
      return made + 1;
    end if;
    update credit_rollout.batches set state = 'pending', expected = size, upper_id = bound
      where run_id = run and batch_no = tail.batch_no;
    -- not the tail's number plus one: a range that was halved meanwhile may have taken it
    insert into credit_rollout.batches (run_id, batch_no, lower_id, state)
      select run, max(b.batch_no) + 1, bound, 'uncut' from credit_rollout.batches b where b.run_id = run
      returning * into tail;
    taken := 1;
    made := made + 1;
  end loop;
  return made;
end $$;

-- A range for each lane of a run that has none yet, so that lanes find work as its fence opens. All that the fencer may cut:
-- it learns a number, and no bound.
create function credit_rollout.cut_first_ranges(run bigint) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from credit_rollout.batches where run_id = run and state <> 'uncut') then return 0; end if;
  return credit_rollout.cut_ranges(run, (select lanes from credit_rollout.runs where run_id = run));
end $$;

-- Halves a pending range; false when it holds one id or none.
create function credit_rollout.split_batch(run bigint, number integer) returns boolean language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  whole credit_rollout.batches; middle credit_rollout.org_id; held integer;
begin
  perform from credit_rollout.runs where run_id = run for no key update;
  select * into whole from credit_rollout.batches where run_id = run and batch_no = number and state = 'pending' for update;
  if not found then return false; end if;
  select count(*) into held from credit_rollout.source_orgs
    where (whole.lower_id is null or org_id >= whole.lower_id) and (whole.upper_id is null or org_id < whole.upper_id);
  select s.org_id into middle from (
    select org_id from credit_rollout.source_orgs
    where (whole.lower_id is null or org_id >= whole.lower_id) and (whole.upper_id is null or org_id < whole.upper_id)
    order by org_id offset held / 2 limit 1) s;
  if held < 2 or middle is null or exists (select where middle = whole.lower_id) then return false; end if;
  update credit_rollout.batches set upper_id = middle, expected = held / 2 where run_id = run and batch_no = number;
  insert into credit_rollout.batches (run_id, batch_no, lower_id, upper_id, expected)
    select run, max(b.batch_no) + 1, middle, whole.upper_id, held - held / 2 from credit_rollout.batches b where b.run_id = run;
  return true;
end $$;`,
};
