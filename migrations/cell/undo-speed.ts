// Why: an undo read the rows of a range twice, computed each checksum three times and called a function for each row.
import type { Migration } from '../migration.js';
import { LEFT_ASIDE } from './undo-lineage.js';

const WITHIN = `(low is null or a.org_id >= low) and (high is null or a.org_id < high)`;
// fenced: what is wanted in order of change_id would else be read by that index, from there to the newest of all orgs
const HISTORY = '(select x.* from credit_rollout.org_changes x where x.org_id = o.org_id offset 0)';

// ranges as constants, which reach the indexes; only where nothing is written: triggers would be planned for every row
const FAST = 'set search_path = pg_catalog, pg_temp set jit = off set plan_cache_mode = force_custom_plan';

/**
 * Why: the record is read once, under the lock, and the source once. A row that has the checksum of an earlier form is
 * ours too. Old code calls `undo_range`, `undo_targets` and `plan_undo_range` as before.
 */
export const quickenUndo: Migration = {
  name: '20261205060100_pre_quicken_undo',
  up: `
create or replace function credit_rollout.undo_lineage(undone bigint, low credit_rollout.org_id,
  high credit_rollout.org_id)
  returns table (org_id credit_rollout.org_id, verdict text, paid boolean, total_credits bigint, written jsonb,
    image jsonb)
  language plpgsql stable rows 10000 security definer ${FAST} as $$
declare
  opened constant timestamptz := (select r.opened_at from credit_rollout.runs r where r.run_id = undone);
begin
  return query
    with own as materialized (
      select w.org_id, w.paid, w.total_credits, w.intact,
        w.intact and w.version = 1 and w.run_id is not distinct from undone as untouched
      from (select a.org_id, a.paid, a.total_credits, a.version, a.run_id, credit_rollout.is_intact(a) as intact
        from credit_rollout.allotments a where ${WITHIN} offset 0) w)
    select o.org_id, 'delete', o.paid, o.total_credits, null::jsonb, null::jsonb from own o where o.untouched
    union all
    select v.org_id, v.verdict, v.paid, v.total_credits, v.written, v.image from (
      select o.org_id, o.paid, o.total_credits, h.written, h.image, case
          when h.written is null then case
            when h.touched then 'return'
            when (h.first ->> 'computed_at')::timestamptz > opened then 'sign-up' end
          when o.intact and h.written - ${LEFT_ASIDE} = h.form - ${LEFT_ASIDE}
            then case when h.image is null then 'delete' else 'restore' end
          else coalesce((select c.cause from ${HISTORY} c
            where c.change_id > coalesce(h.raised, h.born) and c.cause <> 'purchase'
            order by c.change_id desc limit 1), 'manual edit') end as verdict
      from own o
      cross join lateral (
        select b.born, b.touched, n.form, f.form as first, f.raised, m.forms[1] as image,
          case when (f.form ->> 'run_id')::bigint = undone then f.form
            when f.raised is not null then coalesce(m.forms[2], n.form) end as written
        from (select to_jsonb(a) as form from credit_rollout.allotments a where a.org_id = o.org_id) n
        cross join lateral (select coalesce(max(c.change_id) filter (where c.operation = 'delete'), 0) as born,
            coalesce(bool_or(c.run_id = undone or c.written_by = undone), false) as touched
          from ${HISTORY} c) b
        cross join lateral (select coalesce((array_agg(c.before order by c.change_id))[1], n.form) as form,
            min(c.change_id) filter (where c.operation = 'update' and c.run_id = undone) as raised
          from ${HISTORY} c where c.change_id > b.born) f
        cross join lateral (select array_agg(c.before order by c.change_id) as forms
          from ${HISTORY} c where c.change_id >= f.raised) m
        offset 0
      ) h
      where not o.untouched offset 0
    ) v where v.verdict is not null;
end $$;

-- Takes back the orgs of a locked range that are still the run's; a paid one falls only where the plan has it, and not
-- lower. The caller says what the source gives: who pays, the number of the old model with today's purchases, and
-- those; nulls where the source holds it undecidably.
drop function credit_rollout.take_back;
create function credit_rollout.take_back(run bigint, number integer, ids credit_rollout.org_id[], pays boolean[],
  legacies bigint[], purchases bigint[], out orgs integer, out undone integer, out falls integer, out total numeric)
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
  select count(*), count(*) filter (where t.ours), count(*) filter (where t.ours and t.becomes < t.total_credits),
      coalesce(sum(t.total_credits) filter (where t.ours), 0),
      array_agg(t.org_id) filter (where t.ours and t.verdict = 'delete'),
      array_agg(t.org_id order by t.org_id) filter (where t.ours and t.verdict = 'restore'),
      array_agg(t.image || jsonb_build_object('total_credits', t.becomes, 'additional_credits', t.bought)
        order by t.org_id) filter (where t.ours and t.verdict = 'restore')
    into orgs, undone, falls, total, deleted, restored, images
    from (
      select l.org_id, l.verdict, l.total_credits, l.image, g.bought, b.becomes,
        l.verdict in ('delete', 'restore')
          and case when l.paid or g.paid then b.becomes >= l.total_credits or f.becomes <= b.becomes
            else b.becomes is not null end as ours
      from credit_rollout.undo_lineage(taken, low, high) l
      left join unnest(ids, pays, legacies, purchases) g (org_id, paid, legacy, bought) on g.org_id = l.org_id
      cross join lateral (select case when l.image is null then g.legacy
        when r.becomes <= 9223372036854775807 then r.becomes::bigint end as becomes
        from (select (l.image ->> 'total_credits')::numeric - (l.image ->> 'additional_credits')::numeric + g.bought
          as becomes) r) b
      left join credit_rollout.undo_falls f on f.org_id = l.org_id
        and f.undo_id = (select p.undo_id from credit_rollout.undo_plans p where p.run_id = run)
        and (low is null or f.org_id >= low) and (high is null or f.org_id < high)) t;
  perform set_config('credit_rollout.cause', 'undo', true), set_config('credit_rollout.run_id', run::text, true);
  delete from credit_rollout.allotments a where a.org_id = any (deleted) and ${WITHIN};
  if restored is not null then
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
  end if;
  perform set_config('credit_rollout.cause', '', true);
end $$;

-- Undoes one pending range: what of it is left is a conflict.
create or replace function credit_rollout.undo_range(run bigint, number integer, out orgs integer, out undone integer,
  out falls integer, out total numeric) language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  batch credit_rollout.batches := credit_rollout.lock_undo_range(run, number);
  ids credit_rollout.org_id[]; pays boolean[]; legacies bigint[]; purchases bigint[];
begin
  -- a statement after the lock: it sees what was committed while it was waited for
  select s.ids, s.pays, s.legacies, s.purchases into ids, pays, legacies, purchases
    from credit_rollout.undo_source(batch.lower_id, batch.upper_id) s;
  select k.orgs, k.undone, k.falls, k.total into orgs, undone, falls, total
    from credit_rollout.take_back(run, number, ids, pays, legacies, purchases) k;
end $$;

-- What the source gives for the orgs of a range, as \`take_back\` wants it.
create function credit_rollout.undo_source(low credit_rollout.org_id, high credit_rollout.org_id,
  out ids credit_rollout.org_id[], out pays boolean[], out legacies bigint[], out purchases bigint[])
  language plpgsql stable security definer ${FAST} as $$
begin
  select array_agg(a.org_id), array_agg(a.paid),
      array_agg(case when a.reason is null and a.legacy_limit <= 9223372036854775807 - a.additional_credits
        then a.legacy_limit + a.additional_credits end),
      array_agg(case when a.reason is null then a.additional_credits end)
    into ids, pays, legacies, purchases
    from credit_rollout.assessed(null) a where ${WITHIN};
end $$;
revoke all on function credit_rollout.take_back, credit_rollout.undo_source from public;`,
};
