// One org's allotment for an override: what is stored, with the gate; its new row; and whether the rule agrees with it.
// Decides nothing: the terms come from the domain, and the caller checks them against the rule in SQL.
import type { Allotment } from '../../../domain/org/allotment.js';
import type { GateView } from '../../../domain/org/decide-floor.js';
import { execute, findRow, selectRow } from '../../query.js';
import { type AllotmentRow, allotmentColumns, toAllotment } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';
import { listReversedCutovers } from '../cutover/reversals.js';

export interface OverridableOrg {
  readonly stored: Allotment;
  readonly gate: GateView;
}

const STORED = `
select ${allotmentColumns('a')}, g.effective_at, g.swept_at, s.decided_at, s.model
from credit_rollout.allotments a cross join credit_rollout.gate g
left join credit_rollout.sign_ups s on s.org_id = a.org_id
where a.org_id = :org_id::credit_rollout.org_id`;

type StoredRow = AllotmentRow & Required<Pick<GateView, 'effectiveAt' | 'sweptAt' | 'decidedAt' | 'model'>>;

/** Undefined: it has no allotment. */
export async function findOverridableOrg(tx: CellTransaction, orgId: string): Promise<OverridableOrg | undefined> {
  const row = await findRow<StoredRow>(tx, STORED, { org_id: orgId });
  if (row === undefined) return undefined;
  const { effectiveAt, sweptAt, decidedAt, model } = row;
  const reversedPeriods = await listReversedCutovers(tx);
  return { stored: toAllotment(row), gate: { effectiveAt, sweptAt, decidedAt, model, reversedPeriods } };
}

/** Rewrites an org's row with the cause `override`, the only one under which people may lower a floor. */
export async function overrideAllotment(
  tx: CellTransaction,
  orgId: string,
  allotment: Allotment,
  cardHash: string,
): Promise<void> {
  await execute(tx, `select set_config('credit_rollout.cause', 'override', true)`);
  await execute(
    tx,
    `update credit_rollout.allotments set edition = :edition, paid = :paid, agents = :agents::bigint,
       light_agents = :light_agents::bigint, negotiated_limit = :negotiated_limit::bigint,
       base_credits = :base_credits::bigint, variable_credits = :variable_credits::bigint,
       additional_credits = :additional_credits::bigint, legacy_limit = :legacy_limit::bigint,
       floor = :floor::bigint, floor_edition = :floor_edition, unpaid_since = :unpaid_since::date,
       grandfathered_credits = :grandfathered_credits::bigint, total_credits = :total_credits::bigint,
       concurrency_limit = :concurrency_limit, winner = :winner, rate_card = :card_hash, run_id = null,
       computed_at = clock_timestamp()
     where org_id = :org_id::credit_rollout.org_id`,
    {
      edition: allotment.edition,
      paid: allotment.paid,
      agents: allotment.agents,
      light_agents: allotment.lightAgents,
      negotiated_limit: allotment.negotiatedLimit,
      base_credits: allotment.baseCredits,
      variable_credits: allotment.variableCredits,
      additional_credits: allotment.additionalCredits,
      legacy_limit: allotment.legacyLimit,
      floor: allotment.floor,
      floor_edition: allotment.floorEdition,
      unpaid_since: allotment.unpaidSince,
      grandfathered_credits: allotment.grandfatheredCredits,
      total_credits: allotment.totalCredits,
      concurrency_limit: allotment.concurrencyLimit,
      winner: allotment.winner,
      card_hash: cardHash,
      org_id: orgId,
    },
  );
}

/** How the rule in SQL would move the org from what is stored; null: it cannot decide it. */
export async function readMovement(tx: CellTransaction, orgId: string): Promise<string | null> {
  const row = await findRow<{ readonly movement: string | null }>(
    tx,
    `select case when reason is null then movement end as movement
     from credit_rollout.decided(null, null, array[:org_id::credit_rollout.org_id], null)`,
    { org_id: orgId },
  );
  return row?.movement ?? null;
}

/** Whether a run is open here, paused or not. */
export async function hasOpenRun(tx: CellTransaction): Promise<boolean> {
  const { found } = await selectRow<{ readonly found: boolean }>(
    tx,
    `select exists (select from credit_rollout.runs where state = 'open') as found`,
  );
  return found;
}
