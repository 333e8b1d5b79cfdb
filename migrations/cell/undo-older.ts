// Why: only the newest run that wrote could be undone. Three orgs that a second rollout wrote kept all that the first
// one had written from ever being taken back.
import type { Migration } from '../migration.js';
import { LEFT_ASIDE } from './undo-lineage.js';

const WITHIN = `(low is null or a.org_id >= low) and (high is null or a.org_id < high)`;
// fenced: what is wanted in order of change_id would else be read by that index, from there to the newest of all orgs
const HISTORY = '(select x.* from credit_rollout.org_changes x where x.org_id = o.org_id offset 0)';
const OWN = `c.operation = 'update' and c.run_id = undone`;
const OTHER_UNDO = `c.cause = 'undo' and c.run_id = any (undos)`;
// what another run wrote and an undo put back is as if it had never been
const FOREIGN = `c.run_id is distinct from undone and c.cause <> 'purchase'
            and not coalesce(c.run_id = any (f.gone), false)`;

// ranges as constants, which reach the indexes; only where nothing is written: triggers would be planned for every row
const FAST = 'set search_path = pg_catalog, pg_temp set jit = off set plan_cache_mode = force_custom_plan';

/**
 * Why: runs are taken back one after the other, the newest first. What a newer run wrote and its undo put back changes
 * nothing for an older one. Old code calls both functions as before, and is offered the next older run too.
 */
export const undoOlderRuns: Migration = {
  name: '20261207040000_pre_undo_older_runs',
  up: `
-- The rollout runs that wrote and of which no undo has ended.
create function credit_rollout.undoable_runs() returns setof bigint language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select r.run_id from credit_rollout.runs r where r.kind = 'migrate'
    and exists (select from credit_rollout.batches b where b.run_id = r.run_id and b.inserted + b.raised > 0)
    and not exists (select from credit_rollout.runs u where u.undoes = r.run_id and u.state = 'done')
$$;
revoke all on function credit_rollout.undoable_runs from public;

-- The newest of them; null: there is none.
create or replace function credit_rollout.undoable_run() returns bigint language sql stable
  security definer set search_path = pg_catalog, pg_temp as $$
  select max(r) from credit_rollout.undoable_runs() r
$$;

create or replace function credit_rollout.undo_lineage(undone bigint, low credit_rollout.org_id,
  high credit_rollout.org_id)
  returns table (org_id credit_rollout.org_id, verdict text, paid boolean, total_credits bigint, written jsonb,
    image jsonb)
  language plpgsql stable rows 10000 security definer ${FAST} as $$
declare
  opened constant timestamptz := (select r.opened_at from credit_rollout.runs r where r.run_id = undone);
  undos constant bigint[] := (select array_agg(u.run_id order by u.run_id) from credit_rollout.runs u
    where u.kind = 'undo' and u.undoes is distinct from undone);
  theirs constant bigint[] := (select array_agg(u.undoes order by u.run_id) from credit_rollout.runs u
    where u.kind = 'undo' and u.undoes is distinct from undone);
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
          when o.intact and h.last = 'undo' then null
          when o.intact and not h.mixed and h.written - ${LEFT_ASIDE} = h.form - ${LEFT_ASIDE}
            then case when h.image is null then 'delete' else 'restore' end
          else coalesce(h.last, 'manual edit') end as verdict
      from own o
      cross join lateral (
        select b.touched, n.form, f.form as first, m.last, m.mixed,
          case when not f.began then m.image end as image,
          case when f.settled is not null then coalesce(m.after, n.form) when f.began then f.form end as written
        from (select to_jsonb(a) as form from credit_rollout.allotments a where a.org_id = o.org_id) n
        cross join lateral (select coalesce(max(c.change_id) filter (where c.operation = 'delete'), 0) as born,
            coalesce(bool_or(c.run_id = undone or c.written_by = undone), false) as touched
          from ${HISTORY} c) b
        cross join lateral (select x.*, (x.form ->> 'run_id')::bigint is not distinct from undone as began
          from (select coalesce((array_agg(c.before order by c.change_id))[1], n.form) as form,
              min(c.change_id) filter (where ${OWN}) as raised, max(c.change_id) filter (where ${OWN}) as settled,
              array_agg(c.run_id) filter (where ${OTHER_UNDO})
                || array_agg(theirs[array_position(undos, c.run_id)]) filter (where ${OTHER_UNDO}) as gone
            from ${HISTORY} c where c.change_id > b.born) x) f
        cross join lateral (select (array_agg(c.before order by c.change_id))[1] as image,
            (array_agg(c.before order by c.change_id) filter (where c.change_id > f.settled))[1] as after,
            (array_agg(c.cause order by c.change_id desc) filter (where ${FOREIGN}))[1] as last,
            coalesce(bool_or(c.change_id < f.settled and ${FOREIGN}), false) as mixed
          from ${HISTORY} c where c.change_id >= case when f.began then b.born + 1 else f.raised end) m
        offset 0
      ) h
      where not o.untouched offset 0
    ) v where v.verdict is not null;
end $$;`,
};
