// Why: what a worker sets aside in a sweep is set aside because it says so.
import type { Migration } from '../migration.js';

/** More than one of these is found by a sample that is small enough to be read one by one. */
const SAMPLE = 200;

/**
 * Why: a worker's login quarantined orgs that can be decided, and the sweep, which is final, ended as if it had looked
 * at them. A sample is decided again: not one of it may have a result. What could not be read or written is asked
 * again in the first passes only, since a row may be decided and still be refused where it is written.
 */
export const askQuarantinedAgain: Migration = {
  name: '20261204040000_pre_ask_quarantined_again',
  up: `
create or replace function credit_rollout.count_unswept(run bigint) returns bigint language plpgsql stable
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  cutover timestamptz := (select g.effective_at from credit_rollout.gate g);
  found_orgs bigint; one credit_rollout.org_id;
begin
  found_orgs := (select count(*) from (
    select from credit_rollout.source_orgs s
    where s.created_at < cutover
      and not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
      and not exists (select from credit_rollout.quarantine q where q.run_id = run and q.org_id = s.org_id)
    limit 1000) u);
  for one in
    select q.org_id from credit_rollout.quarantine q
    where q.run_id = run and not exists (select from credit_rollout.allotments a where a.org_id = q.org_id)
      and (q.reason not in ('unreadable', 'other')
        or exists (select from credit_rollout.runs r where r.run_id = run and r.pass <= 5))
    order by random() limit ${SAMPLE}
  loop
    begin
      if exists (select from credit_rollout.decided_first(null, null, array[one], null) d
          join credit_rollout.source_orgs s on s.org_id = d.org_id
          where d.reason is null and s.created_at < cutover and d::text <> '' and s::text <> '') then
        found_orgs := found_orgs + 1;
      end if;
    exception when assert_failure or others then null;
    end;
  end loop;
  return least(found_orgs, 1000);
end $$;

-- Follow-ups belong to a run that is open: one that is over was verified, and stays so.
create or replace function credit_rollout.add_follow_up(run bigint) returns integer language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  size integer; made integer; how text;
begin
  select batch_size, state into strict size, how from credit_rollout.runs where run_id = run for no key update;
  if how <> 'open' then
    raise exception 'the run is over' using errcode = 'restrict_violation';
  end if;
  with numbered as (
    select org_id, (row_number() over (order by org_id) - 1) / size as chunk
    from credit_rollout.stale_orgs where run_id = run and settled_at is null
  ), top as (select max(batch_no) as number from credit_rollout.batches where run_id = run)
  insert into credit_rollout.batches (run_id, batch_no, kind, org_ids, expected)
    select run, top.number + 1 + n.chunk, 'follow_up', array_agg(n.org_id order by n.org_id), 0
    from numbered n cross join top group by top.number, n.chunk;
  get diagnostics made = row_count;
  -- what was verified before they are written is not what there will be
  update credit_rollout.batches b set verified_at = null where b.run_id = run and b.kind = 'range' and exists (
    select from credit_rollout.stale_orgs s where s.run_id = run and s.settled_at is null
      and (b.lower_id is null or s.org_id >= b.lower_id) and (b.upper_id is null or s.org_id < b.upper_id));
  update credit_rollout.runs set follow_up_at = clock_timestamp() where run_id = run;
  return made;
end $$;`,
};
