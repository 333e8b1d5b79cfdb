// Heals what was found. Who is healed was decided before; what is written is decided by the rule in the cell, under the locks
// of the rows. Never writes a fall that was not found as one.
import { setCause } from '../batch/allotments.js';
import { CREDIT_TERMS, creditTermsOf, creditUpdatesFrom } from '../batch/credit-terms.js';
import type { CellTransaction } from '../cell-database.js';

/** Retires the allotments of those that are still gone; returns whose. */
export async function retireAllotments(
  tx: CellTransaction,
  runId: bigint,
  ids: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await tx.raw(
    'select id::text as id from credit_rollout.retire_allotments(?::bigint, ?::credit_rollout.org_id[]) as id',
    [String(runId), [...ids]],
  );
  return rows.map((row: { readonly id: string }) => row.id);
}

/** Brings back what was retired, deleted or lost; returns whose. */
export async function restoreRetired(
  tx: CellTransaction,
  runId: bigint,
  ids: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await tx.raw(
    'select id::text as id from credit_rollout.restore_retired(?::bigint, ?::credit_rollout.org_id[]) as id',
    [String(runId), [...ids]],
  );
  return rows.map((row: { readonly id: string }) => row.id);
}

export interface Repair {
  readonly runId: bigint;
  readonly cardHash: string;
  readonly kind: 'reconcile' | 'sweep';
  readonly cause: string;
  readonly ids: readonly string[];
}

export interface RepairedOrg {
  readonly orgId: string;
  /** Decimal text. */
  readonly totalCredits: string;
  readonly way: 'inserted' | 'updated';
  readonly movement: string;
}

const FLOOR_FALLS = '(a.floor is not null and (n.floor is null or n.floor < a.floor))';
const LAPSED = `coalesce(a.unpaid_since < (select (now() at time zone zone)::date - lapse_grace_days from credit_rollout.cell), false)`;

// a fall is written in a night, where it was found as one; what was restored just now has no movement of its own
const MAY_FALL = `?::boolean and (q.movement = 'fall' and (n.paid or not a.paid or q.cause = 'lapse') or q.movement = 'first')`;

// the database lets a floor fall by two names only
const FLOOR_MAY_FALL = `case ?::text when 'edition' then not ${LAPSED} when 'lapse' then ${LAPSED} else false end`;

const REPAIR = `
with n as materialized (
  select distinct on (d.org_id) d.* from credit_rollout.decided(null, null, ?::credit_rollout.org_id[], ?) d order by d.org_id),
allowed as materialized (
  select n.*, q.cause from n join credit_rollout.drift q on q.run_id = ?::bigint and q.org_id = n.org_id and q.outcome = 'to_heal'
  left join credit_rollout.allotments a on a.org_id = n.org_id
  where n.reason is null and (n.movement in ('first', 'raise', 'inputs') or n.movement = 'fall' and ${MAY_FALL})
    and (not coalesce(${FLOOR_FALLS}, false) or ${FLOOR_MAY_FALL})),
inserted as (
  insert into credit_rollout.allotments (${CREDIT_TERMS}, origin, run_id)
  select ${creditTermsOf('n')}, case n.cause when 'missed sign-up' then 'signup' else 'migrated' end, ?::bigint
  from allowed n where n.movement = 'first' order by n.org_id
  on conflict (org_id) do nothing returning org_id, total_credits),
updated as (
  update credit_rollout.allotments a set ${creditUpdatesFrom('n')}, run_id = ?::bigint, computed_at = clock_timestamp()
  from allowed n where n.org_id = a.org_id and n.movement <> 'first'
  returning a.org_id, a.total_credits, n.movement)
select org_id::text as "orgId", total_credits::text as "totalCredits", 'inserted' as way, 'first' as movement from inserted
union all select org_id::text, total_credits::text, 'updated', movement from updated`;

/** Writes what the rule gives for the orgs of a repair that are still to be healed, under one cause. Lock them before. */
export async function repairAllotments(tx: CellTransaction, repair: Repair): Promise<readonly RepairedOrg[]> {
  await setCause(tx, repair.cause, repair.runId);
  const id = String(repair.runId);
  const { rows } = await tx.raw(REPAIR, [
    [...repair.ids],
    repair.cardHash,
    id,
    repair.kind === 'reconcile',
    repair.cause,
    id,
    id,
  ]);
  return rows;
}

/** What became of the orgs of a repair: healed, or nothing was to be written any more. */
export async function settleDrift(
  tx: CellTransaction,
  runId: bigint,
  ids: readonly string[],
  healed: readonly string[],
): Promise<void> {
  await tx.raw(
    `update credit_rollout.drift set outcome = case
       when not (org_id = any (?::credit_rollout.org_id[])) then 'unchanged'
       -- its inputs are up to date now, and the floor is still to be decided by people
       when proposes and movement = 'inputs' then 'proposed' else 'healed' end
     where run_id = ?::bigint and org_id = any (?::credit_rollout.org_id[]) and outcome = 'to_heal'`,
    [[...healed], String(runId), [...ids]],
  );
}

/** How many of these orgs cannot be decided now; they keep what they have. */
export async function countUndecidable(tx: CellTransaction, ids: readonly string[], cardHash: string): Promise<number> {
  const { rows } = await tx.raw(
    `select count(distinct d.org_id)::int as orgs from credit_rollout.decided(null, null, ?::credit_rollout.org_id[], ?) d
     where d.reason is not null`,
    [[...ids], cardHash],
  );
  return rows[0].orgs;
}
