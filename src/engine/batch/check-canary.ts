// Compares the canary with the rule in TypeScript, with rates that their card's hash proves: edited rows of rates and a
// changed rule in the cell are both found. Reads only; returns how many orgs differ.
import type { Allotment } from '../../domain/org/allotment.js';
import { decideOrg } from '../../domain/org/decide-org.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { OrgInputs } from '../../domain/source/org-inputs.js';
import type { CellRun } from '../../stores/cell/batch/runs.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { findCell } from '../../stores/cell/identity.js';
import { findOrg, type OrgRecord, type StoredOrg } from '../../stores/cell/org/orgs.js';
import { loadStoredCard } from '../../stores/cell/org/rates.js';
import { findSourceOrg } from '../../stores/cell/org/source-org.js';
import { listDifferences } from '../org/list-differences.js';
import { isRetirement } from '../org/recompute-org.js';
import { fromStoredCard } from '../stored-card.js';

/**
 * Orgs of the canary that this run wrote differently from the rule; all of them when the rates are not those of the
 * card.
 */
export async function countCanaryMismatches(
  tx: CellTransaction,
  run: Pick<CellRun, 'runId' | 'cardHash'>,
  orgIds: readonly string[],
): Promise<number> {
  const stored = await loadStoredCard(tx, run.cardHash);
  const card = stored && fromStoredCard(stored);
  if (card === undefined || card.hash !== run.cardHash) return orgIds.length;
  const lapseGraceDays = (await findCell(tx))?.lapseGraceDays ?? 0;
  let mismatches = 0;
  for (const orgId of orgIds) {
    const record = await findOrg(tx, orgId);
    // an org that the run left out is not the run's work
    if (record.stored?.runId !== run.runId) continue;
    const createdAt = await readCreatedAt(tx, orgId);
    const expected = decideAgain(record, record.stored, { card, createdAt, lapseGraceDays });
    if (expected === undefined || listDifferences(record.stored.allotment, expected).length > 0) mismatches += 1;
  }
  return mismatches;
}

async function readCreatedAt(tx: CellTransaction, orgId: string): Promise<Date | null> {
  const source = await findSourceOrg(tx, orgId);
  return source.kind === 'present' ? source.org.createdAt : null;
}

interface Given {
  readonly card: RateCard;
  readonly createdAt: Date | null;
  readonly lapseGraceDays: number;
}

/** The rule's result for the stored inputs and what was stored before; undefined: the rule does not decide the org. */
function decideAgain(
  { history, gate, signUp, reversals: reversedPeriods }: OrgRecord,
  stored: StoredOrg,
  { card, createdAt, lapseGraceDays }: Given,
): Allotment | undefined {
  const [newest] = history;
  const prior = stored.version > 1 || (newest !== undefined && isRetirement(newest)) ? newest : undefined;
  const decision = decideOrg({
    inputs: toInputs(stored.allotment, createdAt ?? stored.computedAt),
    card,
    prior: prior?.before ?? null,
    priorState: prior?.operation === 'delete' ? 'retired' : 'stored',
    gate: {
      effectiveAt: gate.effectiveAt,
      sweptAt: gate.sweptAt,
      decidedAt: signUp?.decidedAt ?? null,
      model: signUp?.model ?? null,
      reversedPeriods,
    },
    today: stored.computedOn,
    lapseGraceDays,
  });
  return decision.kind === 'decided' ? decision.allotment : undefined;
}

const toInputs = (allotment: Allotment, createdAt: Date): OrgInputs => ({
  edition: allotment.edition,
  paid: allotment.paid,
  agents: allotment.agents,
  lightAgents: allotment.lightAgents,
  additionalCredits: allotment.additionalCredits,
  negotiatedLimit: allotment.negotiatedLimit,
  createdAt,
  duplicated: false,
});
