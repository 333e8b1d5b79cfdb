// Writes what a plan says: the canary, a range org by org where something changed since, and the follow-up of what was
// left out. One statement each, so that what is compared is what is written. Calls the rule, never restates it.

import type { CellTransaction } from '../cell-database.js';
import { rowHash } from '../hashes.js';
import type { KeyRange } from '../key-range.js';
import { CREDIT_TERMS, CREDIT_UPDATES, setCause } from './allotments.js';

/** What one statement did; `totalCredits` is over what was written, as decimal text. */
export interface PlannedCounts {
  readonly orgs: number;
  readonly inserted: number;
  readonly raised: number;
  readonly stale: number;
  readonly quarantined: number;
  readonly falls: number;
  readonly totalCredits: string;
}

export interface PlannedRun {
  readonly runId: bigint;
  readonly cardHash: string;
  readonly planId: bigint;
}

const ROW = CREDIT_TERMS.replace(/(\w+)/gu, 'n.$1');
const TOUCHED = (movement: string): string => `coalesce(${movement} in ('first', 'raise'), false)`;

const WRITTEN = (agreed: string): string => `
written as (
  insert into credit_rollout.allotments as a (${CREDIT_TERMS}, origin, run_id)
  select ${ROW}, 'migrated', ?::bigint from now n ${agreed} order by n.org_id
  on conflict (org_id) do update set ${CREDIT_UPDATES}, computed_at = clock_timestamp()
    where excluded.total_credits >= a.total_credits and (a.floor is null or excluded.floor >= a.floor)
  returning org_id, total_credits, xmax = 0 as fresh)`;

const SET_ASIDE = `
set_aside as (
  insert into credit_rollout.quarantine (run_id, org_id, reason, inputs)
  select ?::bigint, n.org_id, n.reason, jsonb_build_object('edition', n.edition, 'paid', n.paid, 'agents', n.agents,
    'light_agents', n.light_agents, 'additional_credits', n.additional_credits, 'legacy_limit', n.negotiated_limit)
  from now n where n.reason is not null
  on conflict (run_id, org_id) do nothing)`;

const COUNTS = (stale: string): string => `
select (select count(*) from now)::int as orgs, ${stale} as stale,
  (select count(*) from now where reason is not null)::int as quarantined,
  (select count(*) from now where reason is null and movement = 'fall')::int as falls,
  count(*) filter (where fresh)::int as inserted, count(*) filter (where not fresh)::int as raised,
  coalesce(sum(total_credits), 0)::text as "totalCredits" from written`;

const now = (from: string): string =>
  `now as materialized (select distinct on (d.org_id) d.*${from} d order by d.org_id)`;

// inputs, then outcome: what was seen when it was planned
const SEEN = (
  row: string,
): string => `(${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents, ${row}.additional_credits,
  ${row}.negotiated_limit, ${row}.total_credits)`;
// of an org that it could not decide a plan keeps neither edition nor payment
const IMAGE = (
  row: string,
): string => `jsonb_build_object('edition', ${row}.edition, 'paid', case when ${row}.edition is not null then ${row}.paid end, 'agents', ${row}.agents,
  'light_agents', ${row}.light_agents, 'additional_credits', ${row}.additional_credits, 'legacy_limit', ${row}.negotiated_limit,
  'total_credits', ${row}.total_credits)`;

const BY_ORG = `
with ${now(`
  from credit_rollout.decided(?::credit_rollout.org_id, ?::credit_rollout.org_id, null, ?)`)},
plan as materialized (
  select q.* from credit_rollout.planned(?::bigint, ?::int) q
  where (?::credit_rollout.org_id is null or q.org_id >= ?::credit_rollout.org_id)
    and (?::credit_rollout.org_id is null or q.org_id < ?::credit_rollout.org_id)),
changed as materialized (
  select coalesce(n.org_id, q.org_id) as org_id, n.org_id is not null as present,
    case when n.org_id is null then 'gone' when q.org_id is null then 'appeared' else 'changed' end as reason,
    case when q.org_id is not null then ${IMAGE('q')} end as planned, case when n.org_id is not null then ${IMAGE('n')} end as found
  from now n full join plan q on q.org_id = n.org_id
  where (n.org_id is null and ${TOUCHED('q.movement')})
    or (n.reason is null and (${TOUCHED('n.movement')} or ${TOUCHED('q.movement')})
      and (q.org_id is null or ${SEEN('n')} is distinct from ${SEEN('q')}))),
left_out as (
  insert into credit_rollout.stale_orgs (run_id, org_id, reason, planned, found)
  select ?::bigint, org_id, reason, planned, found from changed
  where present or reason = 'gone' on conflict (run_id, org_id) do nothing),
${WRITTEN(`where n.reason is null and ${TOUCHED('n.movement')} and not exists (select from changed c where c.org_id = n.org_id)`)},
${SET_ASIDE}
${COUNTS('(select count(*) from changed where present)::int')}`;

/** A range org by org: what is as it was planned is written, the rest is listed with its old and new inputs. */
export async function writeByOrg(
  tx: CellTransaction,
  range: KeyRange,
  run: PlannedRun & { readonly planRange: number },
): Promise<PlannedCounts> {
  await setCause(tx, 'apply', run.runId);
  const { lowerId, upperId } = range;
  const id = String(run.runId);
  const bindings = [
    lowerId,
    upperId,
    run.cardHash,
    String(run.planId),
    run.planRange,
    lowerId,
    lowerId,
    upperId,
    upperId,
  ];
  return (await tx.raw(BY_ORG, [...bindings, id, id, id])).rows[0];
}

const CANARY = `
with ${now(`, ${rowHash('d')} as hash
  from credit_rollout.decided(null, null, ?::credit_rollout.org_id[], ?)`)},
seen as (
  select c.org_id, c.hash from credit_rollout.plans p
  cross join lateral unnest(p.canary_ids, p.canary_hashes) as c (org_id, hash) where p.plan_id = ?::bigint),
${WRITTEN(`join seen s on s.org_id = n.org_id and s.hash = n.hash where n.reason is null and ${TOUCHED('n.movement')}`)}
${COUNTS('0')}`;

/** The canary: only orgs that are still as they were planned; the others are left to their range. */
export async function writeCanary(
  tx: CellTransaction,
  ids: readonly string[],
  run: PlannedRun,
): Promise<PlannedCounts> {
  await setCause(tx, 'apply', run.runId);
  const { rows } = await tx.raw(CANARY, [[...ids], run.cardHash, String(run.planId), String(run.runId)]);
  // undecidable ones are set aside by their range
  return { ...rows[0], quarantined: 0 };
}

// the limits of one org; those of the whole plan were asked before the follow-up began
const INSIDE = `
n.reason is null and ${TOUCHED('n.movement')}
  and not exists (select from credit_rollout.protected_orgs p where p.org_id = n.org_id)
  and n.total_credits::float8 / greatest(coalesce(n.prior_total, n.legacy_limit::float8 + n.additional_credits), 1)
    <= coalesce((select (r.rails ->> 'maxRaiseFactor')::float8 from credit_rollout.runs r where r.run_id = ?::bigint), 'infinity')
  and coalesce(case when n.negotiated_limit is null then n.floor end::float8 / greatest(n.base_credits + n.variable_credits, 1), 0)
    <= coalesce((select (r.rails ->> 'floorOverPlan')::float8 from credit_rollout.runs r where r.run_id = ?::bigint), 'infinity')`;

const FOLLOW_UP = `
with ${now(`
  from credit_rollout.decided(null, null, ?::credit_rollout.org_id[], ?)`)},
${WRITTEN(`where ${INSIDE}`)},
${SET_ASIDE},
settled as (
  update credit_rollout.stale_orgs s set settled_at = clock_timestamp(), settled = case
      when n.org_id is null then 'gone' when n.reason is not null then 'quarantined'
      when w.org_id is not null then 'applied' else 'unchanged' end
  from unnest(?::credit_rollout.org_id[]) i (org_id)
  left join now n on n.org_id = i.org_id left join written w on w.org_id = i.org_id
  where s.run_id = ?::bigint and s.org_id = i.org_id and s.settled_at is null
    and (w.org_id is not null or n.org_id is null or n.reason is not null or not ${TOUCHED('n.movement')})
  returning s.org_id)
${COUNTS('(select count(*) from now where reason is null)::int - (select count(*) from settled s join now n using (org_id) where n.reason is null)::int')}`;

/** The follow-up: stale orgs on today's inputs, inside the guard-rails of one org; what is settled says so. */
export async function writeFollowUp(
  tx: CellTransaction,
  ids: readonly string[],
  run: Pick<PlannedRun, 'runId' | 'cardHash'>,
): Promise<PlannedCounts> {
  await setCause(tx, 'apply', run.runId);
  const id = String(run.runId);
  return (await tx.raw(FOLLOW_UP, [[...ids], run.cardHash, id, id, id, id, [...ids], id])).rows[0];
}

/** Whether the columns of a plan's range are what its digest was made of. */
export async function isRangeIntact(tx: CellTransaction, planId: bigint, planRange: number): Promise<boolean> {
  const { rows } = await tx.raw(
    `select r.digest = coalesce((select sum(${rowHash('q')}) from credit_rollout.planned(?::bigint, ?::int) q
       where ${TOUCHED('q.movement')}), 0) as intact
     from credit_rollout.plan_ranges r where r.plan_id = ?::bigint and r.range_no = ?::int`,
    [String(planId), planRange, String(planId), planRange],
  );
  return rows[0]?.intact ?? false;
}
