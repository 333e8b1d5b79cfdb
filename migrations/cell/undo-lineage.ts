// Why: an undo takes back exactly what one run has written, and leaves what somebody changed since. The record of the
// cell says which orgs those are; the source says what they have afterwards, and the owner's functions never read it.
import type { Migration } from '../migration.js';

/** What a purchase changes, and what is not a term. */
export const LEFT_ASIDE = `'{additional_credits,total_credits,version,run_id,computed_at,checksum}'::text[]`;
const WITHIN = `(low is null or a.org_id >= low) and (high is null or a.org_id < high)`;
const CHANGES = 'credit_rollout.allotment_changes';

/**
 * Why: whose row is the run's, and whose is somebody else's by now. `written` is the form that the run gave it, `image`
 * the one before where the run raised it; both null where nobody changed a first decision.
 */
export const traceUndone: Migration = {
  name: '20261204070001_pre_trace_undone',
  up: `
create function credit_rollout.undo_lineage(undone bigint, low credit_rollout.org_id, high credit_rollout.org_id)
  returns table (org_id credit_rollout.org_id, verdict text, paid boolean, total_credits bigint, written jsonb,
    image jsonb)
  language plpgsql stable rows 10000 security definer set search_path = pg_catalog, pg_temp as $$
declare
  opened constant timestamptz := (select r.opened_at from credit_rollout.runs r where r.run_id = undone);
begin
  return query
    select v.org_id, v.verdict, v.paid, v.total_credits, v.written, v.image from (
      select a.org_id, a.paid, a.total_credits, h.written, h.image, case
          when h.born is null then 'delete'
          when h.written is null then case
            when exists (select from ${CHANGES} c where c.org_id = a.org_id
              and (c.run_id = undone or (c.before ->> 'run_id')::bigint = undone)) then 'return'
            when (h.first ->> 'computed_at')::timestamptz > opened then 'sign-up' end
          when credit_rollout.is_intact(a) and h.written - ${LEFT_ASIDE} = to_jsonb(a) - ${LEFT_ASIDE}
            then case when h.image is null then 'delete' else 'restore' end
          else coalesce((select c.cause from ${CHANGES} c where c.org_id = a.org_id
            and c.change_id > coalesce(h.raised, h.born) and c.cause <> 'purchase'
            order by c.change_id desc limit 1), 'manual edit') end as verdict
      from credit_rollout.allotments a
      left join lateral (
        select b.born, f.form as first, m.change_id as raised, m.before as image,
          case when (f.form ->> 'run_id')::bigint = undone then f.form else n.form end as written
        from (select coalesce(max(d.change_id), 0) as born from ${CHANGES} d
          where d.org_id = a.org_id and d.operation = 'delete') b
        cross join lateral (select coalesce((select c.before from ${CHANGES} c where c.org_id = a.org_id
          and c.change_id > b.born order by c.change_id limit 1), to_jsonb(a)) as form) f
        left join lateral (select c.change_id, c.before from ${CHANGES} c where c.org_id = a.org_id
          and c.change_id > b.born and c.operation = 'update' and c.run_id = undone
          order by c.change_id limit 1) m on true
        left join lateral (select coalesce((select c.before from ${CHANGES} c where c.org_id = a.org_id
          and c.change_id > m.change_id order by c.change_id limit 1), to_jsonb(a)) as form
          where m.change_id is not null) n on true
      ) h on not (a.version = 1 and a.run_id is not distinct from undone and credit_rollout.is_intact(a))
      where ${WITHIN}
    ) v where v.verdict is not null;
end $$;

-- With what each org has afterwards: its number of the old model, or what it had before, and today's purchases. What
-- the source does not hold, or holds undecidably, is left as it is.
create function credit_rollout.undo_targets(undone bigint, low credit_rollout.org_id, high credit_rollout.org_id)
  returns table (org_id credit_rollout.org_id, verdict text, paid boolean, total_credits bigint, becomes bigint,
    written_total bigint)
  language plpgsql stable rows 10000 security definer set search_path = pg_catalog, pg_temp as $$
begin
  return query
    select l.org_id, case when l.verdict not in ('delete', 'restore') then l.verdict
        when s.org_id is null then 'gone'
        when s.reason is not null or t.becomes is null or t.becomes > 9223372036854775807 then 'undecidable'
        else l.verdict end,
      l.paid or coalesce(s.paid, false), l.total_credits,
      case when s.reason is null and t.becomes <= 9223372036854775807 then t.becomes::bigint end,
      (l.written ->> 'total_credits')::bigint
    from credit_rollout.undo_lineage(undone, low, high) l
    left join (select a.* from credit_rollout.assessed(null) a where ${WITHIN}) s on s.org_id = l.org_id
    cross join lateral (select case when l.image is null then s.legacy_limit::numeric
      else (l.image ->> 'total_credits')::numeric - (l.image ->> 'additional_credits')::numeric end
        + s.additional_credits as becomes) t;
end $$;

-- Plans one range of an undo.
create function credit_rollout.plan_undo_range(undo bigint, number integer) returns void language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  low credit_rollout.org_id; high credit_rollout.org_id; undone bigint;
  counts jsonb; falling credit_rollout.org_id[]; totals bigint[]; becoming bigint[];
begin
  select r.lower_id, r.upper_id, p.undoes into strict low, high, undone
    from credit_rollout.undo_ranges r join credit_rollout.undo_plans p using (undo_id)
    where r.undo_id = undo and r.range_no = number;
  select jsonb_build_object('orgs', count(*), 'deletes', count(*) filter (where t.verdict = 'delete'),
      'restores', count(*) filter (where t.verdict = 'restore'), 'conflicts', count(*) filter (where not t.ours),
      'falls', count(*) filter (where t.falls),
      'before_credits', coalesce(sum(t.total_credits) filter (where t.ours), 0),
      'after_credits', coalesce(sum(t.becomes) filter (where t.ours), 0)),
      array_agg(t.org_id order by t.org_id) filter (where t.falls and t.paid),
      array_agg(t.total_credits order by t.org_id) filter (where t.falls and t.paid),
      array_agg(t.becomes order by t.org_id) filter (where t.falls and t.paid)
    into counts, falling, totals, becoming
    from (select u.*, u.verdict in ('delete', 'restore') as ours,
        u.verdict in ('delete', 'restore') and u.becomes < u.total_credits as falls
      from credit_rollout.undo_targets(undone, low, high) u) t;
  perform credit_rollout.add_undo_range(undo, number, counts, falling, totals, becoming);
end $$;
revoke all on function credit_rollout.undo_lineage, credit_rollout.undo_targets, credit_rollout.plan_undo_range
  from public;`,
};
