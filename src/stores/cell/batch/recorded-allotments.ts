// Compares allotments with what was recorded about them: their checksums, the history, the runs that wrote them and,
// while it exists, the plan of the newest run. Finds rows that somebody else changed, inserted or deleted. Reads only.
import { selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { type KeyRange, rangeCondition, storedRangeCondition } from '../key-range.js';

/** A part of WITH: the newest change of each org in the range. */
export const NEWEST_CHANGES = (within: string): string => `
newest as materialized (
  select distinct on (c.org_id) c.org_id, c.operation, c.version, c.cause from credit_rollout.org_changes c
  where ${within} order by c.org_id, c.change_id desc)`;

const IN_SOURCE = (id: string): string => `
  exists (select from credit_rollout.source_orgs s
    where s.org_id = ${id} and s.org_id <> all (:unreadable::credit_rollout.org_id[]))`;

// Somebody's SQL that came to what the source gives, and left alone what no write of ours changes.
const CORRECTED = `
  n.operation = 'update' and n.cause = 'manual edit'
  and exists (select from credit_rollout.source_orgs s cross join credit_rollout.cell x
    join credit_rollout.rate_cards c on c.card_hash = x.active_card
    where s.org_id = a.org_id and s.org_id <> all (:unreadable::credit_rollout.org_id[])
      and (a.edition, a.paid, a.agents, a.light_agents, a.additional_credits, a.negotiated_limit)
        is not distinct from (s.edition, s.paid, s.agents,
          case when c.light_agents_count_as_users then s.light_agents else coalesce(s.light_agents, 0) end,
          s.additional_credits, s.negotiated_limit))
  and (select (b.origin, b.run_id, b.rate_card, b.floor, b.floor_edition, b.unpaid_since, b.computed_at)
      is not distinct from (a.origin, a.run_id, a.rate_card, a.floor, a.floor_edition, a.unpaid_since, a.computed_at)
    from credit_rollout.allotment_changes e
    cross join lateral jsonb_populate_record(null::credit_rollout.allotments, e.before) b
    where e.org_id = a.org_id and e.cause = 'manual edit' and e.change_id > coalesce((
      select max(o.change_id) from credit_rollout.org_changes o
      where o.org_id = a.org_id and o.cause <> 'manual edit'), 0)
    order by e.change_id limit 1)`;

const SHARED = ['rate_card', 'origin', 'run_id', 'version', 'computed_at'];
const sharedOf = (row: string): string => SHARED.map((column) => `${row}.${column}`).join(', ');

/** A part of WITH: one allotment of the range. Most were written by the same statement, and share this with it. */
export const LAST_STORED = (within: string): string => `
last_stored as materialized (
  select ${sharedOf('a')}, credit_rollout.checksum_shared(${sharedOf('a')}) as shared
  from credit_rollout.allotments a where ${within} order by a.org_id desc limit 1)`;

const lastStored = (column: string): string => `(select l.${column} from last_stored l)`;

// The function checksum_of, with what most rows share computed once.
const CHECKSUM = `credit_rollout.checksum_row(
      case when (${sharedOf('a')}) = (${SHARED.map(lastStored).join(', ')}) then ${lastStored('shared')}
        else credit_rollout.checksum_shared(${sharedOf('a')}) end,
      a.org_id, a.edition, a.paid, a.unpaid_since, a.floor_edition, a.agents, a.light_agents, a.negotiated_limit,
      a.additional_credits, a.floor, a.total_credits)`;

// The function is_intact as an expression: with its sub-query Postgres does not inline it, and calls it for each row.
const INTACT = `coalesce(a.checksum = ${CHECKSUM}
      or a.checksum = credit_rollout.earlier_checksum_of(a),
    a.computed_at < (select x.checksums_since from credit_rollout.cell x))`;

const RUNS = (columns: string): string => `(select ${columns} from credit_rollout.runs r where r.kind = 'migrate')`;

// Nearly all rows are of the newest run: only the others look theirs up.
const OF_ANOTHER_CARD = `case when a.run_id = ${RUNS('max(r.run_id)')}
      then a.rate_card <> ${RUNS('(array_agg(r.card_hash order by r.run_id desc))[1]')}
      else a.run_id in ${RUNS('r.run_id')} and (a.run_id, a.rate_card) not in ${RUNS('r.run_id, r.card_hash')} end`;

/**
 * `quick`: finds all that `whole` finds, and also edits that are corrected and orgs that have left the source. Where it
 * finds nothing, the rest need not be asked, which takes as long to plan as all that `quick` has.
 */
export type Look = 'quick' | 'whole';

/** SQL: whether an allotment `a` is not what was recorded about it, and what that joins. Needs both parts of WITH. */
export const foreign = (look: Look): { readonly columns: string; readonly joins: string } => ({
  columns: `,
          (a.version <> case n.operation when 'update' then n.version + 1 else 1 end
            or ${OF_ANOTHER_CARD}
            -- while no gate was ever armed, a paid org's first decision is its promise
            or n.operation is null and a.version = 1 and a.origin = 'migrated'
              and not exists (select from credit_rollout.gate where effective_at is not null)
              and not exists (select from credit_rollout.reversals)
              and (a.floor, a.floor_edition) is distinct from (
                case when a.paid then a.legacy_limit end, case when a.paid then a.edition end)
            or not (${INTACT})${look === 'whole' ? ` and (${CORRECTED}) is not true` : ''}) as is_foreign`,
  joins: 'left join newest n on n.org_id = a.org_id',
});

/** SQL: the orgs of `newest` without a row, though no night retired it. */
export const missingOrgs = (look: Look): string => `(
    select coalesce(array_agg(n.org_id::text), '{}') from newest n
    where (n.operation = 'update' or n.cause = 'manual edit')
      and not exists (select from credit_rollout.allotments a where a.org_id = n.org_id)
      ${look === 'whole' ? `and ${IN_SOURCE('n.org_id')}` : ''})`;

const NEWEST_PLANNED = `
  select r.run_id, r.plan_id from credit_rollout.runs r join credit_rollout.plans p on p.plan_id = r.plan_id
  where r.kind = 'migrate' and r.state = 'done'
    and r.run_id = (select max(m.run_id) from credit_rollout.runs m where m.kind = 'migrate')`;

/** SQL: whether there is a plan to compare with. */
export const IS_PLANNED = `exists (${NEWEST_PLANNED})`;

/** Columns that a plan has, in the order of `planned`. */
const PLANNED = [
  'edition',
  'paid',
  'agents',
  'light_agents',
  'additional_credits',
  'negotiated_limit',
  'total_credits',
];
const plannedOf = (row: string): string => PLANNED.map((column) => `${row}.${column}`).join(', ');

const UNPLANNED = (stored: string, changes: string, planned: string): string => `
with ${NEWEST_CHANGES(changes)},
run as materialized (${NEWEST_PLANNED}),
plan as materialized (
  select q.* from run r
  join credit_rollout.plan_ranges g on g.plan_id = r.plan_id
    and (:upper_bound::credit_rollout.org_id is null or g.lower_id is null
      or g.lower_id < :upper_bound::credit_rollout.org_id)
    and (:lower_bound::credit_rollout.org_id is null or g.upper_id is null
      or g.upper_id > :lower_bound::credit_rollout.org_id)
  cross join lateral credit_rollout.planned(r.plan_id, g.range_no) q where ${planned}),
written as materialized (
  select a.* from credit_rollout.allotments a join run r on r.run_id = a.run_id where a.version = 1 and ${stored}),
excused as materialized (
  select n.org_id from newest n
  union all select z.org_id from credit_rollout.stale_orgs z join run r on r.run_id = z.run_id
  union all select z.org_id from credit_rollout.quarantine z join run r on r.run_id = z.run_id)
select coalesce(a.org_id, q.org_id)::text as id
from written a full join plan q on q.org_id = a.org_id
where not exists (select from excused e where e.org_id = coalesce(a.org_id, q.org_id))
  and (a.org_id is not null and (q.movement is distinct from 'first' or (${plannedOf('a')})
      is distinct from (${plannedOf('q')}))
    or a.org_id is null and q.movement = 'first'
      and not exists (select from credit_rollout.allotments o where o.org_id = q.org_id) and ${IN_SOURCE('q.org_id')})`;

/**
 * The orgs of a range whose allotments are not what the plan of the newest run says. `unreadable`: orgs whose columns
 * cannot be read.
 */
export async function listUnplanned(
  tx: CellTransaction,
  range: KeyRange,
  unreadable: readonly string[],
): Promise<readonly string[]> {
  const stored = storedRangeCondition(range, 'a.org_id');
  const changes = rangeCondition(range, 'c.org_id');
  const planned = rangeCondition(range, 'q.org_id');
  const rows = await selectRows<{ readonly id: string }>(tx, UNPLANNED(stored.sql, changes.sql, planned.sql), {
    ...stored.values,
    lower_bound: range.lowerId,
    upper_bound: range.upperId,
    unreadable,
  });
  return rows.map(({ id }) => id);
}

// A row that a run inserted is there, or its before-image is.
const UNACCOUNTED = `
with counted as (
  select r.run_id, coalesce(sum(b.inserted), 0) as orgs
  from credit_rollout.runs r join credit_rollout.batches b using (run_id)
  where r.kind = 'migrate' group by 1),
forms as (
  select a.org_id, null as change_id, a.run_id, a.version, null as operation from credit_rollout.allotments a
  union all
  select c.org_id, c.change_id, c.written_by, c.version, c.operation from credit_rollout.org_changes c),
found as (
  select f.run_id, count(*) as orgs from (
    select o.*, lag(o.operation) over w as last_operation, lag(o.run_id) over w as last_run from forms o
    window w as (partition by o.org_id order by o.change_id nulls last)) f
  -- what was restored is as it was when it went
  where f.version = 1 and (f.last_operation is distinct from 'delete' or f.last_run is distinct from f.run_id)
  group by 1)
select coalesce(sum(abs(c.orgs - coalesce(f.orgs, 0))), 0)::int as orgs
from counted c left join found f using (run_id)`;

/** How many allotments that runs of a rollout inserted are neither there nor recorded, or are there without a run. */
export async function countUnaccounted(tx: CellTransaction): Promise<number> {
  const { orgs } = await selectRow<{ readonly orgs: number }>(tx, UNACCOUNTED);
  return orgs;
}
