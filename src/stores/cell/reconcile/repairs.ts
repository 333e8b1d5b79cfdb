// Heals the drift that a run found. Which orgs are healed was decided before; the rule in the cell decides what is
// written, under the locks of the rows. Never writes a fall that was not found as one.
import { execute, selectRow, selectRows } from '../../query.js';
import { setCause } from '../batch/allotments.js';
import { creditUpdatesFrom, INSERTED_COLUMNS, insertedFrom } from '../batch/credit-terms.js';
import type { CellTransaction } from '../cell-database.js';

/** Retires the allotments of those orgs that are still gone; returns whose. */
export async function retireAllotments(
  tx: CellTransaction,
  runId: bigint,
  ids: readonly string[],
): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly id: string }>(
    tx,
    `select id::text as id
     from credit_rollout.retire_allotments(:run_id::bigint, :ids::credit_rollout.org_id[]) as id`,
    { run_id: runId, ids },
  );
  return rows.map(({ id }) => id);
}

/** Restores allotments that were retired, deleted or lost; returns whose. */
export async function restoreRetired(
  tx: CellTransaction,
  runId: bigint,
  ids: readonly string[],
): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly id: string }>(
    tx,
    `select id::text as id
     from credit_rollout.restore_retired(:run_id::bigint, :ids::credit_rollout.org_id[]) as id`,
    { run_id: runId, ids },
  );
  return rows.map(({ id }) => id);
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
const LAPSED = `coalesce(a.unpaid_since < (
      select (now() at time zone zone)::date - lapse_grace_days from credit_rollout.cell), false)`;

// Only a nightly run writes a fall, and only where it found the org as one. An org that was restored just now has no
// movement of its own.
const MAY_FALL = `:nightly::boolean
      and (q.movement = 'fall' and (n.paid or not a.paid or q.cause = 'lapse') or q.movement = 'first')`;

// the database lets a floor fall under two causes only
const FLOOR_MAY_FALL = `case :cause::text when 'edition' then not ${LAPSED} when 'lapse' then ${LAPSED} else false end`;

const REPAIR = `
with n as materialized (
  select distinct on (d.org_id) d.*
  from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], :card_hash) d order by d.org_id),
allowed as materialized (
  select n.*, q.cause
  from n join credit_rollout.drift q
    on q.run_id = :run_id::bigint and q.org_id = n.org_id and q.outcome = 'to_heal'
  left join credit_rollout.allotments a on a.org_id = n.org_id
  where n.reason is null and (n.movement in ('first', 'raise', 'inputs') or n.movement = 'fall' and ${MAY_FALL})
    and (not coalesce(${FLOOR_FALLS}, false) or ${FLOOR_MAY_FALL})),
inserted as (
  insert into credit_rollout.allotments (${INSERTED_COLUMNS})
  select ${insertedFrom('n', "case n.cause when 'missed sign-up' then 'signup' else 'migrated' end", ':run_id::bigint')}
  from allowed n where n.movement = 'first' order by n.org_id
  on conflict (org_id) do nothing returning org_id, total_credits),
updated as (
  update credit_rollout.allotments a
  set ${creditUpdatesFrom('n')}, run_id = :run_id::bigint, computed_at = clock_timestamp()
  from allowed n where n.org_id = a.org_id and n.movement <> 'first'
  returning a.org_id, a.total_credits, n.movement)
select org_id::text, total_credits::text, 'inserted' as way, 'first' as movement from inserted
union all select org_id::text, total_credits::text, 'updated', movement from updated`;

/**
 * Those of these orgs that fall by a change of their own while the run's card would lower them further, with the card
 * of their allotments: they fall by that one, unless a person accepted the falls of the run.
 */
export async function listOnOwnCard(
  tx: CellTransaction,
  { runId, cardHash, ids }: Pick<Repair, 'runId' | 'cardHash' | 'ids'>,
): Promise<readonly { readonly cardHash: string; readonly ids: readonly string[] }[]> {
  const cards = await selectRows<{ readonly cardHash: string; readonly ids: readonly string[] }>(
    tx,
    `select a.rate_card as card_hash, array_agg(a.org_id::text order by a.org_id) as ids
     from credit_rollout.allotments a join credit_rollout.drift q
       on q.run_id = :run_id::bigint and q.org_id = a.org_id and q.outcome = 'to_heal' and q.movement = 'fall'
     join credit_rollout.runs r on r.run_id = q.run_id and not r.allow_falls
     where a.org_id = any (:ids::credit_rollout.org_id[]) and a.rate_card <> :card_hash group by 1`,
    { run_id: runId, card_hash: cardHash, ids },
  );
  const lists = [];
  for (const card of cards) {
    const higher = await selectRows<{ readonly id: string }>(
      tx,
      `select o.org_id::text as id from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], :own_card) o
       join credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], :card_hash) n on n.org_id = o.org_id
       where o.reason is null and o.total_credits > n.total_credits`,
      { ids: card.ids, own_card: card.cardHash, card_hash: cardHash },
    );
    if (higher.length > 0) lists.push({ cardHash: card.cardHash, ids: higher.map(({ id }) => id) });
  }
  return lists;
}

/**
 * Writes what the rule gives for the orgs of a repair that are still to be healed, under one cause. Lock them before.
 */
export async function repairAllotments(tx: CellTransaction, repair: Repair): Promise<readonly RepairedOrg[]> {
  await setCause(tx, repair.cause, repair.runId);
  return selectRows<RepairedOrg>(tx, REPAIR, {
    ids: repair.ids,
    card_hash: repair.cardHash,
    run_id: repair.runId,
    nightly: repair.kind === 'reconcile',
    cause: repair.cause,
  });
}

/** Records the result for the orgs of a repair: healed, or unchanged where nothing had to be written any more. */
export async function settleDrift(
  tx: CellTransaction,
  runId: bigint,
  ids: readonly string[],
  healed: readonly string[],
): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.drift set outcome = case
       when not (org_id = any (:healed::credit_rollout.org_id[])) then 'unchanged'
       -- its inputs are up to date now, and people still have to decide its floor
       when proposes and movement = 'inputs' then 'proposed' else 'healed' end
     where run_id = :run_id::bigint and org_id = any (:ids::credit_rollout.org_id[]) and outcome = 'to_heal'`,
    { healed, run_id: runId, ids },
  );
}

/** How many of these orgs cannot be decided now; they keep what they have. */
export async function countUndecidable(tx: CellTransaction, ids: readonly string[], cardHash: string): Promise<number> {
  const { orgs } = await selectRow<{ readonly orgs: number }>(
    tx,
    `select count(distinct d.org_id)::int as orgs
     from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], :card_hash) d
     where d.reason is not null`,
    { ids, card_hash: cardHash },
  );
  return orgs;
}
