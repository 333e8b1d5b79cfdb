// One org's allotment as an override needs it: what is stored, with the gate; its new row; and whether the rule agrees.
// Decides nothing: the terms come from the domain, and the rule in SQL has the last word.
import type { Allotment } from '../../../domain/org/allotment.js';
import type { GateView } from '../../../domain/org/decide-floor.js';
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
where a.org_id = ?::credit_rollout.org_id`;

interface StoredRow extends AllotmentRow {
  readonly effective_at: Date | null;
  readonly swept_at: Date | null;
  readonly decided_at: Date | null;
  readonly model: 'credits' | 'legacy' | null;
}

/** Undefined: it has no allotment. */
export async function findOverridableOrg(tx: CellTransaction, orgId: string): Promise<OverridableOrg | undefined> {
  const row: StoredRow | undefined = (await tx.raw(STORED, [orgId])).rows[0];
  if (row === undefined) return undefined;
  const { effective_at: effectiveAt, swept_at: sweptAt, decided_at: decidedAt, model } = row;
  const earlierLines = await listReversedCutovers(tx);
  return { stored: toAllotment(row), gate: { effectiveAt, sweptAt, decidedAt, model, earlierLines } };
}

const TEXT = (value: bigint | null): string | null => (value === null ? null : String(value));

/** Rewrites an org's row with the cause `override`, the only one by which people may lower a floor. */
export async function overrideAllotment(
  tx: CellTransaction,
  orgId: string,
  allotment: Allotment,
  cardHash: string,
): Promise<void> {
  await tx.raw(`select set_config('credit_rollout.cause', 'override', true)`);
  await tx.raw(
    `update credit_rollout.allotments set edition = ?, paid = ?, agents = ?::bigint, light_agents = ?::bigint,
       negotiated_limit = ?::bigint, base_credits = ?::bigint, variable_credits = ?::bigint, additional_credits = ?::bigint,
       legacy_limit = ?::bigint, floor = ?::bigint, floor_edition = ?, unpaid_since = ?::date, grandfathered_credits = ?::bigint,
       total_credits = ?::bigint, concurrency_limit = ?, winner = ?, rate_card = ?, run_id = null, computed_at = clock_timestamp()
     where org_id = ?::credit_rollout.org_id`,
    [
      allotment.edition,
      allotment.paid,
      TEXT(allotment.agents),
      TEXT(allotment.lightAgents),
      TEXT(allotment.negotiatedLimit),
      TEXT(allotment.baseCredits),
      TEXT(allotment.variableCredits),
      TEXT(allotment.additionalCredits),
      TEXT(allotment.legacyLimit),
      TEXT(allotment.floor),
      allotment.floorEdition,
      allotment.unpaidSince,
      TEXT(allotment.grandfatheredCredits),
      TEXT(allotment.totalCredits),
      allotment.concurrencyLimit,
      allotment.winner,
      cardHash,
      orgId,
    ],
  );
}

/** How the rule in SQL would move the org from what is stored; null: it cannot decide it. */
export async function readMovement(tx: CellTransaction, orgId: string): Promise<string | null> {
  const { rows } = await tx.raw(
    `select case when reason is null then movement end as movement
     from credit_rollout.decided(null, null, array[?::credit_rollout.org_id], null)`,
    [orgId],
  );
  return rows[0]?.movement ?? null;
}

/** Whether a run is open here, paused or not. */
export async function hasOpenRun(tx: CellTransaction): Promise<boolean> {
  const { rows } = await tx.raw(`select exists (select from credit_rollout.runs where state = 'open') as found`);
  return rows[0].found;
}
