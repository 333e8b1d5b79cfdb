// Why: an undo takes back exactly what one run has written, and leaves what somebody changed since. The record of the
// cell says which orgs those are; the source says what they have afterwards, and the owner's functions never read it.
import type { Migration } from '../migration.js';

/** What a purchase changes, and what is not a term. */
export const LEFT_ASIDE = `'{additional_credits,total_credits,version,run_id,computed_at,checksum}'::text[]`;
const WITHIN = `(low is null or a.org_id >= low) and (high is null or a.org_id < high)`;
// fenced: what is wanted in order of change_id would else be read by that index, from there to the newest of all orgs
const HISTORY = '(select x.* from credit_rollout.allotment_changes x where x.org_id = o.org_id offset 0)';

// as is_intact, which Postgres cannot inline: this is a hundred times as fast
const INTACT = 'coalesce(a.checksum = credit_rollout.checksum_of(a), a.computed_at < since)';
// ranges as constants, which reach the indexes; only where nothing is written: triggers would be planned for every row
const FAST = 'set search_path = pg_catalog, pg_temp set jit = off set plan_cache_mode = force_custom_plan';

/**
 * Why: whose row is the run's, and whose is somebody else's by now. `written` is the form that the run gave it, `image`
 * the one before where the run raised it; both null where nobody changed a first decision. Of those no history is read;
 * of the others it is read by org, never by run, whose rows may be millions.
 */
export const traceUndone: Migration = {
  name: '20261204070001_pre_trace_undone',
  up: `
create function credit_rollout.undo_lineage(undone bigint, low credit_rollout.org_id, high credit_rollout.org_id)
  returns table (org_id credit_rollout.org_id, verdict text, paid boolean, total_credits bigint, written jsonb,
    image jsonb)
  language plpgsql stable rows 10000 security definer ${FAST} as $$
declare
  opened constant timestamptz := (select r.opened_at from credit_rollout.runs r where r.run_id = undone);
  since constant timestamptz := (select k.checksums_since from credit_rollout.cell k);
begin
  return query
    with own as materialized (
      select a.org_id, a.paid, a.total_credits, ${INTACT} as intact,
        case when a.version <> 1 or a.run_id is distinct from undone or not ${INTACT} then to_jsonb(a) end as form
      from credit_rollout.allotments a where ${WITHIN})
    select o.org_id, 'delete', o.paid, o.total_credits, null::jsonb, null::jsonb from own o where o.form is null
    union all
    select v.org_id, v.verdict, v.paid, v.total_credits, v.written, v.image from (
      select o.org_id, o.paid, o.total_credits, h.written, h.image, case
          when h.written is null then case
            when h.touched then 'return'
            when (h.first ->> 'computed_at')::timestamptz > opened then 'sign-up' end
          when o.intact and h.written - ${LEFT_ASIDE} = o.form - ${LEFT_ASIDE}
            then case when h.image is null then 'delete' else 'restore' end
          else coalesce((select c.cause from ${HISTORY} c
            where c.change_id > coalesce(h.raised, h.born) and c.cause <> 'purchase'
            order by c.change_id desc limit 1), 'manual edit') end as verdict
      from own o
      cross join lateral (
        select b.born, b.touched, f.form as first, f.raised, m.forms[1] as image,
          case when (f.form ->> 'run_id')::bigint = undone then f.form
            when f.raised is not null then coalesce(m.forms[2], o.form) end as written
        from (select coalesce(max(c.change_id) filter (where c.operation = 'delete'), 0) as born,
            coalesce(bool_or(c.run_id = undone or (c.before ->> 'run_id')::bigint = undone), false) as touched
          from ${HISTORY} c) b
        cross join lateral (select coalesce((array_agg(c.before order by c.change_id))[1], o.form) as form,
            min(c.change_id) filter (where c.operation = 'update' and c.run_id = undone) as raised
          from ${HISTORY} c where c.change_id > b.born) f
        cross join lateral (select array_agg(c.before order by c.change_id) as forms
          from ${HISTORY} c where c.change_id >= f.raised) m
        offset 0
      ) h
      where o.form is not null offset 0
    ) v where v.verdict is not null;
end $$;

-- With what each org has afterwards: its number of the old model, or what it had before, and today's purchases. What
-- the source does not hold, or holds undecidably, is left as it is.
create function credit_rollout.undo_targets(undone bigint, low credit_rollout.org_id, high credit_rollout.org_id)
  returns table (org_id credit_rollout.org_id, verdict text, paid boolean, total_credits bigint, becomes bigint,
    written_total bigint)
  language plpgsql stable rows 10000 security definer ${FAST} as $$
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
