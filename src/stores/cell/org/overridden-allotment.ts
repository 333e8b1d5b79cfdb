// One org's allotment for an override: what is stored, with the gate; its new row; and whether the rule agrees with it.
// Decides nothing: the terms come from the domain, and the caller checks them against the rule in SQL.
import type { Allotment } from '../../../domain/org/allotment.js';
import type { GateView } from '../../../domain/org/decide-floor.js';
import { execute, findRow, selectRow } from '../../query.js';
import { type AllotmentRow, allotmentColumns, toAllotment, toColumns } from '../allotment-row.js';
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

/**
 * Writes the row of a begun override, with the cause `override`, the only one under which people may lower a floor. Its
 * card is the cell's active one.
 */
export async function writeOverride(tx: CellTransaction, overrideId: bigint, allotment: Allotment): Promise<void> {
  await execute(tx, 'select credit_rollout.write_override(:override_id::bigint, :terms::jsonb)', {
    override_id: overrideId,
    terms: JSON.stringify(toColumns(allotment)),
  });
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
