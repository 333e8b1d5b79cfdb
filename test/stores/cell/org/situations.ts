// Orgs as a cell has them before a decision, and what the TypeScript rule decides, by the names of the SQL columns.
import type { Allotment } from '../../../../src/domain/org/allotment.js';
import type { ReversedPeriod } from '../../../../src/domain/org/decide-floor.js';
import { decideOrg, type OrgDecision } from '../../../../src/domain/org/decide-org.js';
import type { RateCard } from '../../../../src/domain/rate-card/rate-card.js';
import type { OrgInputs } from '../../../../src/domain/source/org-inputs.js';
import type { GoldenCase } from '../../../domain/org/golden-cases.js';
import { addDays, CREATED, CUTOVER, makeOrg, makePrior } from '../../../domain/org/sample-org.js';

export interface Situation {
  readonly inputs: OrgInputs;
  readonly prior: Allotment | null;
  /** Left out: it is stored, under the card that decides. */
  readonly priorState?: 'stored' | 'retired';
  readonly priorCard?: RateCard;
  readonly decidedAt: Date | null;
}

export interface GateState {
  readonly effectiveAt: Date | null;
  readonly sweptAt: Date | null;
  /** Cut-overs that were reversed. */
  readonly reversedPeriods?: readonly ReversedPeriod[];
}

/** The model that the gate would have recorded with it. */
export const modelAt = (decidedAt: Date | null): 'credits' | 'legacy' | null =>
  decidedAt && (decidedAt >= CUTOVER ? 'credits' : 'legacy');

export const text = (value: bigint | null): string | null => (value === null ? null : String(value));

export type Row = Readonly<Record<string, unknown>>;

export function toStored(a: Allotment, id: number, card: RateCard): Row {
  return {
    org_id: id,
    ...toTerms(a),
    winner: a.winner,
    origin: 'migrated',
    rate_card: card.hash,
    run_id: null,
    version: 1,
    computed_at: CREATED,
  };
}

const toTerms = (a: Allotment): Row => ({
  edition: a.edition,
  paid: a.paid,
  agents: String(a.agents),
  light_agents: String(a.lightAgents),
  negotiated_limit: text(a.negotiatedLimit),
  base_credits: String(a.baseCredits),
  variable_credits: String(a.variableCredits),
  additional_credits: String(a.additionalCredits),
  legacy_limit: String(a.legacyLimit),
  floor: text(a.floor),
  floor_edition: a.floorEdition,
  unpaid_since: a.unpaidSince,
  grandfathered_credits: String(a.grandfatheredCredits),
  total_credits: String(a.totalCredits),
  concurrency_limit: a.concurrencyLimit,
});

/** What the TypeScript rule gives, by the names of the SQL rule's columns. */
export function expected(decision: OrgDecision): Row {
  if (decision.kind === 'quarantine') return { reason: decision.reason };
  const { allotment, movement, proposedFloor } = decision;
  return {
    reason: null,
    ...toTerms(allotment),
    winner: allotment.winner,
    movement,
    proposed_floor: text(proposedFloor),
  };
}

export function decideHere(
  card: RateCard,
  gate: GateState,
  { inputs, prior, priorState = 'stored', priorCard = card, decidedAt }: Situation,
  today: string,
): OrgDecision {
  return decideOrg({
    inputs,
    card,
    prior,
    priorState,
    priorCard: priorCard.hash,
    gate: { ...gate, decidedAt, model: modelAt(decidedAt) },
    today,
    lapseGraceDays: 30,
  });
}

export function toSituation(golden: GoldenCase, today: string): Situation {
  const inputs = makeOrg({
    edition: golden.edition,
    paid: golden.paid,
    agents: golden.agents,
    lightAgents: golden.lightAgents,
    negotiatedLimit: golden.negotiated,
    additionalCredits: golden.additional,
  });
  return { inputs, prior: toPrior(golden, today), decidedAt: null };
}

function toPrior({ before }: GoldenCase, today: string): Allotment | null {
  if (before.kind === 'first') return null;
  if (before.kind === 'noFloor') return makePrior({ edition: 'free', paid: false, agents: 0n });
  const paid = makePrior({}, { floor: before.floor, floorEdition: before.edition, grandfatheredCredits: before.floor });
  const unpaidSince = before.unpaidDays === null ? null : addDays(today, -before.unpaidDays);
  return {
    ...paid,
    unpaidSince,
    paid: unpaidSince === null,
    totalCredits: paid.baseCredits + paid.variableCredits + before.floor,
  };
}

export function goldenRow({ expect: terms }: GoldenCase): Row {
  if (terms === null) return { reason: 'overflow' };
  return {
    reason: null,
    base_credits: String(terms.base),
    variable_credits: String(terms.variable),
    legacy_limit: String(terms.legacyLimit),
    floor: text(terms.floor),
    grandfathered_credits: String(terms.grandfathered),
    total_credits: String(terms.total),
    winner: terms.winner,
    concurrency_limit: terms.concurrency,
  };
}
