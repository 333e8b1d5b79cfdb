// Decides one org: its allotment, its movement, and why. `why` shows this decision, and tests compare the SQL rule with
// it. Pure: no clock, no I/O. Never grants a paid org less than its floor.
import type { RateCard } from '../rate-card/rate-card.js';
import { GREATEST_STORED, type OrgInputs, type QuarantineReason } from '../source/org-inputs.js';
import type { Allotment } from './allotment.js';
import { type AssessedOrg, assessOrg } from './assess-org.js';
import { decideFloor, type FloorAnswer, type GateView } from './decide-floor.js';
import { decideMovement, type Movement } from './decide-movement.js';

export interface OrgQuestion {
  readonly inputs: OrgInputs;
  readonly card: RateCard;
  /** What is stored for the org; null before its first decision. */
  readonly prior: Allotment | null;
  /** Hash of the card that `prior` was decided with; left out: the same card. */
  readonly priorCard?: string;
  /** `retired`: the org left and is back; `prior` is what it had. Left out: it is stored. */
  readonly priorState?: 'stored' | 'retired';
  readonly gate: GateView;
  /** Local date of the data center, YYYY-MM-DD. */
  readonly today: string;
  /** Days for which an unpaid org keeps its floor: `grandfathering.lapseGrace`. */
  readonly lapseGraceDays: number;
}

export interface DecidedOrg {
  readonly kind: 'decided';
  readonly allotment: Allotment;
  readonly movement: Movement;
  /** A floor that people must approve; null: nothing to propose. */
  readonly proposedFloor: bigint | null;
  /** Short sentences: which rule set, kept, raised, lowered or ended the floor. */
  readonly because: readonly string[];
}

/** For a quarantined org nothing is written, and it keeps the allotment that it has. */
export type OrgDecision = { readonly kind: 'quarantine'; readonly reason: QuarantineReason } | DecidedOrg;

/**
 * Decides one org. Source: docs/reference/domain.md, "The arithmetic" and "The floor"; golden cases in
 * docs/reference/life-of-an-org.md.
 */
export function decideOrg(question: OrgQuestion): OrgDecision {
  const org = assessOrg(question.inputs, question.card);
  if (org.kind === 'undecidable') return { kind: 'quarantine', reason: org.reason };
  const answer = decideFloor({ ...question, org });
  const allotment = composeAllotment(org, answer);
  if (allotment.totalCredits > GREATEST_STORED) return { kind: 'quarantine', reason: 'overflow' };
  const { because } = answer;
  if (question.priorState === 'retired')
    return { kind: 'decided', allotment, movement: 'first', proposedFloor: null, because };
  const moved = decideMovement(question.prior, allotment);
  // a new card is written even where it gives the same numbers
  const movement =
    moved === 'same' && (question.priorCard ?? question.card.hash) !== question.card.hash ? 'inputs' : moved;
  return { kind: 'decided', allotment, movement, proposedFloor: answer.proposedFloor, because };
}

/** Additional credits are added after the maximum: purchases are never reduced. */
function composeAllotment(org: AssessedOrg, { floor, floorEdition, unpaidSince }: FloorAnswer): Allotment {
  const missing = org.paid && floor !== null ? floor - org.planCredits : 0n;
  const grandfatheredCredits = missing > 0n ? missing : 0n;
  return {
    edition: org.edition,
    paid: org.paid,
    agents: org.agents,
    lightAgents: org.lightAgents,
    negotiatedLimit: org.negotiatedLimit,
    baseCredits: org.baseCredits,
    variableCredits: org.variableCredits,
    additionalCredits: org.additionalCredits,
    legacyLimit: org.legacyLimit,
    floor,
    floorEdition,
    unpaidSince,
    grandfatheredCredits,
    totalCredits: org.planCredits + grandfatheredCredits + org.additionalCredits,
    concurrencyLimit: org.concurrencyLimit,
    winner: grandfatheredCredits > 0n ? 'legacy' : 'credits',
  };
}
