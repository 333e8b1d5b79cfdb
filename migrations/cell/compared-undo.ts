// Why: locking each allotment of a range before it was judged cost a tenth of an undo.
import type { Migration } from '../migration.js';
import { LEFT_ASIDE } from './undo-lineage.js';

const WITHIN = '(low is null or a.org_id >= low) and (high is null or a.org_id < high)';
const AS_JUDGED = `a.org_id = z.org_id and ${WITHIN} and a.total_credits = z.total_credits
      and to_jsonb(a) - ${LEFT_ASIDE} = z.written - ${LEFT_ASIDE}`;

/**
 * Why: each row is compared with what was judged in the statement that takes it back, which waits for whoever holds the
 * row and then sees what he wrote. Where one is another by then, nothing of the range is taken back, and it is judged
 * again. Old code calls `undo_range` as before, and tries again after the same error.
 */
export const compareUndone: Migration = {
  name: '20261208010000_pre_compare_undone',
  up: `
create or replace function credit_rollout.lock_undo_range(run bigint, number integer) returns credit_rollout.batches
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
  return locked;
end $$;

create or replace function credit_rollout.take_back(run bigint, number integer, ids credit_rollout.org_id[],
  pays boolean[], legacies bigint[], purchases bigint[], out orgs integer, out undone integer, out falls integer,
  out total numeric) language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  taken constant bigint := credit_rollout.undo_open(run);
  low credit_rollout.org_id; high credit_rollout.org_id;
  untouched credit_rollout.org_id[];
  touched credit_rollout.org_id[]; totals bigint[]; forms jsonb[]; images jsonb[];
  written bigint; taken_back bigint := 0;
begin
  select b.lower_id, b.upper_id into low, high from credit_rollout.batches b
    where b.run_id = run and b.batch_no = number and b.state = 'pending' and b.kind = 'range';
  if taken is null or not found then
    raise exception 'no undo is open here' using errcode = 'object_not_in_prerequisite_state',
      constraint = 'allotments_need_open_work';
  end if;
  -- OFFSET 0: what is ours is computed once for each
  select count(*), count(*) filter (where t.ours), count(*) filter (where t.ours and t.becomes < t.total_credits),
      coalesce(sum(t.total_credits) filter (where t.ours), 0),
      array_agg(t.org_id) filter (where t.ours and t.written is null),
      array_agg(t.org_id) filter (where t.ours and t.written is not null),
      array_agg(t.total_credits) filter (where t.ours and t.written is not null),
      array_agg(t.written) filter (where t.ours and t.written is not null),
      array_agg(case when t.verdict = 'restore' then t.image || jsonb_build_object(
        'total_credits', t.becomes, 'additional_credits', t.bought) end) filter (where t.ours and t.written is not null)
    into orgs, undone, falls, total, untouched, touched, totals, forms, images
    from (
      select l.org_id, l.verdict, l.total_credits, l.written, l.image, g.bought, b.becomes,
        l.verdict in ('delete', 'restore')
          and case when l.paid or g.paid then b.becomes >= l.total_credits or f.becomes <= b.becomes
            else b.becomes is not null end as ours
      from credit_rollout.undo_lineage(taken, low, high) l
      left join unnest(ids, pays, legacies, purchases) g (org_id, paid, legacy, bought) on g.org_id = l.org_id
      cross join lateral (select case when l.image is null then g.legacy
        when r.becomes <= 9223372036854775807 then r.becomes::bigint end as becomes
        from (select (l.image ->> 'total_credits')::numeric - (l.image ->> 'additional_credits')::numeric + g.bought
          as becomes) r) b
      left join credit_rollout.planned_falls(run, low, high) f on f.org_id = l.org_id
      offset 0) t;
  perform set_config('credit_rollout.cause', 'undo', true), set_config('credit_rollout.run_id', run::text, true);
  -- whoever changes a row counts its version on
  delete from credit_rollout.allotments a
    where a.org_id = any (untouched) and ${WITHIN} and a.version = 1 and a.run_id = taken;
  get diagnostics taken_back = row_count;
  if touched is not null then
    delete from credit_rollout.allotments a
      using unnest(touched, totals, forms, images) z (org_id, total_credits, written, image)
      where z.image is null and ${AS_JUDGED};
    get diagnostics written = row_count;
    taken_back := taken_back + written;
    update credit_rollout.allotments a set edition = t.edition, paid = t.paid, agents = t.agents,
        light_agents = t.light_agents, negotiated_limit = t.negotiated_limit, base_credits = t.base_credits,
        variable_credits = t.variable_credits, additional_credits = t.additional_credits,
        legacy_limit = t.legacy_limit, floor = t.floor, floor_edition = t.floor_edition,
        unpaid_since = t.unpaid_since, grandfathered_credits = t.grandfathered_credits,
        total_credits = t.total_credits, concurrency_limit = t.concurrency_limit, winner = t.winner,
        origin = t.origin, rate_card = t.rate_card, run_id = t.run_id, computed_at = clock_timestamp()
      from unnest(touched, totals, forms, images) z (org_id, total_credits, written, image)
      cross join lateral jsonb_populate_record(null::credit_rollout.allotments, z.image) t
      where z.image is not null and ${AS_JUDGED};
    get diagnostics written = row_count;
    taken_back := taken_back + written;
  end if;
  perform set_config('credit_rollout.cause', '', true);
  if taken_back <> undone then
    raise exception 'allotments of the range changed while they were taken back'
      using errcode = 'serialization_failure';
  end if;
end $$;`,
};
