// Compares the canary with the rule in TypeScript, with rates that their card's hash proves: edited rows of rates and a
// changed rule in the cell are both found. Reads only; returns how many orgs differ.
import type { Allotment } from '../../domain/org/allotment.js';
import { decideOrg } from '../../domain/org/decide-org.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import type { OrgInputs } from '../../domain/source/org-inputs.js';
import type { CellRun } from '../../stores/cell/batch/runs.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { listReversedCutovers, type ReversedCutover } from '../../stores/cell/cutover/reversals.js';
import { findCell } from '../../stores/cell/identity.js';
import { type CanaryOrg, listCanaryOrgs } from '../../stores/cell/org/canary-orgs.js';
import { loadStoredCard } from '../../stores/cell/org/rates.js';
import { readCreatedAt } from '../../stores/cell/org/source-org.js';
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
  const reversals = await listReversedCutovers(tx);
  // an org that the run left out is not the run's work
  const orgs = await listCanaryOrgs(tx, run.runId, orgIds);
  const createdAt = await readCreatedAt(
    tx,
    orgs.map(({ orgId }) => orgId),
  );
  return orgs.filter((org) => {
    const given = { card, createdAt: createdAt.get(org.orgId) ?? null, reversals, lapseGraceDays };
    const expected = decideAgain(org, given);
    return expected === undefined || listDifferences(org.allotment, expected).length > 0;
  }).length;
}

interface Given {
  readonly card: RateCard;
  /** Null: the source does not say. */
  readonly createdAt: Date | null;
  readonly reversals: readonly ReversedCutover[];
  readonly lapseGraceDays: number;
}

/** The rule's result for the stored inputs and what was stored before; undefined: the rule does not decide the org. */
function decideAgain(
  { allotment, version, computedAt, computedOn, gate, signUp, newestChange }: CanaryOrg,
  { card, createdAt, reversals: reversedPeriods, lapseGraceDays }: Given,
): Allotment | undefined {
  const prior = newestChange !== null && (version > 1 || isRetirement(newestChange)) ? newestChange : undefined;
  const decision = decideOrg({
    inputs: toInputs(allotment, createdAt ?? computedAt),
    card,
    prior: prior?.before ?? null,
    priorState: prior?.operation === 'delete' ? 'retired' : 'stored',
    gate: {
      ...gate,
      decidedAt: signUp?.decidedAt ?? null,
      model: signUp?.model ?? null,
      reversedPeriods,
    },
    today: computedOn,
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
