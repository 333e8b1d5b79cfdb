// Writes what a plan says: the canary, a range org by org where something changed since, and the follow-up of the orgs
// that were left out. One statement each, so that what is compared is what is written. Calls the rule and never
// restates it.
import { findRow, selectRow } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { rowHash } from '../hashes.js';
import type { KeyRange } from '../key-range.js';
import { setCause } from './allotments.js';
import { INSERTED_COLUMNS, insertedFrom, quarantinedInputs, UPDATE_UNLESS_FALLING } from './credit-terms.js';

/** What one statement did; `totalCredits` is over the written allotments, as decimal text. */
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

// Parts of the statements below. Each begins with `now`: one row per org, as the rule decides it at this moment.

const isTouched = (movement: string): string => `coalesce(${movement} in ('first', 'raise'), false)`;

/** `agreed` joins and filters the rows `n` of `now` that may be written. */
const written = (agreed: string): string => `
written as (
  insert into credit_rollout.allotments as a (${INSERTED_COLUMNS})
  select ${insertedFrom('n', "'migrated'", ':run_id::bigint')}
  from now n ${agreed}
  order by n.org_id
  ${UPDATE_UNLESS_FALLING}
  returning org_id, total_credits, xmax = 0 as fresh)`;

const QUARANTINED = `
quarantined as (
  insert into credit_rollout.quarantine (run_id, org_id, reason, inputs)
  select :run_id::bigint, n.org_id, n.reason, ${quarantinedInputs('n')}
  from now n where n.reason is not null
  on conflict (run_id, org_id) do nothing)`;

const counts = (stale: string): string => `
select (select count(*) from now)::int as orgs,
  ${stale} as stale,
  (select count(*) from now where reason is not null)::int as quarantined,
  (select count(*) from now where reason is null and movement = 'fall')::int as falls,
  count(*) filter (where fresh)::int as inserted,
  count(*) filter (where not fresh)::int as raised,
  coalesce(sum(total_credits), 0)::text as total_credits
from written`;

// inputs, then outcome: what the plan saw
const seenTerms = (row: string): string => `
  (${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents, ${row}.additional_credits,
   ${row}.negotiated_limit, ${row}.total_credits)`;

// a plan stores neither edition nor payment of an org that it could not decide
const image = (row: string): string => `
  jsonb_build_object(
    'edition', ${row}.edition, 'paid', case when ${row}.edition is not null then ${row}.paid end,
    'agents', ${row}.agents, 'light_agents', ${row}.light_agents, 'additional_credits', ${row}.additional_credits,
    'legacy_limit', ${row}.negotiated_limit, 'total_credits', ${row}.total_credits)`;

const BY_ORG = `
with now as materialized (
  select distinct on (d.org_id) d.*
  from credit_rollout.decided(:lower_id::credit_rollout.org_id, :upper_id::credit_rollout.org_id, null, :card_hash) d
  order by d.org_id),
plan as materialized (
  select q.* from credit_rollout.planned(:plan_id::bigint, :plan_range::int) q
  where (:lower_id::credit_rollout.org_id is null or q.org_id >= :lower_id::credit_rollout.org_id)
    and (:upper_id::credit_rollout.org_id is null or q.org_id < :upper_id::credit_rollout.org_id)),
changed as materialized (
  select coalesce(n.org_id, q.org_id) as org_id,
    n.org_id is not null as present,
    case when n.org_id is null then 'gone' when q.org_id is null then 'appeared' else 'changed' end as reason,
    case when q.org_id is not null then ${image('q')} end as planned,
    case when n.org_id is not null then ${image('n')} end as found
  from now n full join plan q on q.org_id = n.org_id
  where (n.org_id is null and ${isTouched('q.movement')})
    or (n.reason is null
      and (${isTouched('n.movement')} or ${isTouched('q.movement')})
      and (q.org_id is null or ${seenTerms('n')} is distinct from ${seenTerms('q')}))),
left_out as (
  insert into credit_rollout.stale_orgs (run_id, org_id, reason, planned, found)
  select :run_id::bigint, org_id, reason, planned, found from changed
  where present or reason = 'gone'
  on conflict (run_id, org_id) do nothing),
${written(`
  where n.reason is null and ${isTouched('n.movement')}
    and not exists (select from changed c where c.org_id = n.org_id)`)},
${QUARANTINED}
${counts('(select count(*) from changed where present)::int')}`;

/**
 * A range org by org: orgs that are as they were planned are written; the others are listed with old and new inputs.
 */
export async function writeByOrg(
  tx: CellTransaction,
  range: KeyRange,
  run: PlannedRun & { readonly planRange: number },
): Promise<PlannedCounts> {
  await setCause(tx, 'apply', run.runId);
  return selectRow<PlannedCounts>(tx, BY_ORG, {
    lower_id: range.lowerId,
    upper_id: range.upperId,
    card_hash: run.cardHash,
    plan_id: run.planId,
    plan_range: run.planRange,
    run_id: run.runId,
  });
}

const CANARY = `
with now as materialized (
  select distinct on (d.org_id) d.*, ${rowHash('d')} as hash
  from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], :card_hash) d
  order by d.org_id),
seen as (
  select c.org_id, c.hash from credit_rollout.plans p
  cross join lateral unnest(p.canary_ids, p.canary_hashes) as c (org_id, hash)
  where p.plan_id = :plan_id::bigint),
${written(`
  join seen s on s.org_id = n.org_id and s.hash = n.hash
  where n.reason is null and ${isTouched('n.movement')}`)}
${counts('0')}`;

/** The canary: only orgs that are still as they were planned; the others are left to their range. */
export async function writeCanary(
  tx: CellTransaction,
  ids: readonly string[],
  run: PlannedRun,
): Promise<PlannedCounts> {
  await setCause(tx, 'apply', run.runId);
  const found = await selectRow<PlannedCounts>(tx, CANARY, {
    ids,
    card_hash: run.cardHash,
    plan_id: run.planId,
    run_id: run.runId,
  });
  // the batch of their range quarantines undecidable orgs
  return { ...found, quarantined: 0 };
}

const rail = (name: string): string => `
  coalesce(
    (select (r.rails ->> '${name}')::float8 from credit_rollout.runs r where r.run_id = :run_id::bigint), 'infinity')`;

// the limits of one org; those of the whole plan were checked before the follow-up began
const WITHIN_RAILS = `
n.reason is null and ${isTouched('n.movement')}
  and not exists (select from credit_rollout.protected_orgs p where p.org_id = n.org_id)
  and n.total_credits::float8
    / greatest(coalesce(n.prior_total, n.legacy_limit::float8 + n.additional_credits), 1) <= ${rail('maxRaiseFactor')}
  and coalesce(
    case when n.negotiated_limit is null then n.floor end::float8 / greatest(n.base_credits + n.variable_credits, 1),
    0) <= ${rail('floorOverPlan')}`;

const FOLLOW_UP = `
with now as materialized (
  select distinct on (d.org_id) d.*
  from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], :card_hash) d
  order by d.org_id),
${written(`where ${WITHIN_RAILS}`)},
${QUARANTINED},
settled as (
  update credit_rollout.stale_orgs s
  set settled_at = clock_timestamp(), settled = case
      when n.org_id is null then 'gone' when n.reason is not null then 'quarantined'
      when w.org_id is not null then 'applied' else 'unchanged' end
  from unnest(:ids::credit_rollout.org_id[]) i (org_id)
  left join now n on n.org_id = i.org_id
  left join written w on w.org_id = i.org_id
  where s.run_id = :run_id::bigint and s.org_id = i.org_id and s.settled_at is null
    and (w.org_id is not null or n.org_id is null or n.reason is not null or not ${isTouched('n.movement')})
  returning s.org_id)
${counts(`
  (select count(*) from now where reason is null)::int
    - (select count(*) from settled s join now n using (org_id) where n.reason is null)::int`)}`;

/**
 * The follow-up: stale orgs on today's inputs, inside the guard-rails of one org; records which of them are settled.
 */
export async function writeFollowUp(
  tx: CellTransaction,
  ids: readonly string[],
  run: Pick<PlannedRun, 'runId' | 'cardHash'>,
): Promise<PlannedCounts> {
  await setCause(tx, 'apply', run.runId);
  return selectRow<PlannedCounts>(tx, FOLLOW_UP, { ids, card_hash: run.cardHash, run_id: run.runId });
}

/** Whether the columns of a plan's range are what its digest was made of. */
export async function isRangeIntact(tx: CellTransaction, planId: bigint, planRange: number): Promise<boolean> {
  const row = await findRow<{ intact: boolean }>(
    tx,
    `select r.digest = coalesce(
       (select sum(${rowHash('q')}) from credit_rollout.planned(:plan_id::bigint, :plan_range::int) q
        where ${isTouched('q.movement')}), 0) as intact
     from credit_rollout.plan_ranges r where r.plan_id = :plan_id::bigint and r.range_no = :plan_range::int`,
    { plan_id: planId, plan_range: planRange },
  );
  return row?.intact ?? false;
}
